"""A scene seen on two grids: its waves are summed at the pixels' places, without a transform."""

from fractions import Fraction

import numpy as np


def coarse_pair(
    sigma,
    ratios,
    size,
    *,
    pixel="area",
    centre="area",
    shift=(0.0, 0.0),
    gain=1.0,
    offset=0.0,
    around=32,
    seed=0,
):
    """A fine and a coarse image of ``size`` coarse px, cut out of a random scene.

    The scene is a sum of waves below the fine Nyquist frequency, blurred as a function of the
    plane; fine and coarse pixels integrate it over their areas, or coarse ones take its values.

    Args:
        sigma: fine px, of the axes together or of each.
        ratios: fine px per coarse px of each axis.
        size: coarse px per axis.
        pixel: "area" or "point".
        centre: of the first coarse pixel, "area" or a fine px.
        shift: fine px.
        gain: of the coarse image.
        offset: of it.
        around: fine px of the scene on every side, so that content leaks in; 0: it is periodic.
        seed: of the scene.
    """
    random = np.random.default_rng(seed)
    ratios = [Fraction(r) for r in np.broadcast_to(np.array(ratios, object), (2,))]
    fine = [int(r * size) for r in ratios]
    lengths = [n + 2 * around for n in fine]
    frequencies = [2 * np.pi * np.fft.fftfreq(n) for n in lengths]
    y, x = np.meshgrid(*frequencies, indexing="ij")
    known = (np.abs(y) < 3.14) & (np.abs(x) < 3.14)
    waves = np.fft.fft2(random.normal(size=lengths)) * known / (np.hypot(y, x) + 0.05) ** 1.2
    waves *= 50 / np.std(np.fft.ifft2(waves).real)
    waves[0, 0] = 100 * waves.size
    sigmas = np.broadcast_to(sigma, (2,))
    blurred, inside = waves, []
    for axis, (r, n, w) in enumerate(zip(map(float, ratios), lengths, frequencies, strict=True)):
        first = (r - 1) / 2 if centre == "area" else centre
        places = around + first + r * np.arange(size) - shift[axis]
        width = np.sinc(r * w / 2 / np.pi) / np.sinc(w / 2 / np.pi) if pixel == "area" else 1.0
        seen = np.exp(1j * np.outer(places, w) - 0.5 * (sigmas[axis] * w) ** 2) * width / n
        blurred = np.moveaxis(np.tensordot(seen, blurred, (1, axis)), 0, axis)
        inside.append(slice(around, around + fine[axis]))
    return np.fft.ifft2(waves).real[tuple(inside)], gain * blurred.real + offset
