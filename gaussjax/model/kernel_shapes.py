"""Transfer functions of blurs that are no Gaussians: lenses, motion, detectors, other tools.

All are real and even, with T(0) = 1, functions of the angular frequencies w (rad/px) of every axis.
They are evaluated in NumPy: a comparison calls two dozen of them a few times each, which compiled
would take longer to compile than to run.

    disk of radius r             2 J1(r |w|) / (r |w|)
    segment l (px per axis)      sin(w . l / 2) / (w . l / 2)
    Moffat (1 + r^2 / a^2)^-b    E exp(-v |w|^2 / 2),  v = a^2 / 2G,  G ~ Gamma(b - ndim / 2)
    generalised                  exp(-(s |w|)^p / 2)
    core and halo                (1 - h) exp(-s^2 |w|^2 / 2) + h exp(-(q s)^2 |w|^2 / 2)

Where a kernel is drawn on the pixel grid its taps are summed instead.

Source of the Moffat: A. F. J. Moffat, Astronomy & Astrophysics 3, 1969. It is a mixture of
Gaussians, as Student's t is.
"""

import math
from collections.abc import Callable
from functools import reduce

import numpy as np

Frequencies = tuple[np.ndarray, ...]  # rad/px along every axis, shaped to broadcast
_TABLE = 2048  # radii at which a radial function is evaluated
_CHORDS = 64  # enough for radii up to 25 px at the corner of the frequency plane


