"""A pair made ready for residuals in the image domain, and which of its pixels are compared."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model import boundary as borders
from gaussjax.model.array_checks import is_traced
from gaussjax.model.edge_plane import EdgePlane
from gaussjax.model.folding import RINGING, CoarseGrid, fold, reference_shape
from gaussjax.model.fourier import forward_transform, inverse_transform
from gaussjax.model.options import PADDED_BOUNDARIES
from gaussjax.model.periodic_part import periodic_part
from gaussjax.model.shape_buckets import bucket_shape, embed
from gaussjax.model.swap import swap_pair
from gaussjax.model.system_response import BlurModel
from gaussjax.model.window import Window, erode, everywhere, interior_window
from gaussjax.numerics.linear_algebra import diagonal
from gaussjax.numerics.pytree import pytree, static
from gaussjax.pair.informative_crop import Crop

# Transfer at the Nyquist frequency of A below which ringing extends over fewer px.
_FAINT = 0.1


@pytree
class Frame:
    """A pair made ready for image-domain residuals: centred, scaled, extended, transformed.

    The images are brought to zero mean and unit contrast of the reference, so that float32 sums
    carry no large constant, and results do not depend on the unit of the pixels.
    """

    # transform of the extended reference, or of its periodic part; across grids with the factors
    # that come before folding
    spectrum: jax.Array
    blurred: jax.Array  # B embedded in the extended frame
    difference: jax.Array  # B - A likewise, subtracted before any rounding; A on the grid of B
    centre: jax.Array  # mean of A, subtracted from both
    scale: jax.Array  # standard deviation of A (1 for a flat image), divides both
    # 1 for the pixels of the extended A that are known, or None where all are
    known: jax.Array | None
    weights: jax.Array | None  # of the pixels of B, embedded like it, or None where all weigh 1
    # px per axis of the images in the corner of the frame, `[ndim]`; None: they fill it
    size: jax.Array | None
    image_shape: tuple[int, ...] = static()  # of the frame before extension
    pad: int = static()  # extension in px
    boundary: str = static()  # one of `BOUNDARIES`
    grid: CoarseGrid | None = static(default=None)  # of B on that of A; None: they share one
    plane: EdgePlane | None = None  # that the spectrum is without; None: it is whole

    @property
    def reference_shape(self) -> tuple[int, ...]:
        """The shape of the extended reference, whose spectrum a response multiplies."""
        return reference_shape(self.grid, self.blurred.shape)

    @property
    def ratios(self) -> tuple[float, ...]:
        """Px of the reference per px of the frame, by axis."""
        return (1.0,) * self.blurred.ndim if self.grid is None else self.grid.steps

    def margins(self, model: BlurModel, vector: jax.Array) -> jax.Array:
        """Margins in px that blur and shift ask for, within those that leave pixels to compare."""
        margins = model.margins(vector)
        if self.grid is not None:
            margins = self._coarse_margins(model, vector, margins)
        if self.size is None:
            return margins
        return jnp.minimum(margins, borders.largest_margins(self.size).astype(margins.dtype))

    def _coarse_margins(self, model: BlurModel, vector: jax.Array, margins: jax.Array) -> jax.Array:
        """Margins in px of A as px of B; wider where sampling between pixels of A rings."""
        assert self.grid is not None
        params = jax.lax.stop_gradient(model.params(vector))
        if params.exponent is None:
            exponents = jnp.pi**2 * diagonal(params.covariance_matrix(model.ndim))
        else:
            exponents = jnp.pi**params.exponent * params.variance
        transfer = jnp.exp(-0.5 * jnp.maximum(exponents, 0))  # at the Nyquist frequency of A
        ringing = jnp.ceil(RINGING * jnp.minimum(transfer / _FAINT, 1))
        return self.grid.coarse_margins(margins, self.image_shape, ringing)


def centre_and_scale(
    image: jax.Array, known: jax.Array | None = None, unit: jax.Array | float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Mean and standard deviation of the pixels that are known (1, missing: 0; None: all).

    The unit stands in for a standard deviation whose square is 0 or does not fit the dtype.
    """
    where = None if known is None else known > 0
    contrast = jnp.var(image, where=where)
    fits = (contrast > jnp.finfo(contrast.dtype).tiny) & jnp.isfinite(contrast)
    # The root inside: at zero its derivative is infinite.
    return jnp.mean(image, where=where), jnp.where(
        fits, jnp.sqrt(jnp.where(fits, contrast, 1)), unit
    )


