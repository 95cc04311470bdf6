"""Noise in both images: the whitened residual, differentiated through its whitening.

With white noise of variance v_A in A and v_B in B the residual d = B - R A - level has the power
spectrum ``D = v_B + |R|^2 v_A``, which depends on the parameters. Over the whole plane

    1/2 sum_w |d(w)|^2 / D(w)

has its mean stationary at the truth only because D is differentiated too: least squares would take
noise of A, which B lacks, for blur. Here d is known inside a window m alone, so its
transform u = FT(m d) has the power spectrum of d leaked by that of the window,

    E|u|^2 = sum(m^2) D_m,    D_m = FT(IFT(D) rho),    rho = autocorrelation of m over sum(m^2),

which holds for any window, with holes, too: the sum over ``|u|^2 / D_m`` stays unbiased, and pixels
that are affected by the frame's edge are left out before whitening. Only v_A / v_B matters to the
optimum. Noise whose neighbours correlate in a known way has ``D = v_B s_B + v_A |R|^2 s_A``
(:mod:`gaussjax.model.noise_correlation`), and all else is the same.

Source: W. A. Fuller, "Measurement Error Models", Wiley 1987, ch. 3 (the estimating equation);
P. Whittle, "Estimation and information in stationary time series", Ark. Mat. 2, 1953 (by
frequencies).
"""

import math
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.folding import tile
from gaussjax.model.fourier import (
    angular_frequencies,
    forward_transform,
    half_plane_sum,
    half_plane_weights,
    inverse_transform,
    multiply,
    squared_magnitude,
)
from gaussjax.model.noise_correlation import noise_colour
from gaussjax.model.shape_buckets import bucket_shape
from gaussjax.model.window import Window
from gaussjax.numerics.linear_algebra import (
    definite,
    diagonal,
    inner_products,
    inverse_small,
    real_products,
)
from gaussjax.numerics.newton import (
    FIELD_SCALE,
    bounded_step,
    held_back,
    predicted_step,
    step_tolerance,
)
from gaussjax.numerics.precision import rounding_variance
from gaussjax.numerics.pytree import pytree, static
from gaussjax.pair.departure_fields import box_shape
from gaussjax.pair.filtered_noise import (
    axis_gains,
    excess,
    noise_gains,
    scene_of_both,
    scene_spectrum,
)
from gaussjax.pair.frame import frame_window
from gaussjax.pair.informative_crop import Crop
from gaussjax.pair.objective import Fit, Objective, View
from gaussjax.pair.prediction import images_of, level_of, residual_and_fields
from gaussjax.statistics.coloured_noise import Colours, coloured, tinted
from gaussjax.statistics.departures import Departures
from gaussjax.statistics.noise_levels import coloured_regression
from gaussjax.statistics.noise_weighted_sums import (
    NoiseSpectrum,
    informative,
    leaked,
    leaked_product,
    spectral_factors,
    split_change,
    whitened,
    whitened_sums,
)
from gaussjax.statistics.optimum_summary import CERTAIN, Summary
from gaussjax.statistics.spectral_departures import (
    band_sums,
    level_departure,
    spectral_departures,
)

# Pixels that are looked at for departures, about.
_PIXELS = 2**16


@pytree
class Transforms:
    """The transforms that enter the sums over frequencies."""

    residual: jax.Array  # on the extended frame
    sharp: jax.Array  # transform of A times the window
    u: jax.Array  # of the residual times the window
    u_slopes: jax.Array  # its derivatives, `[k, *spectrum]`


