"""Directions in which a pair may depart from the fitted model, as fields on a box of pixels.

All are finite differences of the prediction and products with coordinates: none takes an FFT.
"""

from collections.abc import Iterable, Sequence
from functools import partial, reduce
from itertools import combinations, combinations_with_replacement

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.system_response import BlurModel
from gaussjax.statistics.cause import Cause

# Half width of a difference of the fourth order, px.
HALO = 2
# Central differences of order 0 to 4, at -2 .. 2 px.
_DIFFERENCES = (
    (0.0, 0.0, 1.0, 0.0, 0.0),
    (0.0, -0.5, 0.0, 0.5, 0.0),
    (0.0, 1.0, -2.0, 1.0, 0.0),
    (-0.5, 1.0, 0.0, -1.0, 0.5),
    (1.0, -4.0, 6.0, -4.0, 1.0),
)


def stencil(image: jax.Array, weights: Sequence[Sequence[float]]) -> jax.Array:
    """Weighted sums over an odd number of neighbours along every axis, where a pixel has them."""
    terms = [image]
    for axis, row in enumerate(weights):
        size = image.shape[axis] - len(row) + 1
        terms = [
            weight * jax.lax.slice_in_dim(term, start, start + size, axis=axis)
            for term in terms
            for start, weight in enumerate(row)
            if weight
        ]
    return reduce(jnp.add, terms)


def derivative(image: jax.Array, orders: Sequence[int]) -> jax.Array:
    """Partial derivative of these orders along the axes, on all pixels but a halo."""
    return stencil(image, [_DIFFERENCES[order] for order in orders])


def _along(image: jax.Array, *axes: int) -> jax.Array:
    """Derivative once along each of these axes, which may be the same."""
    return derivative(image, [axes.count(axis) for axis in range(image.ndim)])


def by_variances(model: BlurModel, image: jax.Array) -> list[jax.Array]:
    """Derivatives by the model's variances, as differences of neighbours.

    Of an image on a box and a halo.
    """
    axes, units = range(model.ndim), model.spacing or (1.0,) * model.ndim
    along = [0.5 / units[a] ** 2 * _along(image, a, a) for a in axes]
    if model.family == "full":
        pairs = combinations_with_replacement(axes, 2)
        return [along[a] if a == b else _along(image, a, b) for a, b in pairs]
    return [_sum(along)] if model.is_isotropic else along


def directions(
    model: BlurModel, predicted: jax.Array, mean: jax.Array | float, position: Sequence[jax.Array]
) -> tuple[list[Cause], list[jax.Array]]:
    """The causes that the fit leaves open, and what each would add to the prediction.

    The prediction is without its level, on the box and a halo, and lacks the mean of the reference,
    which a gain multiplies, too. The position is a coordinate along every axis, from -1 to 1 over
    the frame, to broadcast.
    """
    ndim = model.ndim
    axes = range(ndim)

    d = partial(_along, predicted)
    here = d()
    slopes = [d(a) for a in axes]
    bends = {(a, a): d(a, a) for a in axes}
    laplacian = _sum(bends.values())
    found: list[tuple[Cause, jax.Array]] = []
    if not model.gain:
        found.append((Cause.GAIN, here + mean))
    if not model.offset:
        found.append((Cause.OFFSET, jnp.ones_like(here)))
    if not model.shift:
        found += [(Cause.SHIFT, slope) for slope in slopes]
    pairs = list(combinations(axes, 2))
    if model.is_isotropic:
        found += [(Cause.ANISOTROPY, bends[a, a] - bends[a + 1, a + 1]) for a in axes[:-1]]
    if model.family != "full":
        found += [(Cause.ANISOTROPY, d(a, b)) for a, b in pairs]
    found.append((Cause.KERNEL, _sum(d(a, a, a, a) for a in axes)))
    if pairs:
        found.append((Cause.KERNEL, _sum(d(a, a, b, b) for a, b in pairs)))
    found += [(Cause.ASYMMETRY, _sum(d(a, b, b) for b in axes)) for a in axes]
    if not model.motion:
        found += [
            (Cause.ROTATION, position[b] * slopes[a] - position[a] * slopes[b]) for a, b in pairs
        ]
        found.append(
            (Cause.SCALE, _sum(x * slope for x, slope in zip(position, slopes, strict=True)))
        )
    found += [(Cause.VARYING_BLUR, x * laplacian) for x in position]
    found += [(Cause.SHADING, x + jnp.zeros_like(here)) for x in position]
    found += [(Cause.SHADING, x * here) for x in position]
    found.append((Cause.TONE, here**2))
    causes, fields = zip(*found, strict=True)
    return list(causes), list(fields)


def smears(
    model: BlurModel, causes: Sequence[Cause], steps: Sequence[float], extents: Sequence[float]
) -> np.ndarray:
    """What displacements of strength 1 add to the vector as a blur, ``[k, m]``; 0 of other causes.

    On average over the frame a displacement d passes ``E cos(w . d) = 1 - E (w . d)^2 / 2``, so
    that the variance along an axis grows by the mean of d^2. That of a rotation and of a change of
    scale are a third of what it is at the frame's edge.

    Args:
        model: of the blur.
        causes: of the directions, in their order.
        steps: px of the reference in one of the residual, per axis.
        extents: of the frame, per axis, in those of the part on which the directions are.
    """
    units = np.asarray(steps) * (model.spacing or 1.0)
    axes, third = np.eye(model.ndim), np.asarray(extents) ** 2 / 3
    pairs = combinations(range(model.ndim), 2)
    squares = {
        Cause.SHIFT: iter(axes),
        Cause.ROTATION: (third[b] * axes[a] + third[a] * axes[b] for a, b in pairs),
        Cause.SCALE: iter([third]),
    }
    found = np.zeros((model.num_parameters, len(causes)))
    if model.has_exponent:
        return found
    for j, cause in enumerate(causes):
        if cause in squares:
            along = units**2 * next(squares[cause])
            if model.family == "full":
                along = np.diag(along)[np.triu_indices(model.ndim)]
            found[: model.num_variances, j] = np.mean(along) if model.is_isotropic else along
    return found


def _sum(images: Iterable[jax.Array]) -> jax.Array:
    return reduce(jnp.add, images)


def box_shape(shape: tuple[int, ...], pixels: int) -> tuple[int, ...]:
    """The largest cube of at most so many pixels, within a frame."""
    # What short axes do not use is left to the longer ones.
    left, box = float(pixels), {}
    for count, axis in enumerate(sorted(range(len(shape)), key=lambda a: shape[a])):
        size = int(left ** (1 / (len(shape) - count)))
        # Quarters of a box are whole px.
        size = shape[axis] if shape[axis] <= size else max(4 * (size // 4), 4)
        left /= size
        box[axis] = size
    return tuple(box[axis] for axis in range(len(shape)))