def make_frame(
    reference: jax.Array,
    blurred: jax.Array,
    difference: jax.Array,
    boundary: str,
    pad: int,
    *,
    centre: jax.Array,
    scale: jax.Array,
    known: jax.Array | None = None,
    weights: jax.Array | None = None,
    size: jax.Array | None = None,
    seamless: bool = False,
    levelled: bool = False,
) -> Frame:
    """Frame of a pair for one of ``BOUNDARIES``.

    Args:
        reference: A, with some finite value where it is missing.
        blurred: B likewise.
        difference: B - A.
        boundary: one of ``BOUNDARIES``.
        pad: extension in px; matters to the padded boundaries only.
        centre: of A, and
        scale: of it, from :func:`centre_and_scale`.
        known: 1 where A is known, 0 where it is missing; None: everywhere.
        weights: of the pixels of B, 0 where it is missing; None: all 1.
        size: px per axis of the images in the corner of the frame; None: they fill it. Goes with
            "valid".
        seamless: take the spectrum of the periodic part of A: not for finite kernels, nor where the
            smooth part would be changed. Goes with "valid".
        levelled: take the spectrum of A without a plane.
    """
    pad = pad if boundary in PADDED_BOUNDARIES else 0
    if known is not None:
        reference = jnp.where(known > 0, reference, centre)
        # What "zero" puts beyond the edge is known.
        known = 1 - borders.extend(1 - known, boundary, pad)
    # Extended first, centred after: "zero" means zero in the caller's unit.
    unit = 1 / scale  # the compiler fuses products into what follows, quotients not
    extended = unit * (borders.extend(reference, boundary, pad) - centre)
    plane = EdgePlane.of(extended) if levelled else None
    level = extended if plane is None else extended - plane.image(extended.shape)
    spectrum = forward_transform(level, reference.ndim)
    return Frame(
        spectrum=periodic_part(spectrum, extended) if seamless else spectrum,
        blurred=borders.embed(unit * (blurred - centre), pad),
        difference=borders.embed(unit * difference, pad),
        centre=centre,
        scale=scale,
        known=known,
        weights=None if weights is None else borders.embed(weights, pad),
        size=size,
        image_shape=reference.shape,
        pad=pad,
        boundary=boundary,
        plane=plane,
    )


def resampled_frame(
    grid: CoarseGrid,
    reference: jax.Array,
    blurred: jax.Array,
    boundary: str,
    *,
    centre: jax.Array,
    scale: jax.Array,
    known: jax.Array | None = None,
    weights: jax.Array | None = None,
    rings: jax.Array | None = None,
) -> Frame:
    """Frame of a fine and a coarse image, on the grid of the coarse one.

    As of :func:`make_frame`, for "valid" and "periodic", with ``known`` on the grid of A. Where
    ``rings`` holds the spectrum is that of the periodic part of A; for local grids only. None: it
    never is.
    """
    if known is not None:
        reference = jnp.where(known > 0, reference, centre)
    unit, shape = 1 / scale, blurred.shape
    fine = unit * (reference - centre)
    spectrum = forward_transform(fine, fine.ndim)
    if grid.is_local and rings is not None:
        spectrum = jnp.where(rings, periodic_part(spectrum, fine), spectrum)
    spectrum = grid.seen(spectrum, shape)
    if grid.is_local:
        difference = unit * (blurred - grid.sampled(reference))
    else:
        sharp = inverse_transform(fold(grid, spectrum, shape), shape)
        difference = unit * (blurred - centre) - sharp
    return Frame(
        spectrum=spectrum,
        blurred=unit * (blurred - centre),
        difference=difference,
        centre=centre,
        scale=scale,
        known=known,
        weights=weights,
        size=None,
        image_shape=shape,
        pad=0,
        boundary=boundary,
        grid=grid,
    )