@pytree
class ErrorsInVariables(Objective):
    """``1/2 sum |u|^2 / D_m``; an :class:`~gaussjax.pair.objective.Objective`.

    The context is the pair of noise variances (v_A, v_B) in the frame's scale, ``[2]``.
    """

    # the noise levels follow from the residual: a regression of |u|^2 on the two spectra that
    # white noise in B and in A would leave in it
    estimated: bool = static()
    noise: jax.Array  # the levels that were given, or those to start from, `[2]`
    ceiling: jax.Array  # the largest that estimated levels may be, `[2]`
    # autocorrelations of the noise in A and in B, `[2, *lags]`; None: white
    correlation: jax.Array | None = None

    def colours(self) -> Colours | None:
        """(s_A, s_B), each on the half plane of its own grid; None: white noise."""
        if self.correlation is None:
            return None
        shapes = self.frame.reference_shape, self.frame.blurred.shape
        own, other = map(noise_colour, self.correlation, shapes)
        return own, other

    def window(self, margins: jax.Array) -> Window:
        """The window m, which rises over two sigma and two pixels.

        A sharper edge leaks too much where D spans decades: at frequencies that the blur suppresses
        leaked noise of A would exceed the noise that is there. A softer edge wastes pixels.
        """
        return frame_window(self.frame, margins, 2 + 0.5 * margins)

    def linearize(self, vector: jax.Array, margins: jax.Array) -> Transforms:
        """Transforms at a vector."""
        return self._linearized(vector, self.window(margins))[0]

    def _linearized(self, vector, window) -> tuple[Transforms, jax.Array]:
        """Transforms and the fields of the model."""
        residual, fields = residual_and_fields(self.model, vector, self.frame)
        # One by one, side by side: inside of a program a transform of a stack has a single core.
        sharp, u, *slopes = (
            forward_transform(window.values * image, self.model.ndim)
            for image in (self.frame.blurred - self.frame.difference, residual, *fields)
        )
        return Transforms(residual, sharp, u, jnp.stack(slopes)), fields

    def noise_spectrum(self, vector: jax.Array, window: Window, noise) -> NoiseSpectrum:
        """D of the transform u, over the energy of the window."""
        return _noise_spectrum(self, vector, window, noise)

    def weighted_spectrum(self, at: Transforms, vector, window, noise) -> NoiseSpectrum:
        """D, with weights by the power of the scene as estimated from both images.

        The weights depend on images and vector, and are differentiated by both.
        """
        spectrum = self.noise_spectrum(vector, window, noise)
        response = self.model.response(vector, self.frame.reference_shape)
        levels = coloured(noise, self.colours())
        scene, error = scene_of_both(self.frame, response, levels, at.sharp, at.u)
        power = squared_magnitude(scene) / window.sum(2)
        error = self.strength(at, spectrum, window) * error
        weight = spectrum.trust * informative(power, error, window.shape)
        return replace(spectrum, weight=weight)

    def sums(self, at: Transforms, spectrum: NoiseSpectrum, window) -> tuple[jax.Array, ...]:
        """Cost, gradient and scatter of the whitened u."""
        weights = half_plane_weights(window.shape, at.u.real.dtype) * spectrum.weight
        return whitened_sums(at.u, at.u_slopes, spectrum.density, spectrum.slopes, weights)

    def strength(self, at: Transforms, spectrum: NoiseSpectrum, window) -> jax.Array:
        """The level of the noise: mean of |u|^2 over D."""
        counted = half_plane_weights(window.shape, at.u.real.dtype) * spectrum.trust
        power = jnp.sum(counted * squared_magnitude(at.u) / spectrum.density)
        pixels = window.sum(2) * half_plane_sum(spectrum.trust, window.shape)
        return power / (pixels - self.model.num_parameters)

    def score_factors(self, at: Transforms, spectrum: NoiseSpectrum, window) -> jax.Array:
        """Variance of each score over that of noise with the spectrum D, ``[k]``."""
        weights = half_plane_weights(window.shape, at.u.real.dtype) * spectrum.weight
        e, slopes = whitened(at.u, at.u_slopes, spectrum.density, spectrum.slopes, weights)
        # A tapered window leaves fewer independent frequencies.
        repeated = math.prod(window.shape) * window.sum(4) / window.sum(2) ** 2
        strength = window.sum(2) * self.strength(at, spectrum, window)
        return spectral_factors(e, slopes, spectrum.weight, strength, window.shape, repeated)

    def excess(self, vector, spectrum: NoiseSpectrum, window, noise) -> jax.Array:
        """Excess of the scatter, over the mean of the second derivative."""
        responses = self.model.responses(vector, self.frame.reference_shape)
        noise = coloured(noise, self.colours())
        return excess(self.frame, *responses, noise, window.sum(2) * spectrum.weight)

    def improve(self, fit: Fit, lower, upper) -> Fit:
        """One Newton step, with the mean of the second derivative."""
        vector, window = fit.vector, self.window(fit.margins)
        at, fields = self._linearized(vector, window)
        spectrum = self.weighted_spectrum(at, vector, window, fit.context)
        _, gradient, scatter = self.sums(at, spectrum, window)
        # The scatter is by the actual noise of the pair, the excess by the assumed levels.
        strength = self.strength(at, spectrum, window)
        excess = strength * self.excess(vector, spectrum, window, fit.context)
        step = bounded_step(vector, gradient, definite(scatter - excess, scatter), lower, upper)
        found = jnp.clip(vector + held_back(step, vector), lower, upper)
        move = found - vector
        moved = replace(
            at,
            residual=at.residual + jnp.tensordot(move, fields, 1),
            u=at.u + jnp.tensordot(move.astype(at.u.dtype), at.u_slopes, 1),
        )
        length = jnp.max(jnp.abs(move) / step_tolerance(found))
        # With estimated levels the vector converges no faster than these do.
        lacking = 1.0 if self.estimated else length / fit.step
        following = predicted_step(move, jnp.abs(found) + FIELD_SCALE, lacking)
        predicted = jnp.max(following / step_tolerance(found))
        return fit.moved(found, moved, length, predicted, num_steps=1)

    def gradient(self, vector: jax.Array, margins: jax.Array, context: jax.Array) -> jax.Array:
        """Gradient of the objective."""
        window = self.window(margins)
        at, _ = self._linearized(vector, window)
        return self.sums(at, self.weighted_spectrum(at, vector, window, context), window)[1]

    def context(self, vector: jax.Array, margins: jax.Array, previous: jax.Array) -> jax.Array:
        """(v_A, v_B): as given, or by weighted regression of |u|^2 on the spectra of both."""
        if not self.estimated:
            return self.noise
        window = self.window(margins)
        spectrum = self.noise_spectrum(vector, window, previous)
        weights = half_plane_weights(window.shape, vector.dtype)
        power = squared_magnitude(self._linearized(vector, window)[0].u) / window.sum(2)
        return coloured_regression(power, spectrum, weights, self.ceiling)

    def looked_at(self, crop: Crop) -> Crop:
        """A crop of at most about 256 x 256 px: the evidence takes transforms of its own."""
        return _looked_at(self, crop)

    def view(self, vector, margins, context, prediction: tuple | None = None) -> View:
        """The optimum, filtered so that the noise of the residual is white."""
        return _white_view(self, vector, margins, context)

    def spectral_departures(self, vector, margins, context, unevenness) -> Departures:
        """Departures of |u|^2 from D."""
        return _spectral_departures(self, vector, margins, context, unevenness)

    def summary(self, fit: Fit) -> Summary:
        """Error bars and figures at the optimum."""
        return _summary(self, fit)


