"""A pair with its sharper image first, for reports that set an estimate beside the images.

Only that way round is a prediction a blur, which is harmless; the other way round it would amplify
the noise of the softer image beyond all bounds. Across grids the finer image is the sharper one.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import check_type
from gaussjax.model import boundary as borders
from gaussjax.model.arguments import Mask, check_finite, fill_with_mean
from gaussjax.model.array_checks import is_traced
from gaussjax.model.folding import RINGING, CoarseGrid, on_coarse_grid
from gaussjax.model.kernels import Kernel
from gaussjax.model.params import BlurParams
from gaussjax.model.shape_buckets import embed
from gaussjax.model.swap import is_swapped, swap_params
from gaussjax.model.system_response import prediction_margins
from gaussjax.model.transfer import blur
from gaussjax.model.window import erode, interior_window
from gaussjax.numerics.pytree import pytree, static
from gaussjax.pair.grids import on_grids, told_by
from gaussjax.statistics.result import BlurEstimate

# In eps of the contrast: smaller residuals are rounding, not a misfit.
ROUNDING = 1000


@pytree
class OrientedPair:
    """The sharper and the softer image of a pair; missing pixels hold the mean of the others."""

    sharp: jax.Array  # `blurred` where the estimate says so clearly, else `reference`
    soft: jax.Array  # the other one
    # 1 where `sharp` is known, 0 where it is missing; None: everywhere
    known_sharp: jax.Array | None
    known_soft: jax.Array | None  # likewise
    is_swapped: bool = static()  # `sharp` is the caller's `blurred`
    grid: CoarseGrid | None = static(default=None)  # of `soft` on that of `sharp`, if it differs

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the image that predictions are compared with."""
        return self.soft.shape

    @property
    def ratios(self) -> tuple[float, ...]:
        """Px of ``sharp`` per px of ``soft``, by axis."""
        return (1.0,) * self.soft.ndim if self.grid is None else self.grid.steps

    def params(self, estimate: BlurEstimate) -> BlurParams:
        """What takes ``sharp`` to ``soft``, in the precision of the images."""
        params = swap_params(self.is_swapped, estimate.params)
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, self.sharp.dtype), params)

    def predicted(self, params: BlurParams, kernel: Kernel) -> jax.Array:
        """The model's ``soft``, ``gain (g * sharp)(x - shift) + offset``; right inside."""
        # A tail ends in no extension.
        boundary = "reflect" if params.exponent is None else "periodic"
        predicted = blur(self.sharp, params, kernel=kernel, boundary=boundary)
        return predicted if self.grid is None else _sampled(self.grid, predicted, self.shape)

    @partial(jax.jit, static_argnames="kernel")
    def margins(self, params: BlurParams, kernel: Kernel) -> jax.Array:
        """Whole px of ``soft`` that a prediction is wrong inside of the edge, ``[ndim]``.

        At most so many that a quarter of every axis remains.
        """
        margins = prediction_margins(params, kernel, borders.largest_margins(self.sharp.shape))
        return self.margins_of(margins).astype(jnp.int32)

    def margins_of(self, reach: jax.Array) -> jax.Array:
        """Px of ``soft``, ``[ndim]``, that a reach in px of ``sharp`` asks for."""
        return reach if self.grid is None else self.grid.coarse_margins(reach, self.shape)

    @jax.jit
    def window(self, margins: jax.Array, ramps: jax.Array | None = None) -> jax.Array:
        """1 where prediction and ``soft`` can be compared, else 0.

        It rises over ``ramps`` px per axis, ``[ndim]``, from the edge; None: at once.
        """
        dtype = self.sharp.dtype
        window = interior_window(self.shape, 0, margins, dtype, ramps).values
        if self.known_sharp is not None:
            shrunk = erode if self.grid is None else self.grid.covered
            window = window * shrunk(self.known_sharp, margins).astype(dtype)
        return window if self.known_soft is None else window * self.known_soft.astype(dtype)


@partial(jax.jit, static_argnames=("grid", "shape"))
def _sampled(grid: CoarseGrid, image: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """The coarse image of a fine one that fades into its mirror image: no jump rings."""
    whole = []
    for n, r in zip(shape, grid.ratios, strict=True):
        whole.append(r.denominator * borders.fast_length(-(-(n + RINGING) // r.denominator)))
    found = on_coarse_grid(grid, jnp.asarray(embed(image, grid.fine_shape(whole))), whole)
    return found[tuple(slice(n) for n in shape)]


def orient(
    reference: ArrayLike,
    blurred: ArrayLike,
    estimate: BlurEstimate,
    mask: Mask | None = None,
) -> OrientedPair:
    """The pair of one estimate, the sharper image first by the sign of the mean variance.

    TypeError for images that are not arrays of real numbers, or no estimate; ValueError for images
    or masks that do not fit each other, NaN or infinite pixels that are not masked, a batch of
    estimates, or one that is being traced.
    """
    check_type(estimate, BlurEstimate, "estimate", "from estimate_blur")
    told = told_by(estimate.grid)
    reference, blurred, usable, grid = on_grids(reference, blurred, (mask, None), told, "valid")
    if is_traced(reference, blurred, estimate) or np.ndim(estimate.status):
        raise ValueError(
            "a report is of one reference, one blurred image, one mask and one estimate: call it"
            " outside of jit and vmap, and take one estimate of a batch"
        )
    if estimate.covariance_matrix.shape[-1] != reference.ndim:
        raise ValueError(
            f"the estimate is of images with {estimate.covariance_matrix.shape[-1]} axes, and"
            f" these have {reference.ndim}"
        )
    known, images = (usable.reference, usable.blurred), []
    for image, usable, name in zip(
        (reference, blurred), known, ("reference", "blurred"), strict=True
    ):
        check_finite(image, name, usable)
        images.append(fill_with_mean(image, usable))
    swapped = grid is None and bool(is_swapped(estimate.covariance_matrix))
    order = (1, 0) if swapped else (0, 1)
    return OrientedPair(
        sharp=images[order[0]],
        soft=images[order[1]],
        known_sharp=known[order[0]],
        known_soft=known[order[1]],
        is_swapped=swapped,
        grid=grid,
    )