def frame_window(frame: Frame, margins: jax.Array, ramps: jax.Array | None = None) -> Window:
    """Weights of the pixels that are compared; 0 or 1 unless the caller gave weights.

    For "valid" those ``margins`` px inside (what blur and shift reach, ``[ndim]``), else the frame;
    in both cases ``margins`` px away from missing pixels of A, and not where B is missing. The
    window rises from the edge over ``ramps`` px per axis, ``[ndim]``; None: at once. "periodic" has
    no edge.
    """
    dtype = frame.blurred.dtype
    if frame.boundary == "periodic":
        window = everywhere(frame.blurred.shape, dtype)
    else:
        inside = margins if frame.boundary == "valid" else jnp.zeros_like(margins)
        window = interior_window(frame.image_shape, frame.pad, inside, dtype, ramps, frame.size)
    known = frame.known
    if known is not None:
        known = (erode if frame.grid is None else frame.grid.covered)(known, margins)
    return window.masked([known, frame.weights])


@pytree
class Usable:
    """Which pixels of a pair count, and how much."""

    reference: jax.Array | None  # 1 where A is known, 0 where it is missing; None: all are known
    blurred: jax.Array | None  # likewise of B
    weights: jax.Array | None  # of the pixels of B; None: all weigh 1
    # px per axis of the images, `[ndim]`, in the corner of a larger frame; None: they fill it
    size: jax.Array | None = None

    def of_crop(self, crop: Crop, of: Callable | None = None) -> "Usable":
        """The maps in a crop of the frame, which ``crop.of`` or ``of`` cuts out of each."""
        maps = jax.tree.map(of or crop.of, replace(self, size=None))
        return maps if self.size is None else replace(maps, size=crop.size_of(self.size))

    def resampled(self, grid: CoarseGrid) -> "Usable":
        """The maps, with what is known of a fine reference on the grid of the coarse image."""
        if self.reference is None:
            return self
        no_margins = jnp.zeros(grid.ndim, self.reference.dtype)
        return replace(self, reference=grid.covered(self.reference, no_margins))

    def filling(self, image: jax.Array) -> jax.Array:
        """An image with its first pixel in place of all that the frame has beyond it."""
        if self.size is None:
            return image
        inside = everywhere(image.shape, image.dtype, self.size).values > 0
        return jnp.where(inside, image, image[(0,) * image.ndim])

    def known(self, swapped: jax.Array, image: jax.Array) -> tuple:
        """The maps of the sharper and of the softer image, 1 for None; (None, None): all known."""
        if self.reference is None and self.blurred is None:
            return None, None
        ones = jnp.ones_like(image)
        return swap_pair(
            swapped, *(ones if k is None else k for k in (self.reference, self.blurred))
        )


def in_bucket(
    reference: jax.Array, blurred: jax.Array, usable: Usable
) -> tuple[jax.Array, jax.Array, Usable]:
    """Images and maps in the corner of the frame that their bucket has.

    In NumPy, unless they are being traced: nothing is to be compiled for their own shape.
    """
    shape, traced = reference.shape, is_traced(reference, blurred, usable)
    library: Any = jnp if traced else np

    def embedded(image, known=None) -> Any:
        image = library.asarray(image)
        if known is not None:
            known = library.asarray(known)
            # What is missing may be NaN, which would spread. The known pixel nearest the mean: by
            # any other value grey levels would no longer be seen to be whole numbers.
            off = library.abs(image - library.mean(image, where=known > 0))
            nearest = library.argmin(library.where(known > 0, off, np.inf))
            image = library.where(known > 0, image, image.reshape(-1)[nearest])
        return embed(image, bucket_shape(shape))

    return (
        embedded(reference, usable.reference),
        embedded(blurred, usable.blurred),
        replace(jax.tree.map(embedded, usable), size=np.asarray(shape, np.int32)),
    )


