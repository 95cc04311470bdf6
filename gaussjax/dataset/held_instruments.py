"""What a pair adds to a joint fit where it has a shift of its own, or the loss is robust.

With R the response of the pair, gain and phase included, ``r = R A + level - B`` and psi the
derivative of the loss, the fit of many pairs is stationary where ``sum <W psi(r), J> = 0``. Held at
theta_0 and the pair's own nuisances, the instrument ``Z = W psi'(r) J`` is that of one step of
Newton's method there:

    F(theta) = <Z, (R_theta - R_0) A> + <W psi(r), J>,

which for least squares is exact for any theta, and for another loss where the residual is not
moved from where it is steep to where it is flat: a further pass begins at the root. Gain, level and
shift are the best at theta_0, and their part of J is taken out of Z: what the blur moves them by
does not come back.

Source: P. J. Huber, "Robust Statistics", Wiley 1981, ch. 7.8 (one step from a good start).
"""

from collections.abc import Callable
from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.dataset.instruments import PairSums, pair_equations
from gaussjax.model.folding import product_weights
from gaussjax.model.fourier import multiply, shift_phase
from gaussjax.model.system_response import BlurModel
from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import inner_products, solve_small
from gaussjax.pair.frame import Frame
from gaussjax.pair.objective import Objective
from gaussjax.pair.prediction import level_of, residual_and_fields, transforms_of
from gaussjax.pair.robust import Robust

# Newton's steps in the nuisances, from those of the pair's own optimum.
_STEPS = 3


def held_pair_sums(objective: Objective, vector: jax.Array, margins: jax.Array) -> PairSums:
    """The sums of a pair at a vector, in whose nuisances they are the best.

    Args:
        objective: least squares or :class:`~gaussjax.pair.robust.Robust`.
        vector: theta_0, and nuisances near the best, ``[k]``.
        margins: px per axis that are not compared at the edge, ``[ndim]``.
    """
    frame, model, p = objective.frame, objective.model, objective.model.num_variances
    window = objective.window(margins)
    score_and_slope = _score_and_slope(objective, vector, margins)

    def equations_at(vector):
        residual, fields = residual_and_fields(model, vector, frame)
        score, slope = score_and_slope(residual)
        weighted = (window.values * slope)[None] * fields
        gradient = inner_products(fields, (window.values * score)[None])[:, 0]
        return residual, fields, weighted, gradient, inner_products(weighted, fields)

    def step(_, vector):
        *_, gradient, mean = equations_at(vector)
        return vector.at[p:].add(-solve_small(mean[p:, p:], gradient[p:]))

    projection = jnp.zeros((p, 0), vector.dtype)
    if len(vector) > p:
        vector = loops.fori_loop(0, _STEPS, step, vector)
    residual, fields, weighted, gradient, mean = equations_at(vector)
    if len(vector) > p:
        projection = jnp.stack([solve_small(mean[p:, p:], row) for row in mean[:p, p:]])
    turn = jnp.concatenate([jnp.eye(p, dtype=vector.dtype), -projection], axis=1)
    instruments = transforms_of(frame, jnp.tensordot(turn, weighted, 1))
    gain, spectrum = nuisance_factors(model, vector, frame)
    weights = product_weights(frame.grid, frame.blurred.shape, vector.dtype)
    products = jnp.real(jnp.conj(instruments) * spectrum[None])
    equations = pair_equations(frame, residual, fields[:p], window)
    slope = mean[:p, :p] - projection @ mean[p:, :p]
    return PairSums(
        gain * weights[None] * products,
        replace(equations, gradient=turn @ gradient, information=slope),
        gain,
        level_of(model, vector, frame),
        residual,
        fields,
        projection,
    )


def nuisance_factors(
    model: BlurModel, vector: jax.Array, frame: Frame
) -> tuple[jax.Array, jax.Array]:
    """The gain of a vector, and the spectrum of the reference moved by its shift."""
    params = model.params(vector)
    gain = jnp.ones((), vector.dtype) if params.gain is None else params.gain
    if params.shift is None:
        return gain, frame.spectrum
    return gain, multiply(shift_phase(params.shift, frame.reference_shape), frame.spectrum)


def _score_and_slope(objective: Objective, vector, margins) -> Callable:
    """Psi of a residual, and its slope."""
    if not isinstance(objective, Robust):
        return lambda residual: (residual, jnp.ones_like(residual))
    scale = objective.context(vector, margins, jnp.ones(1, vector.dtype))[0]
    return lambda residual: objective.influence(residual, scale)
