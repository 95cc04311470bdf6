"""Where a fit starts, and in which direction a pair blurs."""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import half_plane_sum, half_plane_weights, multiply, squared_magnitude
from gaussjax.model.kernels import Kernel, nominal_variance
from gaussjax.model.params import BlurParams, as_params, project_family
from gaussjax.model.swap import SWAP_BELOW, is_swapped, swap_pair, swap_params
from gaussjax.model.system_response import BlurModel
from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import definite, diagonal, real_products
from gaussjax.numerics.newton import Evaluation, newton
from gaussjax.numerics.pytree import pytree
from gaussjax.spectra.cross_spectra import Spectra
from gaussjax.spectra.least_squares import blur_sums, coarse_variance, minimise
from gaussjax.spectra.loss import blur_powers, without_zero_frequency
from gaussjax.spectra.phase_correlation import correlation_peak, translated
from gaussjax.spectra.sharper_image import corrected, direction, is_certain, swap_spectra
from gaussjax.statistics.noise_levels import noise_ceiling, noise_regression
from gaussjax.statistics.noise_weighted_sums import excess_scatter, split_change, whitened_sums

# px^2, least principal variance from which a full sampled kernel starts.
_LEAST_START = 0.05
# Noise of B is at least this part of the mean power that a least-squares start leaves.
_LEAST_NOISE = 0.1
# px^2, a blur so small that its variance is found from the slope of its transfer function.
_TINY = 1e-3
# Part of the variance inside of the frame below which that of the spectra is of another root.
_FALSE = 0.25
# Change of the variances, relative to the largest, that a start may keep.
_SLIGHT = 0.1
# Rounds of noise levels given the blur, then blur given the noise levels.
_NOISE_ROUNDS = 10


@pytree
class Start:
    """Where to start a fit, and in which direction the pair blurs; all of the oriented pair."""

    variance: jax.Array  # nominal, px^2, `[p]`
    gain: jax.Array  # 1 where it is not fitted
    shift: jax.Array  # px, `[ndim]`; 0 where it is not fitted
    exponent: jax.Array  # 2 where it is not fitted
    noise: jax.Array  # (v_A, v_B) in the unit of the spectra: as given, or as found
    swapped: jax.Array  # B is the sharper image, so that B is to be blurred to A
    num_steps: jax.Array  # of the search


def find_start(
    spectra: Spectra,
    initial,
    lower,
    upper,
    model: BlurModel,
    *,
    noise: jax.Array | None = None,
    estimate_noise: bool = False,
    inside: tuple[jax.Array, jax.Array] | None = None,
) -> Start:
    """Orient a pair and locate its blur by a Gauss-Newton fit that converges from anywhere.

    Kernels whose derivative vanishes at zero blur ("sampled", "integrated") are located by the
    discrete analogue, and their nominal variance found from its second moment. A shift of several
    pixels is located by the peak of the phase correlation, an exponent from that of the Gaussian.

    Args:
        spectra: of the pair.
        initial: sigma in px or BlurParams for the pair as it is, or None.
        lower: bound on the variance, px^2; only its sign matters here.
        upper: likewise.
        model: what is to be fitted; its offset is not looked for.
        noise: (v_A, v_B), variances of the noise in the unit of the spectra; None: in B only.
        estimate_noise: follow the noise levels too, and ignore the values of ``noise``.
        inside: of :func:`~gaussjax.spectra.sharper_image.interior_variance`; None: not known.
    """
    ndim = len(spectra.image_shape)
    dtype = spectra.reference_power.dtype
    small_inside, error_inside = inside or (jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype))
    peak = correlation_peak(spectra) if model.shift else jnp.zeros(ndim, dtype)
    aligned = translated(spectra, peak) if model.shift else spectra
    noisy = noise is not None
    if not noisy:
        aligned = aligned.folded()
    sharpened, small = direction(aligned, gain=model.gain, both_noisy=noisy)
    # Its gradients stand for displacements below a pixel.
    inside = small_inside, jnp.where(jnp.any(jnp.abs(peak) >= 1), jnp.inf, error_inside)
    sharpened, small = corrected(sharpened, small, inside)
    swapped = sharpened & (lower < SWAP_BELOW) | (upper <= 0)
    oriented = swap_spectra(swapped, aligned)
    surrogate = replace(
        model,
        kernel=Kernel("continuous" if model.kernel.name == "continuous" else "discrete"),
        offset=False,
        motion=False,
    )
    vector, num_steps = _least_squares(oriented, surrogate, initial, small, swapped, noisy)
    one, still = jnp.ones((), dtype), jnp.zeros(ndim, dtype)
    levels = jnp.zeros(2, dtype)
    if noise is not None:
        powers = spectra.reference_power, spectra.blurred_power
        ceiling = jnp.stack([noise_ceiling(power, spectra.image_shape) for power in powers])
        ceiling, _ = swap_pair(swapped, ceiling, ceiling[::-1])
        levels = ceiling if estimate_noise else swap_pair(swapped, noise, noise[::-1])[0]
        vector, levels, more = _follow_noise(oriented, surrogate, vector, levels, estimate_noise)
        num_steps = num_steps + more
    params = surrogate.params(vector)
    if not model.has_exponent:
        params = _away_from_zero(params, inside, model)
    if noise is not None:
        # Noise may have hidden the direction, until its levels were taken into account.
        turned = is_swapped(params.covariance_matrix(ndim))
        turned = turned & jnp.where(swapped, upper > 0, lower < SWAP_BELOW) & ~is_certain(*inside)
        params = swap_params(turned, params)
        levels, _ = swap_pair(turned, levels, levels[::-1])
        swapped = swapped ^ turned
    return Start(
        variance=_as_nominal(params.variance, model),
        gain=one if params.gain is None else params.gain,
        shift=jnp.where(swapped, -peak, peak) + (still if params.shift is None else params.shift),
        exponent=2 * one if params.exponent is None else params.exponent,
        noise=levels,
        swapped=swapped,
        num_steps=num_steps,
    )


