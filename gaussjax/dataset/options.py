"""The options of a joint fit that its programs are compiled for."""

from dataclasses import dataclass

from gaussjax.model.boundary import largest_margins
from gaussjax.model.kernels import Kernel
from gaussjax.model.response import BlurModel


@dataclass(frozen=True)
class JointOptions:
    """What is fitted to all pairs; hashable: each combination and shape compiles once.

    Attributes:
        family: of the Gaussian.
        kernel: the convention.
        boundary: "valid" or "periodic".
        gain: every pair has a factor of its own.
        offset: every pair has a constant of its own.
        swapped: the second images are the sharper ones.
    """

    family: str
    kernel: Kernel
    boundary: str
    gain: bool = False
    offset: bool = False
    swapped: bool = False

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
