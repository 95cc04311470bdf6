"""From a fine pixel grid to a coarse one: apertures, positions, and the folding of spectra.

A coarse pixel is the mean of the blurred scene over its area, r fine pixels wide along an axis, or
a sample at its centre. Fine pixels are means over their own areas. So at the fine frequency w
(rad/fine px) an area coarse pixel passes, beside what a fine pixel does,

    aperture(w) = sin(r w / 2) / (r sin(w / 2))     for any r = p / q, and 1 for a sample

and with the first centre at c (index of a fine pixel) the coarse image is

    b(k) = N_c / N_f sum_{q = k mod N_c} aperture(w_q) exp(i w_q c) a(q)        N_f = r N_c

over all fine frequencies, the negative ones, too: the spectrum is *folded*. There is no finer grid
and no comb. The adjoint tiles a coarse spectrum and multiplies.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.boundary import largest_margins
from gaussjax.model.fourier import (
    along_axis,
    forward_transform,
    frequency_indices,
    half_plane_weights,
    inverse_transform,
    multiply,
)
from gaussjax.model.window import erode

# Fine px over which a fraction of a px, which is a sinc, rings inside of an edge.
RINGING = 16


@dataclass(frozen=True)
class CoarseGrid:
    """A coarse grid on a fine one; hashable, so that it can be a static argument."""

    ratios: tuple[Fraction, ...]  # fine px per coarse px, of every axis
    pixel: str  # one of `PIXELS`
    first: tuple[float, ...]  # centre of the first coarse pixel of every axis, index of a fine one

    @property
    def ndim(self) -> int:
        """Number of axes of the images."""
        return len(self.ratios)

    @property
    def steps(self) -> tuple[float, ...]:
        """The ratios as floating numbers."""
        return tuple(map(float, self.ratios))

    @property
    def starts(self) -> tuple[float, ...]:
        """By how much the first coarse pixel lies off one that begins where the fine grid does."""
        return tuple(c - (r - 1) / 2 for c, r in zip(self.first, self.steps, strict=True))

    @property
    def is_whole(self) -> bool:
        """Every ratio is a whole number: a crop of the coarse image is one of the fine image."""
        return all(r.denominator == 1 for r in self.ratios)

    @property
    def is_local(self) -> bool:
        """A coarse pixel is the mean of whole fine pixels, or one of them."""
        places = self.starts if self.pixel == "area" else self.first
        return self.is_whole and all(float(x).is_integer() for x in places)

    @property
    def averaged(self) -> float:
        """Fine pixels whose mean a coarse pixel is: it has so many times less of their noise."""
        return math.prod(self.steps) if self.pixel == "area" else 1.0

    def fine_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the fine image of a coarse one."""
        return tuple(int(r * n) for r, n in zip(self.ratios, shape, strict=True))

    def coarse_margins(
        self, reach: jax.Array, shape: Sequence[int], ringing: jax.Array | int | None = None
    ) -> jax.Array:
        """Px at the edges of a coarse image that a reach of so many fine px spoils, ``[ndim]``.

        And what rings there; at most as many as leave pixels to compare. None: ``RINGING``, as of
        any filter, where coarse pixels hold fractions of fine ones. A fit of a blur, which ends the
        ringing, asks for less; who weighs pixels, and does not compare them, for none.
        """
        if ringing is None:
            ringing = 0 if self.is_local else RINGING
        off = jnp.asarray(np.abs(self.starts), reach.dtype)
        ratio = jnp.asarray(self.steps, reach.dtype)
        # A quotient of whole numbers may come out an ulp too large.
        margins = jnp.ceil((reach + ringing + off) / ratio + 0.5 - 1e-3)
        return jnp.minimum(margins, jnp.asarray(largest_margins(tuple(shape)), reach.dtype))

    def transfer(self, shape: Sequence[int], dtype) -> list[jax.Array]:
        """What multiplies the half-plane spectrum of the fine image, axis by axis, before folding.

        For a coarse image of this shape: aperture, phase of the centre, and the factor N_c / N_f;
        columns that are their own mirror count half, because :func:`fold` adds the mirror image of
        every frequency. The fine Nyquist frequency has no phase of its own: its real part stands
        where coarse pixels are whole fine px apart, else zero.
        """
        found = []
        for axis, (factor, half) in enumerate(self._axes(shape)):
            values = half * factor / self.steps[axis]
            values = jnp.asarray(values, np.result_type(dtype, np.complex64))
            found.append(along_axis(values, axis, self.ndim))
        return found

    def noise_gain(self, shape: Sequence[int], dtype) -> list[jax.Array]:
        """The same for the power spectrum of white noise of the fine image, per pixel; real."""
        return [
            along_axis(jnp.asarray(half * np.abs(factor) ** 2 / r, dtype), axis, self.ndim)
            for axis, ((factor, half), r) in enumerate(
                zip(self._axes(shape), self.steps, strict=True)
            )
        ]

    def _axes(self, shape: Sequence[int]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Along every axis of the fine half plane: aperture with phase, and weights of columns."""
        fine = self.fine_shape(shape)
        found = []
        for axis, (size, index) in enumerate(zip(fine, frequency_indices(fine), strict=True)):
            r, c = self.steps[axis], self.first[axis]
            w, nyquist = 2 * np.pi * index / size, 2 * np.abs(index) == size
            phase = np.exp(1j * w * c)
            ends = math.cos(math.pi * c) if self.ratios[axis].denominator == 1 else 0.0
            factor = np.where(nyquist, ends, phase)
            if self.pixel == "area":
                over = np.where(index == 0, 1, np.sin(w / 2))
                factor = factor * np.where(index == 0, 1, np.sin(r * w / 2) / (r * over))
            own = (index == 0) | nyquist
            half = np.where(own, 0.5, 1.0) if axis == len(fine) - 1 else np.ones(index.size)
            found.append((factor, half))
        return found

    def apply(self, factors: Sequence[jax.Array], spectrum: jax.Array) -> jax.Array:
        """A fine half-plane spectrum times one factor for each axis."""
        return reduce(lambda product, factor: multiply(factor, product), factors, spectrum)

    def seen(self, spectrum: jax.Array, shape: Sequence[int]) -> jax.Array:
        """A fine half-plane spectrum with all that multiplies it before it is folded."""
        return self.apply(self.transfer(shape, spectrum.real.dtype), spectrum)

    def sampled(self, image: jax.Array) -> jax.Array:
        """The coarse image of a fine one whose coarse pixels are made of whole fine ones."""
        places = self.starts if self.pixel == "area" else self.first
        for axis, (place, ratio) in enumerate(zip(places, self.ratios, strict=True)):
            r = int(ratio)
            image = jnp.roll(image, -int(place), axis) if place else image
            last = image.shape[axis]
            parts = [
                jax.lax.slice_in_dim(image, k, last, stride=r, axis=axis)
                for k in range(r if self.pixel == "area" else 1)
            ]
            image = reduce(jnp.add, parts) / len(parts)
        return image

    def covered(self, known: jax.Array, margins: jax.Array) -> jax.Array:
        """1 for coarse pixels of which every fine pixel within margins (coarse px) is known."""
        ratio = jnp.asarray(self.steps, margins.dtype)
        reach = jnp.ceil(margins * ratio + 0.5 * ratio - 1e-3)
        known = erode(known, reach)
        for axis, (first, r) in enumerate(zip(self.first, self.ratios, strict=True)):
            size = known.shape[axis]
            index = np.rint(first + float(r) * np.arange(int(size / r))).astype(int) % size
            known = jnp.take(known, index, axis=axis, mode="clip")
        return known


def reference_shape(grid: CoarseGrid | None, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a reference for a softer image of this one; without a grid they share it."""
    return shape if grid is None else grid.fine_shape(shape)


def fold(grid: CoarseGrid, spectrum: jax.Array, shape: Sequence[int]) -> jax.Array:
    """The half-plane spectrum of a coarse image of this shape, from a fine one.

    The fine one is a spectrum after :meth:`CoarseGrid.transfer`, or a power spectrum after
    :meth:`CoarseGrid.noise_gain`.
    """
    for axis, size in enumerate(shape):
        fine = int(grid.ratios[axis] * size)
        spectrum = _folded(spectrum, axis, size, fine, is_half=axis == len(shape) - 1)
    stored = shape[-1] // 2 + 1
    mirrored = spectrum
    for axis in range(len(shape)):
        mirrored = jnp.roll(jnp.flip(mirrored, axis), 1, axis)
    return spectrum[..., :stored] + jnp.conj(mirrored[..., :stored])


def on_coarse_grid(grid: CoarseGrid, image: jax.Array, shape: Sequence[int]) -> jax.Array:
    """The coarse image of this shape of a fine one, without a blur."""
    if grid.is_local:
        return grid.sampled(image)
    mean = jnp.mean(image)
    spectrum = grid.seen(forward_transform(image - mean, image.ndim), shape)
    return mean + inverse_transform(fold(grid, spectrum, shape), tuple(shape))


def product_weights(grid: CoarseGrid | None, shape: Sequence[int], dtype) -> jax.Array:
    """Weights of frequencies in a product of images of this shape, of the half plane's rank.

    ``sum_x y image_of(X)(x) = Re sum_w m conj(Y) X`` with X a spectrum of the reference and Y that
    of y, tiled; None: both images are on one grid.
    """
    if grid is None:
        return half_plane_weights(tuple(shape), dtype)
    return jnp.full((1,) * len(shape), 2 / math.prod(shape), dtype)


def with_noise_gain(grid: CoarseGrid | None, values: jax.Array, shape: Sequence[int]) -> jax.Array:
    """Values times the part of A's white noise that coarse pixels leave, before folding."""
    if grid is None:
        return values
    # Real factors of complex spectra, too.
    return grid.apply(grid.noise_gain(shape, values.real.dtype), values)


def noise_power(grid: CoarseGrid | None, power: jax.Array, shape: Sequence[int]) -> jax.Array:
    """Power that noise of A has in an image of this shape, from its power in A by frequency."""
    return power if grid is None else fold(grid, with_noise_gain(grid, power, shape), shape)


def tile(grid: CoarseGrid, spectrum: jax.Array, shape: Sequence[int]) -> jax.Array:
    """A coarse half-plane spectrum, repeated over the half plane of the fine frequencies.

    For fine X, after :meth:`CoarseGrid.transfer`, and the spectrum Y of a coarse image y with N px
    ``sum_x y fold(X)(x) = 2 / N sum Re(conj(tile(Y)) X)``.
    """
    ndim, size = len(shape), shape[-1]
    mirrored = jnp.conj(spectrum)
    for axis in range(ndim - 1):
        mirrored = jnp.roll(jnp.flip(mirrored, axis), 1, axis)
    beyond = jnp.flip(mirrored[..., 1 : (size + 1) // 2], -1)
    whole = jnp.concatenate([spectrum, beyond], axis=-1)
    for axis, index in enumerate(frequency_indices(grid.fine_shape(shape))):
        whole = jnp.take(whole, index % shape[axis], axis=axis, mode="clip")
    return whole


def _folded(spectrum: jax.Array, axis: int, size: int, fine: int, *, is_half: bool) -> jax.Array:
    """An axis of a fine spectrum, added up by index modulo ``size``; of a half axis its half."""
    stored = spectrum.shape[axis]
    positive = stored if is_half or fine % size == 0 else fine // 2 + 1
    pieces = []
    # Slices are added up in one pass.
    for start in range(0, positive, size):
        piece = jax.lax.slice_in_dim(spectrum, start, min(start + size, positive), axis=axis)
        pieces.append(_padded(piece, axis, 0, size))
    for end in range(stored, positive, -size):
        piece = jax.lax.slice_in_dim(spectrum, max(end - size, positive), end, axis=axis)
        pieces.append(_padded(piece, axis, size - piece.shape[axis], size))
    return reduce(jnp.add, pieces)


def _padded(piece: jax.Array, axis: int, before: int, size: int) -> jax.Array:
    """Zeros before and after along an axis, so that it has ``size`` entries."""
    room = [(0, 0)] * piece.ndim
    room[axis] = before, size - before - piece.shape[axis]
    return jnp.pad(piece, room) if any(room[axis]) else piece