def _away_from_zero(params: BlurParams, inside: tuple, model: BlurModel) -> BlurParams:
    """The parameters, or the blur inside of the frame where they are at a false root.

    The spectra of a tapered smooth scene have one near no blur, beside a gain above all.
    """
    variance = jnp.abs(inside[0])
    whole = project_family(variance * jnp.eye(model.ndim, dtype=variance.dtype), model.family)
    mean = jnp.trace(params.covariance_matrix(model.ndim)) / model.ndim
    is_false = is_certain(*inside) & (mean < _FALSE * variance)
    return replace(params, variance=jnp.where(is_false, whole, params.variance))


def _least_squares(
    spectra: Spectra, model: BlurModel, initial, small: jax.Array, swapped: jax.Array, noisy: bool
) -> tuple[jax.Array, jax.Array]:
    """The vector of the oriented pair as if A had no noise, and the steps of the search for it."""
    if model.has_exponent:
        gaussian = replace(model, family="isotropic")
        vector, num_steps = _least_squares(spectra, gaussian, initial, small, swapped, noisy)
        found = gaussian.params(vector)
        vector = model.pack(found.variance, found.gain, 0, found.shift)
        vector, more = _located(spectra, model, vector, noisy)
        return vector, num_steps + more
    first = _first_variance(spectra, model, initial, small, swapped, noisy)
    first = jnp.minimum(first, max(spectra.image_shape) ** 2)
    first = first * jnp.eye(model.ndim, dtype=small.dtype)
    one, still = jnp.ones((), small.dtype), jnp.zeros(model.ndim, small.dtype)
    vector = model.pack(project_family(first, model.family), one, 0, still)
    # One variance has been found on the way, of a blur that is round in px.
    if initial is not None or noisy or model.num_parameters > 1 or model.spacing is not None:
        return _located(spectra, model, vector, noisy)
    return vector, jnp.asarray(0, jnp.int32)


def _first_variance(
    spectra: Spectra, model: BlurModel, initial, small: jax.Array, swapped: jax.Array, noisy: bool
) -> jax.Array:
    """An isotropic variance of the oriented pair, px^2, from which a search converges."""
    sign = jnp.where(swapped, -1, 1)
    if initial is not None:
        given = as_params(initial, model.ndim, small.dtype).covariance_matrix(model.ndim)
        first = sign * project_family(given, "isotropic")[0]
        # Below zero the model is an inverse filter, from which a fit is slow to return.
        return jnp.where(first < SWAP_BELOW, 1, first)
    if noisy:
        return jnp.maximum(0.5 * jnp.abs(small), 0.1)
    if model.gain or model.shift:
        return sign * small
    power, cross = blur_powers(spectra)
    found = coarse_variance(power, cross, spectra.image_shape, model.kernel)
    # For a tiny blur the linear variance is the better one, and for equal images it is 0.
    return jnp.where(jnp.abs(small) < _TINY, sign * small, found)


def _located(
    spectra: Spectra, model: BlurModel, vector: jax.Array, noisy: bool
) -> tuple[jax.Array, jax.Array]:
    """The least-squares vector of the oriented pair as if A had no noise, and the steps to it."""
    if noisy or model.gain or model.shift or not model.is_separable:
        low, high = _limits(model, vector.dtype)
        state = newton(_misfit(spectra, model), vector, lower=low, upper=high)
    else:
        # On the folded spectra, because the first variance is isotropic: without these steps an
        # axis-aligned fit of 1024 px takes twice as long.
        power, cross = blur_powers(spectra)

        def sums_at(variance):
            params = model.params(variance)
            return blur_sums(power, cross, params, spectra.image_shape, model.kernel, 0)

        state = minimise(sums_at, vector)
    return state.params, state.num_steps


def _limits(model: BlurModel, dtype) -> tuple:
    """Bounds on the vector during the search."""
    return model.box(-jnp.inf, jnp.inf, dtype) if model.has_exponent else (-jnp.inf, jnp.inf)


