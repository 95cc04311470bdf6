"""Which image of a pair is the sharper one, before a fit knows."""

import math
from functools import partial

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import half_plane_sum
from gaussjax.model.swap import SWAP_BELOW, swap_pair
from gaussjax.numerics.linear_algebra import diagonal, inverse_small, product
from gaussjax.spectra.cross_spectra import Spectra
from gaussjax.spectra.loss import blur_powers
from gaussjax.spectra.separable_sums import (
    Polynomial,
    frequency_product,
    polynomial_product,
    polynomial_sums,
)
from gaussjax.statistics.optimum_summary import CERTAIN

# px^2 by which B has to be the sharper image after smoothing, which leaves less evidence.
_SMOOTH_MARGIN = 0.4
# px of smoothing after which the frequencies left of a noisy photograph are mostly signal.
_SMOOTHING = 2.0
# px of a box, whose mean hides noise, too; and the least number of boxes for a standard error.
_BOX, _LEAST_BOXES = 4, 16
# Least part of a column's power that the other columns leave unexplained.
_ALIKE = 1e-3


def small_blur_variances(
    spectra: Spectra, *, gain: bool = False
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Isotropic variance of T = 1 - v |w|^2 / 2 by least squares, px^2: plain, smoothed, errors.

    ``v = sum m P |w|^2 / 2 (1 - Re H) / sum m P |w|^4 / 4``, with ``gain`` a gain fitted beside it.
    Of a large blur only the sign is meaningful, but reliable: the estimate is linear in B, whose
    noise thus leaves it unbiased. The noise is measured in the imaginary part of H, which is zero
    for a symmetric blur. The second value is of both images smoothed before, which hides noise; the
    third are both standard errors.
    """
    power, cross = blur_powers(spectra)
    shape = spectra.image_shape
    one: Polynomial = {(0,) * len(shape): 1.0}
    half_square: Polynomial = {}
    for j in range(len(shape)):
        half_square |= frequency_product(j, j, len(shape), 0.5)
    fourth = polynomial_product(half_square, half_square)

    def smoothed(smoothing):
        """Sums of P times 1, |w|^2 / 2 and its square, and of Re C times the first two."""
        powers = polynomial_sums(power, [one, half_square, fourth], shape, smoothing)
        return powers, polynomial_sums(cross, [one, half_square], shape, smoothing)

    # The error's weights are the square of the estimate's.
    smoothings = _SMOOTHING * jnp.asarray([0, 1, math.sqrt(2)], power.dtype)
    powers, crosses = jax.vmap(smoothed, out_axes=1)(smoothings)
    (energy, slope, curvature), (cross_energy, cross_slope) = powers, crosses
    total = jnp.where(energy > 0, energy, 1)
    level, centre = jnp.ones_like(total), jnp.zeros_like(total)
    if gain:
        level, centre = cross_energy / total, slope / total
        centre = centre.at[2].set(centre[1])
    scale = curvature - 2 * centre * slope + centre**2 * energy
    scale = jnp.where(scale > 0, scale, 1)
    variance = level * (slope - centre * energy) - (cross_slope - centre * cross_energy)
    variance = variance / scale
    # H = gain (1 - v |w|^2 / 2), and the gain is H at zero.
    at_zero = level + variance * centre
    variance = variance / jnp.where(at_zero > 0, at_zero, 1)
    noise = half_plane_sum(power * spectra.transfer.imag**2, shape)
    # N / 2 of N frequencies are independent.
    own = jnp.stack([scale[0], scale[2]])
    errors = jnp.sqrt(noise * own * 2 / math.prod(shape)) / scale[:2]
    errors = errors / jnp.where(at_zero[:2] > 0, at_zero[:2], 1)
    return variance[0], variance[1], errors


def direction(
    spectra: Spectra, *, gain: bool = False, both_noisy: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Whether B is the sharper image, and the variance of a small isotropic blur, px^2.

    ``gain``: fit one beside the variance. ``both_noisy``: both images may have noise; else only the
    softer one.
    """
    small, smooth, errors = small_blur_variances(spectra, gain=gain)
    if both_noisy:
        # Noise in A reads as blur, in B as the opposite after a swap: the difference of both
        # directions changes its sign with the roles, and so does the estimate.
        _, back, _ = small_blur_variances(spectra.swapped(), gain=gain)
        return smooth - back < 0, smooth - back
    # Noise in A reads as blur and may hide that B is the sharper image; less so after smoothing.
    least = jnp.minimum(small + 3 * errors[0], smooth + _SMOOTH_MARGIN + CERTAIN * errors[1])
    return least < SWAP_BELOW, small


def interior_variance(
    reference: jax.Array, blurred: jax.Array, known: jax.Array, *, shift: bool = False
) -> tuple[jax.Array, jax.Array]:
    """Variance of a small isotropic blur inside of a frame, px^2, and its standard error.

    By least squares ``B - A = (v / 2) Laplacian(A) + (gain - 1) A + level``, of means over boxes,
    and with the roles exchanged. Noise in A reads as blur from A to B, noise in B as blur from B to
    A: the truth is between both answers (Frisch's bounds). The one nearer to no blur is returned,
    with an infinite error where they have different signs.

    Spectra are of tapered frames, and what a taper leaves of a scene as smooth as it, such as a
    ramp, may have either sign. Of a large blur the variance knows the sign only.

    Args:
        reference: A.
        blurred: B.
        known: pixels that both images have, bool.
        shift: fit the gradient of A as well, for displacements below a pixel.
    """
    ndim, dtype = reference.ndim, reference.dtype
    counts = [n // _BOX for n in reference.shape]
    if math.prod(max(n - 2, 0) for n in counts) < _LEAST_BOXES:
        return jnp.zeros((), dtype), jnp.full((), jnp.inf, dtype)
    cut = tuple(slice(count * _BOX) for count in counts)
    split = [n for count in counts for n in (count, _BOX)]
    own_axes = tuple(range(1, 2 * ndim, 2))

    def of_boxes(image, reduction):
        return reduction(image[cut].reshape(split), axis=own_axes)

    images = jnp.stack([of_boxes(image, jnp.mean) for image in (reference, blurred)])
    complete = of_boxes(known, jnp.all)
    both = jax.vmap(partial(_regression, complete=complete, shift=shift))
    (forth, back), (error, back_error) = both(images, images[::-1])
    is_blurred, is_sharpened = (forth > 0) & (back < 0), (forth < 0) & (back > 0)
    variance = jnp.where(is_blurred, -back, jnp.where(is_sharpened, forth, 0))
    error = jnp.where(is_blurred, back_error, jnp.where(is_sharpened, error, jnp.inf))
    return _BOX**2 * variance, _BOX**2 * error


def _regression(a: jax.Array, b: jax.Array, *, complete: jax.Array, shift: bool):
    """Variance of the small blur that takes a to b, in pixels of their own, and its error."""
    ndim, axes = a.ndim, range(a.ndim)

    def beside(image, axis=0, step=0):
        cut = [slice(1, -1)] * ndim
        cut[axis] = slice(1 + step, image.shape[axis] - 1 + step)
        return image[tuple(cut)]

    weights = beside(complete)
    for axis in axes:
        weights = weights & beside(complete, axis, -1) & beside(complete, axis, 1)
    weights = weights.astype(a.dtype)
    count = jnp.sum(weights)
    sides = [(beside(a, axis, 1), beside(a, axis, -1)) for axis in axes]
    columns = [sum(x + y for x, y in sides) - 2 * ndim * beside(a), beside(a)]
    columns += [x - y for x, y in sides] * shift

    # All columns together, the left side last: one by one their sums would be a kernel each.
    stack = jnp.stack([*columns, beside(b) - beside(a)]).reshape(len(columns) + 1, -1)
    weights = weights.reshape(1, -1)
    stack = weights * (stack - product(stack, weights.T) / jnp.maximum(count, 1))
    squares = product(stack, stack.T)
    sizes = jnp.sqrt(diagonal(squares))
    sizes = jnp.where(sizes > 0, sizes, 1)
    stack = stack / sizes[:, None]
    squares = squares / (sizes[:, None] * sizes[None])
    inverse = inverse_small(squares[:-1, :-1])
    solution = product(inverse, squares[:-1, -1])
    residual = stack[-1] - product(solution, stack[:-1])
    influences = product(inverse[0], stack[:-1]) * residual
    freedom = count - len(columns) - 1
    error = jnp.sqrt(jnp.sum(influences**2) * count / jnp.maximum(freedom, 1))
    slope, gain = sizes[-1] / sizes[0], 1 + solution[1] * sizes[-1] / sizes[1]
    # A wave is proportional to its Laplacian, which cannot be told from a gain.
    is_apart = (inverse[0, 0] > 0) & (inverse[0, 0] < 1 / _ALIKE)
    is_told = is_apart & (count >= _LEAST_BOXES) & (gain > 0.1)
    unit = 2 * jnp.where(is_told, slope, 0) / jnp.where(is_told, gain, 1)
    return jnp.where(is_told, unit * solution[0], 0), jnp.where(is_told, unit * error, jnp.inf)


def is_certain(variance: jax.Array, error: jax.Array) -> jax.Array:
    """Whether the sign of :func:`interior_variance` is significant."""
    return jnp.abs(variance) - _SMOOTH_MARGIN > CERTAIN * error


def corrected(
    sharper: jax.Array, small: jax.Array, inside: tuple[jax.Array, jax.Array]
) -> tuple[jax.Array, jax.Array]:
    """:func:`direction`, or that of :func:`interior_variance` where this is certain."""
    certain = is_certain(*inside)
    return jnp.where(certain, inside[0] < 0, sharper), jnp.where(certain, inside[0], small)


def swap_spectra(swapped: jax.Array | bool, spectra: Spectra) -> Spectra:
    """The pair with the roles of its images swapped where ``swapped``."""
    return swap_pair(swapped, spectra, spectra.swapped())[0]
