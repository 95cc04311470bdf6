"""One blur for many pairs, from their sums; in float64, whatever the images were."""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.dataset.batch_fit import JointOptions
from gaussjax.dataset.equations import PairEquations
from gaussjax.dataset.estimating_equation import find_root, root_errors
from gaussjax.dataset.records import root_estimate
from gaussjax.dataset.state import JointStart, JointSums
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.newton import FIELD_SCALE
from gaussjax.statistics.result import BlurEstimate

# Of itself: what a blur may move in a pass without being far from settled, and what is nothing.
_FAR, _SLIGHTLY = 0.6, 1e-4


@dataclass(frozen=True)
class JointFit:
    """The blur at which the sums of many pairs balance.

    Attributes:
        vector: of the oriented pairs, px^2, ``[p]``, float64.
        estimate: of the pairs as they are.
        ahead: what another pass over the pairs, from there, would move the variances by at most,
            about; in their standard errors.
    """

    vector: np.ndarray
    estimate: BlurEstimate
    ahead: float


def joint_fit(
    sums: JointSums, start: JointStart, options: JointOptions, *, noisy: bool, repeated: bool
) -> JointFit:
    """The joint fit of pairs, from their sums over a pass that began there.

    Args:
        sums: over the pairs.
        start: of the pass.
        options: of the fit.
        noisy: the sharper images are, and the sums have been corrected for it.
        repeated: the pass began at the root of another one over the same pairs.
    """
    options = replace(options, swapped=start.swapped)
    with jax.enable_x64(True):
        equations = jax.tree.map(lambda x: jnp.asarray(x, float), sums.equations)
        shapes = tuple(sorted(sums.coefficients))
        coefficients = [jnp.asarray(sums.coefficients[shape], float) for shape in shapes]
        vector, estimate, ahead = jax.device_get(
            _fit(
                coefficients,
                equations,
                jnp.asarray(start.vector, float),
                jnp.asarray(start.unit, float),
                jnp.asarray(start.rounding, float),
                jnp.asarray(repeated),
                shapes=shapes,
                options=options,
                noisy=noisy,
            )
        )
    return JointFit(vector, estimate, float(ahead))


@partial(jax.jit, static_argnames=("shapes", "options", "noisy"))
def _fit(
    coefficients,
    equations: PairEquations,
    origin,
    unit,
    rounding,
    repeated,
    *,
    shapes,
    options: JointOptions,
    noisy: bool,
):
    models = [options.model(shape) for shape in shapes]

    def project(vector):
        parts = zip(models, coefficients, shapes, strict=True)
        return sum(
            (model.project(c, vector, shape) for model, c, shape in parts), jnp.zeros_like(vector)
        )

    root = find_root(project, equations.gradient, equations.information, origin)
    errors = root_errors(root, equations, origin, options.nuisances.count, noisy, rounding)
    # What rounding does to all pairs alike does not average out.
    floor = rounding * (jnp.max(jnp.abs(root.vector)) + FIELD_SCALE) ** 2
    covariance = errors.covariance + floor * jnp.eye(len(root.vector), dtype=floor.dtype)
    errors = replace(errors, covariance=covariance)
    largest = max(models, key=lambda model: min(model.largest_margins))
    # The instruments were made at the origin: how far the fields have changed from there, times
    # how far the root is off for it, which is its own error, or with nuisances all of the way. A
    # second pass has shown it: no further than that one has moved.
    way = jnp.abs(root.vector - origin)
    error = jnp.sqrt(diagonal(errors.covariance))
    changed = way / (jnp.max(jnp.abs(root.vector)) + FIELD_SCALE)
    off = jnp.maximum(error, way) if options.nuisances.count else error
    moved = jnp.where(repeated, way, changed * off)
    ahead = jnp.max(moved / jnp.where(error > 0, error, 1))
    near = jnp.max(changed)
    estimate = root_estimate(
        root,
        errors,
        equations,
        largest,
        unit,
        swapped=options.swapped,
        settled=(near <= _SLIGHTLY) | (ahead <= 1) & (near <= _FAR),
    )
    return root.vector, estimate, ahead
