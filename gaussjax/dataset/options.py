"""The options of a joint fit that its programs are compiled for."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.model.boundary import extended_shape
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import PADDED_BOUNDARIES, Boundary, Family, LossName
from gaussjax.model.sampling import Sampling
from gaussjax.model.system_response import BlurModel
from gaussjax.pair.coarse_start import LEAST_VARIANCE
from gaussjax.pair.kernel_extent import largest_radius, model_limits


@dataclass(frozen=True)
class JointOptions:
    """What is fitted to all pairs; hashable: each combination and shape compiles once."""

    family: Family  # of the Gaussian
    kernel: Kernel  # the convention
    boundary: Boundary
    gain: bool = False  # every pair has a factor of its own
    offset: bool = False  # every pair has a constant of its own
    estimates_noise: bool = False  # of every pair by itself
    shift: bool = False  # every pair has a displacement of its own
    loss: LossName | Callable = "squared"
    swapped: bool = False  # the second images are the sharper ones
    sampling: Sampling | None = None  # of the softer images; None: all are on one grid

    @property
    def has_nuisances(self) -> bool:
        """Every pair has parameters beside the blur."""
        return self.gain or self.offset or self.shift

    @property
    def one_by_one(self) -> bool:
        """Every pair is fitted by itself first; see :mod:`gaussjax.dataset.own_fit`."""
        return self.shift or self.estimates_noise or self.loss != "squared"

    def score_noise(self, variance):
        """Variance of a pair's score over its slope, of a residual of this variance.

        The scores of least squares are residuals, those of the absolute loss are signs.
        """
        return variance if self.loss != "absolute" else (0.5 * math.pi * variance) ** 0.5

    def grid(self, ndim: int) -> CoarseGrid | None:
        """The grid of the softer image of a pair, if it has one of its own."""
        return None if self.sampling is None else self.sampling.grid(ndim)

    def least(self, model: BlurModel, dtype) -> jax.Array:
        """Bounds from below on the vector of a model, ``[k]``."""
        least = -jnp.inf if self.sampling is None else LEAST_VARIANCE
        return model.box(least, jnp.inf, dtype)[0]

    def pad(self, shape: tuple[int, ...]) -> int:
        """Px by which frames are extended on every side."""
        if self.boundary not in PADDED_BOUNDARIES:
            return 0
        return largest_radius(shape, self.kernel, self.boundary, None)

    def frame_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of the extended frames of images of a shape."""
        return extended_shape(shape, self.pad(shape))

    def model(self, shape: tuple[int, ...]) -> BlurModel:
        """The blur of images of a shape, which is that of the references."""
        radius = largest_radius(shape, self.kernel, self.boundary, None)
        return BlurModel(self.family, self.kernel, *model_limits(shape, self.boundary, radius))
