"""A pair that is fitted by itself before it is added to a joint fit.

What differs from pair to pair other than linearly, a shift, the scale of a robust loss, noise
levels that the pair tells, is found where one pair alone is fitted (:mod:`gaussjax.pair.fit`), and
held at that in the pair's sums (:mod:`gaussjax.dataset.held_instruments`), whose instruments are
free of what it could still take up.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.dataset.options import JointOptions
from gaussjax.model.swap import swap_pair, swap_params
from gaussjax.numerics.linear_algebra import finite_or
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.fit import Options, fit_pair
from gaussjax.pair.frame import Frame, Usable
from gaussjax.pair.kernel_extent import largest_radius
from gaussjax.pair.optimum import Optimum
from gaussjax.pair.prediction import level_in, offset_of


@pytree
class OwnFit:
    """The fit of one pair, with roles and bounds of its own."""

    optimum: Optimum
    swapped: jax.Array
    low: jax.Array  # bounds on the vector, `[k]`
    high: jax.Array

    def vector(self, frame: Frame, point: jax.Array, options: JointOptions) -> jax.Array:
        """The vector of the model in another frame, with its variances at a point."""
        at = self.optimum
        offset = offset_of(at.model, at.vector, at.centre, at.scale)
        params = replace(at.model.params(at.vector), offset=offset)
        params = swap_params(self.swapped ^ options.swapped, params)
        none = jnp.zeros(at.model.ndim, point.dtype)
        gain = jnp.ones((), point.dtype) if params.gain is None else finite_or(params.gain, 1)
        shift = none if params.shift is None else finite_or(params.shift, 0)
        level = jnp.asarray(level_in(params.gain, params.offset, frame))
        return at.model.pack(point, gain, finite_or(level, 0), shift)

    def noise(self, frame: Frame, options: JointOptions) -> jax.Array:
        """Variances of the noise in the sharper and in the softer image of that frame, ``[2]``."""
        at = self.optimum
        levels = finite_or(at.summary.noise, 1) * (at.scale / frame.scale) ** 2
        return swap_pair(self.swapped ^ options.swapped, levels, levels[::-1])[0]


def own_fit(
    images: tuple[jax.Array, jax.Array],
    usable: Usable,
    noise: tuple[jax.Array, jax.Array | None] | None,
    options: JointOptions,
) -> OwnFit:
    """The fit of a pair as :func:`~gaussjax.estimate_blur` makes it.

    Args:
        images: A and B, as they came.
        usable: which of their pixels.
        noise: standard deviations of the noise in both, ``[2]``, and its autocorrelations (None:
            white), in the order of the images; None: in the softer one only.
        options: of the joint fit.
    """
    shape, correlation, levels = images[0].shape, None, None
    if noise is not None:
        levels, correlation = noise
    if options.estimates_noise:
        levels = jnp.ones(2, images[0].dtype)
    alone = Options(
        family=options.family,
        kernel=options.kernel,
        boundary=options.boundary,
        loss=options.loss,
        gain=options.gain,
        offset=options.offset,
        shift=options.shift,
        estimate_noise=options.estimates_noise,
        largest_radius=largest_radius(shape, options.kernel, options.boundary, None),
        grid=options.grid(len(shape)),
    )
    found = fit_pair(
        *images, usable, None, levels, None, None, options=alone, correlation=correlation
    )
    return OwnFit(*found)
