"""The equations of a transfer function of any shape, on the pixels that can be compared.

With z_k the image A in the band of the k-th B-spline, W the window and T the current spline, the
coefficients solve

    sum_x W z_k (B - T * A) = 0    for all k

which are the normal equations of least squares: exact whatever lies beyond the edge, as long as T
reaches no farther than the margin of W. Nothing is divided by a windowed spectrum, so that leakage
does no harm. Where both images are noisy, z_k is the band of ``v_B a + v_A T b`` instead: of all
mixtures of A and B the one that has no noise in common with the residual. Its equations are those
of the estimator H_v; for v_A = 0 they are those of H_1, for v_B = 0 those of H_2.

The Jacobian of the equations is banded: B-splines that do not overlap are orthogonal but for the
leakage of the window. Seven changes of T, each of B-splines that do not overlap, determine it.

Across grids the same equations are sums over coarse pixels. With a coarse pixel's aperture and
place F(w), and alpha(w) the transform of what is compared, tiled over the fine frequencies, A in a
band is the coarse image of ``F beta a``, and the instrument of two noisy images ``v_B a + v_A T
conj(F) b``, b tiled: again it has no noise in common with the residual, whatever folds into that.
Folding couples B-splines that do not overlap, so that the whole Jacobian is needed: products of the
coarse images of all bands, which are small.

Source: J. S. Bendat & A. G. Piersol, "Random Data", 4th ed., Wiley 2010, ch. 6 (H_1, H_2); W. A.
Fuller, "Measurement Error Models", Wiley 1987 (both noisy).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.model.fourier import (
    half_plane_weights,
    multiply,
    shift_phase,
    shift_slopes,
    squared_magnitude,
)
from gaussjax.model.transfer_spline import NUM_ORDERS, Terms, TransferSpline
from gaussjax.numerics import loops
from gaussjax.numerics.linear_algebra import product
from gaussjax.pair.transfer_frame import TransferFrame
from gaussjax.pair.transfer_padding import Layout


@dataclass(frozen=True)
class TransferEquations:
    """The equations of a frame for one shift and window (not a pytree)."""

    spline: TransferSpline
    terms: Terms
    frame: TransferFrame
    layout: Layout
    window: jax.Array  # W, of the shape of B
    shift: jax.Array | None  # px, ``[ndim]``
    is_bent: bool = False  # the instrument depends on T: it is not A alone

    @property
    def moved(self) -> jax.Array:
        """Transform of A with the shift of B."""
        a = self.frame.a
        return a if self.shift is None else a * shift_phase(self.shift, self.spline.image_shape)

    def instrument(self, transfer: jax.Array) -> jax.Array:
        """Transform of the image whose bands the residual is orthogonal to."""
        v_a, v_b = self.frame.levels
        total = v_a + v_b
        own = multiply(v_b / total, self.moved)
        transfer = self.layout.with_noise_gain(transfer)
        return own + multiply(v_a / total * transfer, self.frame.b)

    def residual(self, change: jax.Array) -> jax.Array:
        """B - T * A about its mean in the window."""
        if self.shift is None:
            added = multiply(change, self.frame.a)
        else:
            added = multiply(1 + change, self.moved) - self.frame.a
        return self.centred(self.frame.difference - self.layout.image(added))

    def centred(self, image: jax.Array) -> jax.Array:
        """An image about its mean in the window: a constant between A and B does not count."""
        total = jnp.sum(self.window)
        return image - jnp.sum(self.window * image) / jnp.where(total > 0, total, 1)

    def products(self, first: jax.Array, second: jax.Array) -> jax.Array:
        """Sums over px of the image of ``first`` in the band of every B-spline times another.

        The first is the transform of a reference, the second :meth:`Layout.transform` of the other.
        """
        weights = self.layout.product_weights(self.window.dtype)
        return self.spline.sums(self.terms, weights * _real_product(first, second))

    def powers(self, values: jax.Array) -> jax.Array:
        """Means of real values times every B-spline over the whole plane, ``[terms, size]``."""
        weights = half_plane_weights(self.spline.image_shape, values.dtype)
        return self.spline.sums(self.terms, weights * values)

    def noise_level(self, residual: jax.Array) -> jax.Array:
        """Variance per pixel of the residual's noise at every B-spline, ``[terms, size]``."""
        power = squared_magnitude(self.layout.transform(self.window * residual))
        ones = jnp.ones_like(power)
        frequencies = self.powers(ones)
        energy = jnp.sum(self.window**2)
        # As many independent frequencies as the window leaves, less one for every coefficient.
        part = energy**2 / jnp.maximum(jnp.sum(self.window**4), jnp.finfo(power.dtype).tiny)
        count = frequencies * part * self.layout.ratio
        per_knot = jnp.asarray(1 if self.spline.axis is None else NUM_ORDERS, power.dtype)
        left = count / jnp.maximum(count - per_knot, 0.5)
        scale = jnp.where(frequencies > 0, frequencies, 1) * jnp.where(energy > 0, energy, 1)
        level = left * self.powers(power) / scale
        if self.spline.axis is None:
            return level
        # The first of either part is an average, the others are not.
        return jnp.repeat(level[::NUM_ORDERS], NUM_ORDERS, axis=0)

    def slopes(self, instrument: jax.Array, *, total: bool) -> jax.Array:
        """Minus the derivative of the equations by the coefficients, ``[n, n]``.

        ``total``: of T in the transform of the instrument, too, as an error bar wants it. Of the
        residual alone the derivative is positive even where A holds hardly anything but noise.
        """
        v_a, v_b = self.frame.levels
        # By Stein's lemma: noise that the instrument shares with the images, as T follows in both.
        shared = float(total) * v_a * v_b / (v_a + v_b) * jnp.sum(self.window)
        weights = self.layout.product_weights(self.window.dtype)
        if self.layout.grid is not None:
            fields = self._bands(self.moved)
            bands = self._bands(instrument) if self.is_bent else fields
            matrix = _inner(self.window, bands, fields, self.window)
            if not (self.is_bent and total):
                return matrix
            left = self.layout.with_noise_gain(weights)
            return matrix - shared * self.spline.gram(self.terms, left)

        def response(added):
            field = self.centred(self.layout.image(multiply(added, self.moved)))
            seen = self.layout.transform(self.window * field)
            noise = shared * weights * self.layout.with_noise_gain(added)
            return weights * _real_product(instrument, seen) - noise

        return self._band(response, self.moved)

    def scatter(self, instrument: jax.Array, level: jax.Array) -> jax.Array:
        """Covariance of the equations by noise of this level, ``[n, n]``."""
        root = jnp.sqrt(level.reshape(-1))
        weights = self.layout.product_weights(self.window.dtype)
        if self.layout.grid is not None:
            bands = self._bands(instrument)
            matrix = _inner(self.window, bands, bands, self.window**2)
            return matrix * root[:, None] * root[None, :]

        def response(added):
            field = self.centred(self.layout.image(multiply(added, instrument)))
            seen = self.layout.transform(self.window**2 * field)
            return weights * _real_product(instrument, seen)

        return self._band(response, instrument) * root[:, None] * root[None, :]

    def _bands(self, spectrum: jax.Array) -> jax.Array:
        """The image of a reference's spectrum in the band of every B-spline, ``[n, *image]``."""

        def image(carry, index):
            band = self.spline.single(self.terms, index)
            return carry, self.layout.image(multiply(band, spectrum))

        count = self.spline.num_terms * self.spline.size
        return loops.scan(image, 0, jnp.arange(count, dtype=jnp.int32))[1]

    def _band(self, response, changed: jax.Array) -> jax.Array:
        """The matrix of a linear map of coefficients, which are changes of this image's filter.

        The response to a filter is the part of every frequency in its sums with B-splines.
        """
        # Photographs have a million times the power at low frequencies: of changes alike, what the
        # window leaks of it would hide what high frequencies make of theirs.
        power = self.powers(squared_magnitude(changed))
        size = jnp.sqrt(jnp.where(power > 0, power, 1))
        return self.spline.band(self.terms, response, size)

    def shift_step(self, change: jax.Array, residual: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Change of the shift by least squares, px, and its covariance over the noise level."""
        assert self.shift is not None
        filtered = multiply(1 + change, self.frame.a)
        slopes = shift_slopes(self.shift, self.spline.image_shape)
        fields = [self.centred(self.layout.image(slope * filtered)) for slope in slopes]
        rows = jnp.stack([field.reshape(-1) for field in fields])
        weighted = rows * self.window.reshape(1, -1)
        matrix = product(weighted, rows.T)
        step = product(weighted, residual.reshape(-1))
        inverse = jnp.linalg.inv(matrix)
        heavier = product(weighted, weighted.T)
        covariance = product(product(inverse, heavier), inverse)
        return product(inverse, step), covariance


def _real_product(first: jax.Array, second: jax.Array) -> jax.Array:
    """The part of every frequency in the sum over px of one image times another."""
    return first.real * second.real + first.imag * second.imag


def _inner(window: jax.Array, first: jax.Array, second: jax.Array, weights: jax.Array) -> jax.Array:
    """Weighted products of images with others about their means in a window, ``[n, n]``."""
    count, total = len(first), jnp.sum(window)
    weighted = (weights[None] * first).reshape(count, -1)
    rows = second.reshape(count, -1)
    means = product(rows, window.reshape(-1)) / jnp.where(total > 0, total, 1)
    return product(weighted, rows.T) - jnp.outer(jnp.sum(weighted, axis=1), means)
