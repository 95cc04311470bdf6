"""Scenes seen on two grids: waves of a random scene or of a photograph, summed where pixels lie.

No transform of the coarse image is taken and nothing is folded: every coarse pixel is the integral
of the blurred waves over its area, or their value at its centre.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from experiments.shared.photographs import middle, scene

AROUND = 48  # fine px of the scene on every side of the images, so that content leaks in
SHIFT, GAIN, OFFSET = (2.3, -1.7), 0.8, 0.1  # where they are fitted; offset in contrasts of A


@dataclass(frozen=True)
class Waves:
    """A periodic scene below the Nyquist frequency of the fine grid."""

    spectrum: np.ndarray  # unnormalised transform of its fine pixels
    ratio: Fraction
    size: int  # coarse px per axis of the images

    @classmethod
    def of(cls, name: str, ratio: Fraction, size: int, random: np.random.Generator) -> "Waves":
        """Of a photograph, or of a random scene whose power falls with the frequency."""
        length = int(ratio * size) + 2 * AROUND
        if name == "random":
            image = random.standard_normal((length, length))
        else:
            whole = scene(name)
            # A photograph that is too small goes on as its mirror image.
            room = [(0, max(length - n, 0)) for n in whole.shape]
            image = np.pad(whole, room, mode="symmetric")
            image = middle(image, length)
        frequency = 2 * np.pi * np.fft.fftfreq(length)
        y, x = np.meshgrid(frequency, frequency, indexing="ij")
        spectrum = np.fft.fft2(image) * ((np.abs(y) < 3.14) & (np.abs(x) < 3.14))
        if name == "random":
            spectrum /= (np.hypot(y, x) + 0.05) ** 1.2
        spectrum[0, 0] = 0
        spectrum /= np.std(np.fft.ifft2(spectrum).real)
        return cls(spectrum, ratio, size)

    @property
    def fine(self) -> np.ndarray:
        """The fine image, of unit contrast about."""
        inside = slice(AROUND, AROUND + int(self.ratio * self.size))
        return np.fft.ifft2(self.spectrum).real[inside, inside]

    def coarse(
        self,
        sigma: float,
        pixel: str = "area",
        shift: tuple[float, float] = (0.0, 0.0),
        gain: float = 1.0,
        offset: float = 0.0,
    ) -> np.ndarray:
        """The coarse image; lengths in fine px."""
        r, length = float(self.ratio), len(self.spectrum)
        seen: Any = self.spectrum
        w = 2 * np.pi * np.fft.fftfreq(length)
        width = np.sinc(r * w / 2 / np.pi) / np.sinc(w / 2 / np.pi) if pixel == "area" else 1.0
        for axis in range(2):
            places = AROUND + (r - 1) / 2 + r * np.arange(self.size) - shift[axis]
            waves = np.exp(1j * np.outer(places, w) - 0.5 * (sigma * w) ** 2) * width / length
            seen = np.moveaxis(np.tensordot(waves, seen, (1, axis)), 0, axis)
        return gain * seen.real + offset


def bounds(waves: Waves, sigma: float, noise: float, margin: int) -> np.ndarray:
    """Cramer-Rao bounds of sigma and of both shifts, fine px, with gain and offset unknown, too.

    By central differences of the coarse image, over the pixels farther than ``margin`` from its
    edge.
    """
    true = np.array([sigma, *SHIFT, GAIN, OFFSET])

    def image(values):
        found = waves.coarse(values[0], "area", tuple(values[1:3]), values[3], values[4])
        return found[margin:-margin, margin:-margin].ravel()

    steps = 1e-4 * np.eye(len(true))
    fields = np.stack([(image(true + step) - image(true - step)) / 2e-4 for step in steps])
    return noise * np.sqrt(np.diag(np.linalg.inv(fields @ fields.T)))[:3]