def _looked_at(objective: ErrorsInVariables, crop: Crop) -> Crop:
    frame = bucket_shape(crop.shape)
    most = box_shape(frame, _PIXELS)
    whole = objective.frame.boundary != "valid" or objective.model.has_exponent
    if whole or math.prod(frame) <= math.prod(most):
        return crop
    box = tuple(map(min, most, crop.shape))
    size = (
        np.asarray(crop.shape)
        if objective.frame.size is None
        else crop.size_of(objective.frame.size)
    )
    corner = crop.corner + jnp.maximum(size - np.asarray(box), 0) // 2
    return Crop(corner.astype(jnp.int32), box)


def _noise_spectrum(objective: ErrorsInVariables, vector, window: Window, noise) -> NoiseSpectrum:
    """D and its derivatives: the power of both images' noise in the windowed residual."""
    model, frame, colours = objective.model, objective.frame, objective.colours()
    colour = None if colours is None else colours[0]

    def noise_gain(theta):
        if colours is None and model.is_separable and window.map is None:
            factors = model.factors(theta, frame.reference_shape)
            gains = axis_gains(frame.grid, factors, window.shape)
            return leaked_product(gains, window.profiles)
        response = model.response(theta, frame.reference_shape)
        power, _ = noise_gains(frame, response, colour=colour)
        return leaked(power[None], window.values)[0]

    slopes, value = jax.jacfwd(lambda v: (noise_gain(v),) * 2, has_aux=True)(vector)
    response = model.response(vector, frame.reference_shape)
    slopes = jnp.moveaxis(slopes, -1, 0)
    own, _ = noise_gains(frame, response)
    own = noise[1] + noise[0] * own
    if colours is None:
        return NoiseSpectrum.leaked(value, slopes, own, noise)
    coloured_gain, _ = noise_gains(frame, response, colour=colour)
    told = noise[1] * colours[1] + noise[0] * coloured_gain
    base = leaked(colours[1][None], window.values)[0]
    return NoiseSpectrum.leaked(value, slopes, own, noise, told, base)


