"""The similarity between the images of a pair, near enough for a fit to take the rest as linear.

Gauss-Newton on the smoothed pair, from coarse to fine: at every width w both images are smoothed by
it, B is resampled to the grid of A, and one step is taken for

    gain (g * A)(y) + level - B(phi(y))

in the variance of g, gain and level, and in shift, angle and log scale, whose fields are products
of the slopes of the prediction with coordinates. A residual that is even about every pixel, as
another kernel leaves it, does not bias these three.

Source: J. R. Bergen et al., "Hierarchical model-based motion estimation", ECCV 1992.
"""

import math

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import (
    angular_frequencies,
    forward_transform,
    inverse_transform,
    inverse_transforms,
    multiply,
)
from gaussjax.model.similarity_transform import Similarity, motion_fields
from gaussjax.model.window import taper
from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import solve_small
from gaussjax.pair.frame import centre_and_scale
from gaussjax.spectra.cross_spectra import windowed_spectra
from gaussjax.spectra.phase_correlation import correlation_peak

# Part of the shortest axis that the first steps smooth by; each width has this many steps.
_COARSEST = 1 / 16
_STEPS = 3
# px^2 of g before the first step.
_VARIANCE = 1.0


def align(reference: jax.Array, blurred: jax.Array, known: jax.Array | None = None) -> Similarity:
    """The similarity that takes A to B, of two axes and one shape; ``known``: 1 where both are."""
    shape, dtype = reference.shape, reference.dtype
    weights = taper(shape, dtype).masked([known]).values
    centre, scale = centre_and_scale(reference, known)
    sharp, soft = ((image - centre) / scale for image in (reference, blurred))
    spectra = windowed_spectra(sharp, soft, taper(shape, dtype), levels_differ=True, folded=False)
    start = Similarity.none(dtype).after(0.0, 0.0, correlation_peak(spectra))
    count = max(math.ceil(math.log2(min(shape) * _COARSEST)), 0) + 1
    widths = [0.5 * 2.0**k for k in range(count, 0, -1)] + [0.0]
    widths = jnp.repeat(jnp.asarray(widths, dtype), _STEPS)
    blurred_spectrum = forward_transform(soft, 2)
    reference_spectrum = forward_transform(sharp, 2)
    w = angular_frequencies(shape, dtype)
    square = w[0] ** 2 + w[1] ** 2

    def smoothed(spectrum, variance):
        return multiply(jnp.exp(-0.5 * variance * square), spectrum)

    def step(k, state):
        similarity, variance = state
        smooth = widths[k] ** 2
        image = inverse_transform(smoothed(blurred_spectrum, smooth), shape)
        moved, inside = similarity.resample(image)
        predicted = smoothed(reference_spectrum, variance + smooth)
        spectra = [predicted, multiply(-0.5 * square, predicted)]
        spectra += [-1j * multiply(x, predicted) for x in w]
        predicted, bend, *slopes = inverse_transforms(spectra, shape)
        fields = [*motion_fields(slopes), *slopes, bend, predicted, jnp.ones_like(predicted)]
        change = _solved(fields, moved, inside * weights)
        # The fields are linear for displacements of up to about the width of the smoothing.
        reach = jnp.maximum(2 * widths[k], 1.0)
        longest = reach / jnp.maximum(jnp.max(jnp.abs(_displacement(change, shape))), reach)
        angle, log_scale, up, along, dv, _, _ = longest * change
        similarity = similarity.after(angle, log_scale, jnp.stack([up, along]))
        gain = jnp.where(change[5] > 0.1, change[5], 1)
        return similarity, jnp.clip(variance + dv / gain, 0, min(shape))

    start = start, jnp.asarray(_VARIANCE, dtype)
    similarity, _ = loops.fori_loop(0, len(widths), step, start)
    return similarity


def _solved(fields: list[jax.Array], target: jax.Array, weights: jax.Array) -> jax.Array:
    """Coefficients of the fields of motion and blur, gain and level, by weighted least squares."""
    scales = [jnp.sqrt(jnp.sum(weights * f**2)) for f in fields]
    scales = [jnp.where(s > 0, s, 1) for s in scales]
    fields = [f / s for f, s in zip(fields, scales, strict=True)]
    matrix = jnp.stack([jnp.stack([jnp.sum(weights * f * g) for g in fields]) for f in fields])
    right = jnp.stack([jnp.sum(weights * f * target) for f in fields])
    matrix += 10 * jnp.finfo(target.dtype).eps * jnp.eye(len(fields), dtype=target.dtype)
    found = solve_small(matrix, right) / jnp.stack(scales)
    return jnp.where(jnp.all(jnp.isfinite(found)), found, 0)


def _displacement(change: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Displacement in px at a corner and at the centre."""
    radius = 0.5 * math.hypot(*shape)
    return jnp.stack([radius * change[0], radius * change[1], change[2], change[3]])
