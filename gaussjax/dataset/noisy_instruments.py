"""What a pair adds to a joint fit where both of its images are noisy: whitened instruments.

Errors in variables (:mod:`gaussjax.pair.errors_in_variables`) whiten the residual's transform u by
its noise spectrum D. Their score is a product of the residual with an image that ends with m, the
window: with T' the derivative of T at theta_0, slopes u' and weights W,

    score = <Z, residual>,    Z = m IFT(W / D (u' - u D' / 2D))

because ``u' - u D' / 2D`` is T' times the scene as both images show it, whose noise the residual
does not share. With Z held fixed the equation is once more exact for any theta. Then the noise of A
in Z meets the changed prediction: it adds to the sum

    v_A sum (T' L(W / D) - T L(W D' / 2D^2)) (T_theta - T),    L: leaked by m,

which is known and subtracted; noise of A whose neighbours correlate adds that times its colour s_A.
At the root of a pair both equations are the same, so that a set of one pair has the estimate of the
pair; an instrument that is not whitened has a larger error.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.dataset.held_instruments import nuisance_factors
from gaussjax.dataset.instruments import PairSums, pair_equations
from gaussjax.model.folding import product_weights, tile, with_noise_gain
from gaussjax.model.fourier import inverse_transform, multiply
from gaussjax.model.system_response import BlurModel
from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import inner_products, solve_small
from gaussjax.pair.errors_in_variables import ErrorsInVariables, Transforms
from gaussjax.pair.frame import Frame, frame_window
from gaussjax.pair.prediction import level_of, residual_and_fields, transforms_of
from gaussjax.statistics.coloured_noise import coloured
from gaussjax.statistics.noise_weighted_sums import NoiseSpectrum, leaked

# Newton's steps in the nuisances, from their least squares.
_STEPS = 4


def noisy_pair_sums(
    frame: Frame,
    vector: jax.Array,
    filters: tuple[jax.Array, jax.Array],
    model: BlurModel,
    margins: jax.Array,
    noise: jax.Array,
    correlation: jax.Array | None = None,
) -> PairSums:
    """The sums of a pair, whose gain, offset and shift are the best at theta_0.

    Args:
        frame: of the pair.
        vector: theta_0, ``[p]``; or with nuisances near the best, ``[k]``.
        filters: T there, ``[*spectrum]``, and its derivatives; both real.
        model: of the blur and the nuisances.
        margins: px per axis that are not compared at the edge, ``[ndim]``.
        noise: (v_A, v_B) in the scale of the frame.
        correlation: autocorrelations of that noise, ``[2, *lags]``; None: white.
    """
    objective = ErrorsInVariables(frame, model, False, noise, jnp.inf * noise, correlation)
    window, p = objective.window(margins), model.num_variances
    vector = _with_nuisances(objective, vector, margins)
    at, spectrum, gradient, mean = _equations(objective, vector, margins)
    projection = jnp.zeros((p, 0), vector.dtype)
    if len(vector) > p:
        projection = jnp.stack([solve_small(mean[p:, p:], row) for row in mean[:p, p:]])
    # What the nuisances could take up is removed from the instruments.
    turn = jnp.concatenate([jnp.eye(p, dtype=vector.dtype), -projection], axis=1)
    gain, moved = nuisance_factors(model, vector, frame)
    share = spectrum.weight / spectrum.density
    own = jnp.tensordot(turn, 0.5 * spectrum.slopes / spectrum.density[None], 1)
    slopes = jnp.tensordot(turn.astype(at.u.dtype), at.u_slopes, 1)
    whitened = multiply(share[None], slopes - multiply(own, at.u[None]))
    instruments = transforms_of(
        frame, window.values[None] * inverse_transform(whitened, window.shape)
    )
    derivatives = gain * filters[1]
    if model.gain:
        derivatives = derivatives + jnp.tensordot(turn[:, p], filters[0], 0)
    shared = _shared_noise(objective, jnp.stack([share, *(share * each for each in own)]), window)
    shared = derivatives * shared[:1] - gain * filters[0][None] * shared[1:]
    weights = product_weights(frame.grid, window.shape, vector.dtype)
    products = weights[None] * jnp.real(jnp.conj(instruments) * moved[None])
    # In the unit of least squares, or nearly so.
    unit = jnp.sum(noise)
    coefficients = unit * gain * (products - shared)
    residual, jacobian = residual_and_fields(model, vector, frame)
    equations = pair_equations(frame, residual, jacobian[:p], frame_window(frame, margins))
    slope = mean[:p, :p] - projection @ mean[p:, :p]
    equations = replace(equations, gradient=unit * (turn @ gradient), information=unit * slope)
    return PairSums(
        coefficients,
        equations,
        gain,
        level_of(model, vector, frame),
        residual,
        jacobian,
        projection,
    )


def _with_nuisances(
    objective: ErrorsInVariables, vector: jax.Array, margins: jax.Array
) -> jax.Array:
    """The vector of the model, with the best nuisances at its variances."""
    model, p = objective.model, objective.model.num_variances
    if model.num_parameters == p:
        return vector
    if len(vector) == p:
        vector = model.pack(vector, 1.0, 0.0, jnp.zeros(model.ndim, vector.dtype))
    window = objective.window(margins)
    residual, fields = residual_and_fields(model, vector, objective.frame)
    weighted = window.values[None] * fields[p:]
    normal = inner_products(weighted, fields[p:])
    vector = vector.at[p:].add(-solve_small(normal, inner_products(weighted, residual[None])[:, 0]))

    def step(_, vector):
        _, _, gradient, mean = _equations(objective, vector, margins)
        return vector.at[p:].add(-solve_small(mean[p:, p:], gradient[p:]))

    return loops.fori_loop(0, _STEPS, step, vector)


def _equations(
    objective: ErrorsInVariables, vector: jax.Array, margins: jax.Array
) -> tuple[Transforms, NoiseSpectrum, jax.Array, jax.Array]:
    """Transforms and their noise spectrum, the score, and the mean of its derivative."""
    window, noise = objective.window(margins), objective.noise
    at = objective.linearize(vector, margins)
    spectrum = objective.weighted_spectrum(at, vector, window, noise)
    _, gradient, scatter = objective.sums(at, spectrum, window)
    return at, spectrum, gradient, scatter - objective.excess(vector, spectrum, window, noise)


def _shared_noise(objective: ErrorsInVariables, spectra: jax.Array, window) -> jax.Array:
    """Weighted spectra, leaked by the window, times the noise of A at its own frequencies."""
    frame, shape = objective.frame, window.shape
    spectra = window.sum(2) * leaked(spectra, window.values)
    if frame.grid is not None:
        spectra = jnp.stack([tile(frame.grid, each, shape) for each in spectra])
    sharp = coloured(objective.noise, objective.colours())[0]
    weights = sharp * product_weights(frame.grid, shape, spectra.dtype)
    return jnp.stack([with_noise_gain(frame.grid, weights * each, shape) for each in spectra])