def _misfit(spectra: Spectra, model: BlurModel):
    """Half the sum of ``m P |R - H|^2`` over the reference's energy, by the vector, for a solver.

    Where no shift is fitted R is real, and the imaginary part of H a constant that is left out.
    """
    power = without_zero_frequency(spectra.reference_power)
    root = jnp.sqrt(half_plane_weights(spectra.image_shape, power.dtype) * power)
    contrast = jnp.sqrt(jnp.sum(root**2))
    root = root / jnp.where(contrast > 0, contrast, 1)

    transfer = spectra.transfer if model.shift else spectra.transfer.real

    def evaluate(vector):
        response, slopes = model.responses(vector, spectra.image_shape)
        misfit, slopes = multiply(root, response - transfer), multiply(root[None], slopes)
        return Evaluation(
            cost=0.5 * jnp.sum(squared_magnitude(misfit)),
            gradient=real_products(slopes, misfit[None])[:, 0],
            curvature=real_products(slopes, slopes),
            lacking=0.0,  # as for Newton's curvature: a start need not be converged
            magnitude=1.0,
        )

    return evaluate


def _follow_noise(
    spectra: Spectra, model: BlurModel, vector: jax.Array, noise: jax.Array, estimated: bool
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Errors-in-variables fit of periodic images: vector, noise levels, solver steps."""
    shape = spectra.image_shape
    power = without_zero_frequency(spectra.reference_power)
    weights = half_plane_weights(shape, power.dtype)

    def residual(theta):
        response, slopes = model.responses(theta, shape)
        root = jnp.sqrt(power)
        misfit = response.astype(spectra.transfer.dtype) - spectra.transfer
        return multiply(root, misfit), multiply(root[None], slopes), response, slopes

    # A window does not commute with the blur. What it leaves shows in the residual of the
    # least-squares vector: frequencies that are free of noise would hold nothing else.
    u, slopes, response, response_slopes = residual(vector)
    left = half_plane_sum(squared_magnitude(u), shape)
    least = _LEAST_NOISE * left / half_plane_sum(jnp.ones_like(power), shape)

    def one_round(_, state):
        theta, levels, steps = state
        if estimated:
            u, _, response, _ = residual(theta)
            noise_gain = squared_magnitude(response)
            density = jnp.maximum(levels[1], least) + levels[0] * noise_gain
            levels = noise_regression(squared_magnitude(u), noise_gain, weights / density**2, noise)
        used = levels.at[1].max(least)

        def evaluate(point):
            u, slopes, response, response_slopes = residual(point)
            noise_gain = squared_magnitude(response)
            noise_gain_slopes = 2 * jnp.real(jnp.conj(response)[None] * response_slopes)
            density = used[1] + used[0] * noise_gain
            cost, gradient, scatter = whitened_sums(
                u, slopes, density, used[0] * noise_gain_slopes, weights
            )
            excess = excess_scatter(response, response_slopes, used, weights)
            return Evaluation(cost, gradient, definite(scatter - excess, scatter))

        root = newton(evaluate, theta, lower=low, upper=high, max_steps=8 if estimated else 40)
        return root.params, levels, steps + root.num_steps

    low, high = _limits(model, vector.dtype)
    initial = (vector, noise, jnp.asarray(0, jnp.int32))
    if not estimated:
        return one_round(0, initial)
    found, levels, steps = loops.fori_loop(0, _NOISE_ROUNDS, one_round, initial)
    # Where no split of the residual into noise of A and of B moves the blur far, what the window
    # leaves would be followed instead of noise.
    overlaps = [jnp.real(jnp.conj(response) * slope) for slope in response_slopes]
    split = split_change(u, slopes, squared_magnitude(response), overlaps, weights)
    bias = split[: model.num_variances]
    slight = jnp.all(jnp.abs(bias) < _SLIGHT * jnp.max(jnp.abs(vector[: model.num_variances])))
    return jnp.where(slight, vector, found), levels, steps


def _as_nominal(variance: jax.Array, model: BlurModel) -> jax.Array:
    """Variances that a kernel is to apply, to those by which it is named."""
    # Equal images have H = 1 up to rounding: no blur, in every convention.
    moments = jnp.where(jnp.abs(variance) > 4 * jnp.finfo(variance.dtype).eps, variance, 0)
    if not model.kernel.is_finite:
        return moments

    def nominal(moment):
        return nominal_variance(model.kernel, moment, model.reach)

    if model.family != "full":
        return jax.vmap(nominal)(moments)
    # The correlation is kept.
    covariance = BlurParams(moments, family=model.family).covariance_matrix(model.ndim)
    own = diagonal(covariance)
    ratio = jnp.sqrt(jnp.abs(jax.vmap(nominal)(own) / jnp.where(own == 0, 1, own)))
    # A sampled kernel exists for definite covariances only.
    values, vectors = jnp.linalg.eigh(covariance * jnp.outer(ratio, ratio))
    clipped = jnp.maximum(values, _LEAST_START)
    return project_family((vectors * clipped[None]) @ vectors.T, model.family)
