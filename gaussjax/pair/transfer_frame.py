"""A pair made ready for its transfer function: centred, continued over the edge, windowed."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp

from gaussjax.model.arguments import fill_with_mean
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.fourier import forward_transform, squared_magnitude
from gaussjax.model.noise_correlation import noise_colour
from gaussjax.model.window import erode, interior_window
from gaussjax.numerics.pytree import pytree
from gaussjax.pair.transfer_padding import Layout
from gaussjax.statistics.coloured_noise import Colours, Levels, coloured
from gaussjax.statistics.noise_levels import noise_ceiling

# Least noise of B, in variances of A's: where B has none at all, high frequencies that the filter
# has emptied are no instrument.
_LEAST_NOISE = 1e-4
# Part of an axis over which the window rises: against leakage of the residual.
_RAMP = 1 / 16


@dataclass(frozen=True)
class TransferOptions:
    """What a program is compiled for."""

    num_bins: int
    axis: int | None
    boundary: str
    gain: bool
    shift: bool
    margin: int | None
    bent: bool  # noise in A is taken into account
    estimate_noise: bool = False  # its level, and that of B, are found
    grid: CoarseGrid | None = None  # of B on that of A

    def layout(self, shape: tuple[int, ...]) -> Layout:
        """The layout of a pair whose B has this shape."""
        return Layout.of(shape, self.boundary, self.grid)


@pytree
class TransferFrame:
    """A pair made ready: about its means, in units of the contrast of A."""

    difference: jax.Array  # B - A, on the grid of B
    a: jax.Array  # transform of A, continued; across grids with the factors before folding
    b: jax.Array  # of B, on the half plane of A
    noise: jax.Array  # (v_A, v_B); (0, 1) where A has none, and to start from
    ceiling: jax.Array  # the largest that they can be, by the power at high frequencies
    scale: jax.Array  # the contrast of A
    # (s_A, s_B) of noise whose neighbours correlate, both on the half plane of A; None: white
    colours: Colours | None = None

    @property
    def levels(self) -> Levels:
        """(v_A, v_B), or (v_A s_A, v_B s_B) by frequency."""
        return coloured(self.noise, self.colours)


Known = tuple[jax.Array | None, jax.Array | None]  # 1 where A, where B is known; None: everywhere


def prepared(
    reference: jax.Array,
    blurred: jax.Array,
    known: Known,
    noise: jax.Array | None,
    options: TransferOptions,
    correlation: jax.Array | None = None,
) -> TransferFrame:
    """The frame of a pair.

    ``noise`` holds standard deviations, or is None where A has none; ``correlation``
    autocorrelations, ``[2, *lags]``, or is None where noise is white.
    """
    a, b = fill_with_mean(reference, known[0]), fill_with_mean(blurred, known[1])
    layout, scale = options.layout(b.shape), jnp.std(a)
    # What is left of a flat image is rounding, which no scale makes a signal.
    flat = scale <= 8 * jnp.finfo(a.dtype).eps * jnp.max(jnp.abs(a))
    scale = jnp.where(flat, 1, scale)
    own, other = ((image - jnp.mean(image)) / scale for image in (a, b))
    whole = layout.continued_reference(jnp.where(flat, 0, own)), layout.continued_blurred(other)
    plain, seen = (forward_transform(image, a.ndim) for image in whole)
    if options.grid is None:
        spectrum = plain
        # Before any rounding.
        difference = b - a
        difference = (difference - jnp.mean(difference)) / scale
    else:
        spectrum = options.grid.seen(plain, layout.whole)
        difference = other - layout.image(spectrum)
    given = jnp.asarray([0, 1], a.dtype)
    if noise is not None and not options.estimate_noise:
        given = (noise / scale) ** 2
    given = jnp.maximum(given, given[0] * jnp.asarray([0, _LEAST_NOISE], a.dtype))
    energy = layout.energy(a.dtype)
    ceiling = [
        noise_ceiling(squared_magnitude(plain) / (energy * layout.ratio), layout.reference_shape),
        noise_ceiling(squared_magnitude(seen) / energy, layout.whole),
    ]
    colours = None
    if correlation is not None:
        sharp, soft = map(noise_colour, correlation, (layout.reference_shape, layout.whole))
        colours = sharp, layout.tiled(soft).real
    return TransferFrame(
        difference=difference,
        a=spectrum,
        b=layout.tiled(seen),
        noise=given,
        ceiling=jnp.stack(ceiling),
        scale=scale,
        colours=colours,
    )


def window_of(
    shape: tuple[int, ...], margins: jax.Array, known: Known, options: TransferOptions, dtype
) -> jax.Array:
    """Weights of the pixels that are compared; ``shape`` and ``margins`` are those of B."""
    window = jnp.ones(shape, dtype)
    if options.boundary == "valid":
        inside = jnp.asarray(shape, dtype) - 2 * margins.astype(dtype)
        ramps = jnp.maximum(_RAMP * inside, 1)
        window = interior_window(shape, 0, margins, dtype, ramps).values
    if known[0] is not None:
        shrunk = erode if options.grid is None else options.grid.covered
        window = window * shrunk(known[0], margins.astype(dtype))
    return window if known[1] is None else window * known[1]
