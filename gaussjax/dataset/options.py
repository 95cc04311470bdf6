"""The options of a joint fit that its programs are compiled for."""

from dataclasses import dataclass

from gaussjax.model.boundary import largest_margins
from gaussjax.model.kernels import Kernel
from gaussjax.model.response import BlurModel


@dataclass(frozen=True)
class JointOptions:
    """What is fitted to all pairs; hashable: each combination and shape compiles once."""

    family: str  # of the Gaussian
    kernel: Kernel  # the convention
    boundary: str  # "valid" or "periodic"
    gain: bool = False  # every pair has a factor of its own
    offset: bool = False  # every pair has a constant of its own
    noisy: bool = False  # the sharper images are; the noise's part of the sums is subtracted
    swapped: bool = False  # the second images are the sharper ones

    @property
    def is_seamless(self) -> bool:
        """As for one pair: the jump at the frame's edge is left out."""
        spreads = self.boundary == "valid" and not self.kernel.is_finite
        return spreads and self.family == "isotropic" and not self.gain

    @property
    def num_nuisances(self) -> int:
        """Number of parameters that every pair has beside the blur."""
        return self.gain + self.offset

    def model(self, shape: tuple[int, ...]) -> BlurModel:
        """The blur of images of a shape."""
        periodic = self.boundary == "periodic"
        margins = tuple(shape) if periodic else largest_margins(shape)
        reach = max(margins)
        return BlurModel(self.family, self.kernel, reach + reach // 2 + 2, margins)
