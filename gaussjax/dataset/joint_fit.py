"""One blur of many pairs, from their sums; in float64, whatever the images are."""

from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.dataset.equations import PairEquations
from gaussjax.dataset.estimating_equation import find_root, root_errors, root_estimate
from gaussjax.dataset.options import JointOptions
from gaussjax.dataset.state import JointStart, JointSums
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.newton import FIELD_SCALE
from gaussjax.numerics.pytree import pytree
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status

# Relative moves of a blur in a pass: beyond the first it is far from settled, below the second it
# has not moved.
_FAR, _SLIGHTLY = 0.6, 1e-4


@pytree
class JointFit:
    """The blur at which the sums of many pairs balance; NumPy arrays in float64."""

    vector: np.ndarray  # of the oriented pairs, px^2, `[p]`
    estimate: BlurEstimate  # of the pairs as they are
    # about how far another pass from there would move the variances at most, in their
    # standard errors
    predicted_step: np.ndarray


def joint_fit(
    sums: JointSums, start: JointStart, options: JointOptions, *, repeated: bool
) -> JointFit:
    """The joint fit of pairs, from their sums over a pass that began there.

    Args:
        sums: over the pairs.
        start: of the pass.
        options: of the fit.
        repeated: the pass began at the root of another one over the same pairs.
    """
    options = replace(options, swapped=start.swapped)
    shapes = tuple(sorted(sums.coefficients))
    coefficients = [sums.coefficients[shape] for shape in shapes]
    with jax.enable_x64(True):
        numbers = coefficients, sums.equations, start.vector, start.unit, start.rounding
        numbers = jax.tree.map(lambda x: jnp.asarray(x, float), numbers)
        fit = _fit(*numbers, jnp.asarray(repeated), shapes=shapes, options=options)
        return jax.device_get(fit)


@partial(jax.jit, static_argnames=("shapes", "options"))
def _fit(
    coefficients,
    equations: PairEquations,
    point,
    unit,
    rounding,
    repeated,
    *,
    shapes,
    options: JointOptions,
) -> JointFit:
    models = [options.model(shape) for shape in shapes]

    def project(vector):
        parts = zip(models, coefficients, shapes, strict=True)
        return sum(
            (model.project(c, vector, shape) for model, c, shape in parts), jnp.zeros_like(vector)
        )

    root = find_root(project, equations.gradient, equations.information, point)
    errors = root_errors(root, equations, point, options, rounding)
    # What rounding does to all pairs alike does not average out.
    floor = rounding * (jnp.max(jnp.abs(root.vector)) + FIELD_SCALE) ** 2
    covariance = errors.covariance + floor * jnp.eye(len(root.vector), dtype=floor.dtype)
    errors = replace(errors, covariance=covariance)
    error = jnp.sqrt(diagonal(covariance))
    # The instruments were made at the point of the pass. Another pass would move the root by their
    # relative change since then times the error that the change acts on: the root's own, or with
    # nuisances the whole move. After a second pass it is no further than that one has moved.
    move = jnp.abs(root.vector - point)
    change = move / (jnp.max(jnp.abs(root.vector)) + FIELD_SCALE)
    acted_on = jnp.maximum(error, move) if options.num_nuisances else error
    step = jnp.where(repeated, move, change * acted_on)
    predicted_step = jnp.max(step / jnp.where(error > 0, error, 1))
    largest_change = jnp.max(change)
    settled = (largest_change <= _SLIGHTLY) | (predicted_step <= 1) & (largest_change <= _FAR)
    estimate = root_estimate(
        root,
        errors,
        equations.num_pixels,
        max(models, key=lambda model: min(model.largest_margins)),
        unit,
        swapped=options.swapped,
        problems={Status.NOT_CONVERGED: ~settled},
    )
    return JointFit(root.vector, estimate, predicted_step)  # pyright: ignore[reportArgumentType]
