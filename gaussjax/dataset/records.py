"""What a joint fit says of each of its pairs: its own sigma with error bar and status."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.dataset.equations import PairEquations
from gaussjax.dataset.estimating_equation import Root, RootErrors, has_converged
from gaussjax.model.params import BlurParams
from gaussjax.model.response import BlurModel
from gaussjax.model.transfer import axis_margins
from gaussjax.spectra.orientation import swap_params
from gaussjax.statistics.derived_quantities import make_estimate
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status, is_too_small


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class PairRecord:
    """One pair beside the joint fit; with a leading axis, several.

    Attributes:
        sigma: of this pair alone, px, as in :class:`~gaussjax.BlurEstimate`; NaN where the
            pair tells nothing, as a flat one.
        standard_error: of it, px.
        status: of this pair alone, a :class:`~gaussjax.Status`.
        misfit: share of the change from A to B that the joint blur leaves over *and* that is no
            white noise: the covariance of neighbours in the residual over the mean square of
            B - A. About 0 for a pair that the joint blur explains, whatever its noise.
        noise_std: standard deviation of the residual, in the unit of the images.
        gain: of the pair, 1 where none is fitted.
        offset: in the unit of the images, 0 where none is fitted.
    """

    sigma: jax.Array
    standard_error: jax.Array
    status: jax.Array
    misfit: jax.Array
    noise_std: jax.Array
    gain: jax.Array
    offset: jax.Array


def pair_record(estimate: BlurEstimate, params: BlurParams, misfit: jax.Array) -> PairRecord:
    """The record of a pair, by the estimate and the parameters of this pair alone."""
    assert params.gain is not None  # as given
    assert params.offset is not None
    error = estimate.sigma_standard_error
    return PairRecord(
        sigma=jnp.where(jnp.isfinite(error), estimate.sigma, jnp.nan),
        standard_error=error,
        status=estimate.status,
        misfit=misfit,
        noise_std=jnp.sqrt(estimate.noise_variance),
        gain=params.gain,
        offset=params.offset,
    )


def root_estimate(
    root: Root,
    errors: RootErrors,
    sums: PairEquations,
    model: BlurModel,
    unit,
    *,
    swapped: bool,
    finite: jax.Array | bool = True,
    settled: jax.Array | bool = True,
) -> BlurEstimate:
    """The estimate at a root, of one pair or of many.

    Args:
        root: of the sums.
        errors: of the root.
        sums: at the origin.
        model: of the blur.
        unit: by which the images were divided.
        swapped: their roles were swapped (static).
        finite: all pixels are.
        settled: the origin is near enough to the root.
    """
    oriented = BlurParams(root.vector, family=model.family)
    wanted = axis_margins(oriented, model.kernel, model.ndim)
    found = {
        Status.TOO_SMALL: is_too_small(
            wanted, model.largest_margins, sums.num_pixels, root.vector.size
        ),
        Status.NOT_CONVERGED: ~(has_converged(root, errors.covariance) & settled),
        Status.NOT_FINITE: ~jnp.asarray(finite),
    }
    return make_estimate(
        swap_params(swapped, oriented),
        ndim=model.ndim,
        covariance=errors.covariance,
        loss=0.5 * unit**2 * errors.squares,
        noise_variance=unit**2 * errors.noise_variance,
        num_pixels=sums.num_pixels,
        num_steps=root.num_steps,
        kernel=model.kernel,
        problems=found,
    )