def _summary(objective: ErrorsInVariables, fit: Fit) -> Summary:
    """``H^-1 J H^-1``, J the scatter of the score and H the mean second derivative.

    They differ when A is noisy. Noise levels that were estimated add their own error.
    """
    at, vector, context = fit.linear, fit.vector, fit.context
    window = objective.window(fit.margins)
    spectrum = objective.weighted_spectrum(at, vector, window, context)
    weights = half_plane_weights(window.shape, vector.dtype)
    energy = window.sum(2)
    _, _, information = objective.sums(at, spectrum, window)
    chi_square = objective.strength(at, spectrum, window)
    # Only the ratio of the levels is used: the residual shows how strong the noise is.
    noise = chi_square * context
    inverse = inverse_small(
        information / chi_square - objective.excess(vector, spectrum, window, noise)
    )
    # Pixels on the taper count less in the score than in its derivative.
    _, _, scatter = objective.sums(at, replace(spectrum, weight=spectrum.weight**2), window)
    scatter = scatter / chi_square * window.sum(4) / energy
    factors = jnp.sqrt(objective.score_factors(at, spectrum, window))
    scatter = scatter * jnp.outer(factors, factors)
    certainty = _certainty(objective, fit, spectrum, window, chi_square, inverse)
    scatter = scatter * (1 + (CERTAIN / certainty) ** 2)
    density = chi_square * spectrum.density
    if objective.estimated:
        per_pixel = energy * (weights / density**2)[None]
        basis = spectrum.basis
        information = 0.5 * inner_products(per_pixel * basis, basis)
        weighted = tinted(spectrum.weight, spectrum.base)[None]
        sums = inner_products(weighted * per_pixel, spectrum.gain_slopes)[0]
        by_levels = jnp.outer(0.5 * sums, jnp.stack([-noise[1], noise[0]]))
        scatter = scatter + by_levels @ inverse_small(information) @ by_levels.T
    floor = rounding_variance(vector.dtype) * inverse_small(
        real_products(multiply(weights[None], at.u_slopes), at.u_slopes)
    )
    squares = half_plane_sum(squared_magnitude(at.u), window.shape)
    whitened = multiply(jnp.sqrt(spectrum.trust / density), at.u)
    residual_squares = jnp.sum(window.values * at.residual**2)
    statistics = objective.residual_statistics(
        vector, window, at.residual, inverse_transform(whitened, window.shape)
    )
    # Neighbours correlate where frequencies are left out.
    expected = [
        half_plane_sum(spectrum.trust * jnp.cos(w), window.shape)
        for w in angular_frequencies(window.shape, vector.dtype)
    ]
    expected = jnp.stack(expected) / half_plane_sum(spectrum.trust, window.shape)
    return Summary(
        inverse=inverse,
        scatter=scatter,
        rounding=floor,
        loss=0.5 * squares,
        noise_variance=squares / energy,
        chi_square=jnp.full_like(squares, jnp.inf) if objective.estimated else chi_square,
        noise=context,
        num_pixels=window.num_pixels.astype(vector.dtype),
        certainty=certainty,
        squares=residual_squares,
        clipped_squares=residual_squares,
        outliers=jnp.zeros_like(squares),
        residual_statistics=statistics.less_correlated(expected),
    )