def separable(w: Frequencies, along_axis: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The product over the axes of one function of the frequency along each."""
    return reduce(np.multiply, (along_axis(each) for each in w))


def squared_radius(w: Frequencies) -> np.ndarray:
    """|w|^2."""
    return np.asarray(sum(each**2 for each in w))


def from_even_taps(w: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Transfer function along one axis of a kernel k_0, k_1 = k_-1, ..., which is normalised."""
    n = np.arange(len(taps))
    weights = np.where(n > 0, 2, 1) * taps
    return np.cos(np.multiply.outer(w, n)) @ (weights / np.sum(weights))


def from_taps(w: Frequencies, taps: np.ndarray) -> np.ndarray:
    """Transfer function of a centred, symmetric kernel of odd lengths, which is normalised."""
    transfer = taps / np.sum(taps)
    for each in w:
        reach = (transfer.shape[0] - 1) // 2 if transfer.ndim else 0
        waves = np.exp(-1j * np.multiply.outer(np.ravel(each), np.arange(-reach, reach + 1)))
        # The axis that is summed is always the first; its frequencies become the last.
        transfer = np.tensordot(transfer, waves, axes=(0, 1))
    return np.real(transfer)


def radial(w: Frequencies, profile: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """A function of |w|, interpolated in a table of it."""
    radius = np.sqrt(squared_radius(w))
    table = np.linspace(0, max(float(np.max(radius)), 1e-9), _TABLE)
    return np.interp(radius, table, profile(table))


def gaussian(w: Frequencies, covariance) -> np.ndarray:
    """exp(-w' S w / 2); S in px^2 is a matrix, or a number for that in all directions."""
    if np.ndim(covariance) == 0:
        return np.exp(-0.5 * covariance * squared_radius(w))
    pairs = ((i, k) for i in range(len(w)) for k in range(len(w)))
    return np.exp(-0.5 * np.asarray(sum(covariance[i, k] * w[i] * w[k] for i, k in pairs)))


def disk(w: Frequencies, radius: float) -> np.ndarray:
    """A disk, or in three dimensions a ball, as the mean over its chords; radius in px."""
    # Gauss and Chebyshev's nodes: exact to rounding where there are more of them than waves.
    place = np.cos(np.pi * np.arange(1, _CHORDS + 1) / (2 * _CHORDS + 1))
    share = (1 - place**2) ** (0.5 * len(w))
    share = share / np.sum(share)
    return radial(w, lambda rho: np.cos(np.multiply.outer(radius * rho, place)) @ share)


def disk_taps(radius: float, ndim: int, width: float) -> np.ndarray:
    """A disk whose rim falls from 1 to 0 over ``width`` px; 0: the pixels within the radius."""
    reach = math.ceil(radius + 0.5)
    n = np.arange(-reach, reach + 1)
    distance = np.sqrt(reduce(np.add.outer, [n**2] * ndim))
    if width == 0:
        return (distance <= radius + 1e-9).astype(float)
    return np.clip((radius - distance) / width + 0.5, 0, 1)


def disk_coverage(radius: float) -> np.ndarray:
    """The part of every pixel that a disk covers."""
    reach = math.ceil(radius + 0.5)
    n = np.arange(-reach, reach + 1)
    nodes, share = np.polynomial.legendre.leggauss(16)
    half_chord = np.sqrt(np.clip(radius**2 - (n[:, None] + nodes / 2) ** 2, 0, None))[:, None]
    ends = [np.clip(n[:, None] + side, -half_chord, half_chord) for side in (0.5, -0.5)]
    covered = (ends[0] - ends[1]) @ (share / 2)
    return 0.5 * (covered + covered.T)


def box_taps(width: float) -> np.ndarray:
    """The part of pixels 0, 1, ... that an interval of ``width`` px about 0 covers."""
    n = np.arange(max(math.ceil(0.5 * (width - 1) - 1e-9), 0) + 1)
    return np.clip(0.5 * (width + 1) - n, 0, 1) if width > 1 else np.ones(1)


def segment(w: Frequencies, lengths: np.ndarray) -> np.ndarray:
    """A straight motion by ``lengths`` px along every axis."""
    path = np.asarray(sum(length * each for length, each in zip(lengths, w, strict=True)))
    return np.sinc(path / (2 * math.pi))


def segment_taps(lengths: np.ndarray) -> np.ndarray:
    """The part of a centred segment that lies in each pixel.

    Source of the crossings: R. L. Siddon, Medical Physics 12(2), 1985.
    """
    reach = [math.ceil(0.5 * abs(length) + 0.5) for length in lengths]
    crossings = [np.array([-0.5, 0.5])]
    for length, r in zip(lengths, reach, strict=True):
        if abs(length) > 1e-9:
            crossings.append(np.clip((np.arange(-r, r) + 0.5) / length, -0.5, 0.5))
    ends = np.unique(np.concatenate(crossings))
    middle = 0.5 * (ends[1:] + ends[:-1])
    pixel = tuple(np.rint(middle * a).astype(int) + r for a, r in zip(lengths, reach, strict=True))
    taps = np.zeros([2 * r + 1 for r in reach])
    np.add.at(taps, pixel, np.diff(ends))
    return 0.5 * (taps + np.flip(taps))


def thick_segment_taps(lengths: np.ndarray) -> np.ndarray:
    """A segment of which every point is shared by its neighbours as in linear interpolation."""
    points = max(int(16 * np.linalg.norm(lengths)), 16)
    place = (np.arange(points) + 0.5) / points - 0.5
    taps = np.ones((points,))
    for length in lengths:
        reach = math.ceil(0.5 * abs(length) + 1)
        n = np.arange(-reach, reach + 1)
        near = np.clip(1 - np.abs(n - np.expand_dims(place * length, -1)), 0, None)
        taps = taps[..., None] * near.reshape(points, *[1] * (taps.ndim - 1), -1)
    return np.sum(taps, axis=0)


def moffat(w: Frequencies, width: float, exponent: float) -> np.ndarray:
    """(1 + r^2 / width^2)^-exponent; the exponent is above half of the number of axes."""
    shape = exponent - 0.5 * len(w)
    # Over the logarithm of G the integrand is smooth and dies out at both ends: equal steps.
    low = -12 / min(shape, math.sqrt(shape))
    step = np.linspace(low, math.log1p(6 / shape + 5 / math.sqrt(shape)), 101)
    logarithm = shape * (step - np.exp(step))
    share = np.exp(logarithm - np.max(logarithm))
    share = share / np.sum(share)
    variance = width**2 / (2 * shape * np.exp(step))
    return radial(w, lambda rho: np.exp(-0.5 * np.multiply.outer(rho**2, variance)) @ share)


def generalised(w: Frequencies, scale: float, exponent: float) -> np.ndarray:
    """exp(-(s |w|)^p / 2): p = 2 is the Gaussian, 5/3 that of long exposures through air."""
    return np.exp(-0.5 * (scale**2 * squared_radius(w)) ** (0.5 * exponent))


def core_and_halo(w: Frequencies, sigma: float, ratio: float, share: float) -> np.ndarray:
    """Two Gaussians; ``share`` of the light is in the one that is ``ratio`` times as wide."""
    exponent = -0.5 * sigma**2 * squared_radius(w)
    return (1 - share) * np.exp(exponent) + share * np.exp(ratio**2 * exponent)