@pytree
class Pair:
    """Two images of one shape, one of which is to be blurred to the other."""

    reference: jax.Array  # A
    blurred: jax.Array  # B
    usable: Usable  # which of their pixels
    swapped: jax.Array  # B is the sharper one, so that it is to be blurred to A
    centre: jax.Array  # subtracted from both images
    scale: jax.Array  # divides both images
    boundary: str = static()  # one of `BOUNDARIES`
    pad: int = static()  # of its frame, px; matters to the padded boundaries only
    seamless: bool = static(default=False)  # its frame takes the periodic part of the reference
    levelled: bool = static(default=False)  # its frame takes the reference without a plane
    integers: bool = static(default=False)  # its grey levels are: which pixels share one is known
    # across two grids it does so where this is true: the blur is so narrow that the jump at the
    # frame's edge rings
    rings: jax.Array | None = None
    grid: CoarseGrid | None = static(default=None)  # of B on that of A; None: they share one

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the images as they are compared: across grids, that of B."""
        return self.blurred.shape

    def crop(self, crop: Crop) -> "Pair":
        """A crop of the pair, beyond whose edges nothing is known.

        It may reach beyond those of a frame that is continued there.
        """

        def of(image, beyond=1.0):  # what "zero" puts there is known
            if self.boundary not in PADDED_BOUNDARIES:
                return crop.of(image)
            return borders.box_of(image, crop.corner, crop.shape, self.boundary, beyond)

        settings = {"boundary": "valid", "pad": 0, "grid": self.grid}
        settings |= {"seamless": self.seamless, "levelled": self.levelled}
        unit = self.centre, self.scale
        if self.grid is not None:
            fine = crop.on_fine_grid(self.grid)
            known = self.usable.reference
            usable = replace(self.usable, reference=None).of_crop(crop)
            usable = replace(usable, reference=None if known is None else fine.of(known))
            images = fine.of(self.reference), crop.of(self.blurred)
            return Pair(*images, usable, self.swapped, *unit, rings=self.rings, **settings)
        reference, blurred = of(self.reference, 0.0), of(self.blurred, 0.0)
        usable = self.usable.of_crop(crop, of)
        return Pair(reference, blurred, usable, self.swapped, *unit, **settings)

    def frame(self) -> Frame:
        """The pair made ready for residuals, its sharper image as the reference."""
        if self.grid is not None:
            return self._resampled()
        known, weights = self.usable.known(self.swapped, self.reference)
        if self.usable.weights is not None:
            weights = self.usable.weights * (1 if weights is None else weights)
        sharp, soft = swap_pair(self.swapped, self.reference, self.blurred)
        # The difference of the images as they came: oriented ones would be written out first.
        sign = jnp.where(self.swapped, -1, 1).astype(sharp.dtype)
        return make_frame(
            sharp,
            soft,
            sign * (self.blurred - self.reference),
            self.boundary,
            self.pad,
            centre=self.centre,
            scale=self.scale,
            known=known,
            weights=weights,
            size=self.usable.size,
            seamless=self.seamless,
            levelled=self.levelled,
        )

    def _resampled(self) -> Frame:
        """The frame of a pair on two grids, whose roles are never exchanged."""
        assert self.grid is not None
        maps = [each for each in (self.usable.blurred, self.usable.weights) if each is not None]
        return resampled_frame(
            self.grid,
            self.reference,
            self.blurred,
            self.boundary,
            centre=self.centre,
            scale=self.scale,
            known=self.usable.reference,
            weights=reduce(jnp.multiply, maps) if maps else None,
            rings=self.rings if self.seamless else None,
        )