def _certainty(objective: ErrorsInVariables, fit: Fit, spectrum, window, chi_square, inverse):
    """The second derivative along each variance over its own standard error; the least of them.

    The second derivative is J'J less the contribution of the noise in A. Where that is hardly
    significant the instruments are weak: the root of the gradient is then unreliable, whatever the
    scatter of the gradient says.

    Source: D. Staiger and J. H. Stock, "Instrumental variables regression with weak instruments",
    Econometrica 65(3), 1997.
    """
    at, noise = fit.linear, chi_square * fit.context
    weight, num_variances = spectrum.weight, objective.model.num_variances
    _, slopes = whitened(at.u, at.u_slopes, spectrum.density, spectrum.slopes, weight)
    directions = inverse[:num_variances]

    def variance(direction):
        # By frequency the variance is the noise of A in the derivative times the whole power of it.
        # Half of the frequencies are independent, fewer in a tapered window.
        whole = squared_magnitude(jnp.tensordot(direction.astype(slopes.dtype), slopes, 1))
        part = replace(spectrum, weight=weight * whole / chi_square)
        by_noise = objective.excess(fit.vector, part, window, noise)
        return direction @ by_noise @ direction * (2 * window.sum(4) / window.sum(2) ** 2)

    found = jax.vmap(variance)(directions)
    error = jnp.sqrt(jnp.maximum(found, 0))
    own = diagonal(inverse)[:num_variances]
    return jnp.min(jnp.where(error > 0, own / jnp.where(error > 0, error, 1), jnp.inf))


def _white_view(objective: ErrorsInVariables, vector, margins, context) -> View:
    """The optimum, filtered so that the noise of the residual is white.

    Predictions are made from the estimate of the scene by both images,
    ``(v_B a + v_A R* (b - level)) / D``, whose errors do not correlate with the residual.
    """
    frame, model = objective.frame, objective.model
    window, shape = objective.window(margins), objective.frame.blurred.shape
    residual, _ = residual_and_fields(model, vector, frame)
    response = model.response(vector, frame.reference_shape)
    # Without the taper: it is a part of the scene like any other.
    inside = frame_window(frame, margins).values
    noise = forward_transform(inside * residual, model.ndim)
    scene = scene_spectrum(frame, response, coloured(context, objective.colours()), noise)
    spectrum = objective.noise_spectrum(vector, window, context)
    # Weighted by the trust once more: leakage is correlated, and concentrates on the taper.
    white = spectrum.trust / jnp.sqrt(spectrum.density)
    u = forward_transform(window.values * residual, model.ndim)
    score = inverse_transform(multiply(white, u), shape)
    whitened = multiply(white if frame.grid is None else tile(frame.grid, white, shape), scene)
    sharp, predicted = images_of(frame, [whitened, multiply(response, whitened)])
    blurred = predicted + level_of(model, vector, frame) - score
    difference = blurred - sharp
    frame = replace(frame, spectrum=whitened, plane=None, blurred=blurred, difference=difference)
    residual, fields = residual_and_fields(model, vector, frame)
    # The score lacks frequencies without trust, and holds the taper to the first power only.
    weights = half_plane_weights(shape, vector.dtype) * spectrum.trust
    part = jnp.sum(weights * squared_magnitude(u) / spectrum.density)
    part = part / half_plane_sum(spectrum.trust, shape)
    return View(frame, window, residual, fields, score, part / window.sum())


def _spectral_departures(
    objective: ErrorsInVariables, vector, margins, context, unevenness
) -> Departures:
    """Departures of |u|^2 from D."""
    window = objective.window(margins)
    at, shape, energy = objective.linearize(vector, margins), window.shape, window.sum(2)
    spectrum = objective.weighted_spectrum(at, vector, window, context)
    weights = half_plane_weights(shape, vector.dtype)
    power = squared_magnitude(at.u) / (energy * spectrum.density)
    _, _, information = objective.sums(at, spectrum, window)
    strength = objective.strength(at, spectrum, window)
    excess = objective.excess(vector, spectrum, window, strength * context)
    inverse = inverse_small(information / strength - excess)
    ratio = spectrum.weight / jnp.where(spectrum.trust > 0, spectrum.trust, 1)
    score = 0.5 * energy * ratio[None] * spectrum.slopes / spectrum.density[None]
    repeated = unevenness * math.prod(shape) * window.sum(4) / energy**2
    sums = band_sums(power, spectrum.trust, score, shape, repeated)
    if objective.estimated:
        frame, colours = objective.frame, objective.colours()
        responses = objective.model.responses(vector, frame.reference_shape)
        colour = None if colours is None else colours[0]
        gain, overlaps = noise_gains(frame, *responses, colour)
        split = split_change(at.u, at.u_slopes, gain, overlaps, weights)
        return spectral_departures(sums, inverse, split)
    levels = level_departure(
        power, spectrum, context, inverse * (energy / strength), shape, repeated
    )
    return spectral_departures(sums, inverse, None).joined(levels)
