"""Checks of what a fit is given: static faults raise here, at trace time, naming the argument.

Arrays and numbers in general are checked by :mod:`gaussjax.model.array_checks`.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gaussjax.checks import (
    check_option,
    looks_like_channels,
    looks_like_colour,
    masks_of_both,
    shown,
)
from gaussjax.model.array_checks import (
    as_real,
    as_two_numbers,
    check_elementwise,
    check_type_of_jax,
    is_traced,
    narrowed,
)
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import (
    ALL_FAMILIES,
    BOUNDARIES,
    GENERALISED,
    LOSSES,
    AnyFamily,
    Boundary,
    LossName,
    check_family,
)

# A mask of B, or one of A and one of B.
Mask = ArrayLike | tuple[ArrayLike | None, ArrayLike | None]


def as_image(image, name: str) -> jax.Array:
    """``image`` as a floating array of rank 1, 2 or 3; integers, booleans and halves are promoted.

    TypeError unless it is an array of real numbers; ValueError for another rank, an empty or size-1
    axis, or the shape of a colour image.
    """
    image = as_real(image, name)
    shape = tuple(image.shape)
    if not 1 <= len(shape) <= 3:
        raise ValueError(
            f"{name} must be a signal, image or volume of rank 1 to 3, got shape {shape};"
            " map over batches with jax.vmap"
        )
    if min(shape) < 2:
        what = "is empty" if 0 in shape else "has an axis of size 1"
        raise ValueError(f"{name} {what}: got shape {shape}; every axis needs at least 2 pixels")
    if looks_like_colour(shape):
        raise ValueError(
            f"{name} of shape {shape} looks like a colour image: reduce it to luminance, or map"
            " over the channels with jax.vmap; in a volume this thin, move that axis to the front"
        )
    wide = jnp.issubdtype(image.dtype, jnp.floating) and np.dtype(image.dtype).itemsize >= 4
    if isinstance(image, jax.Array):
        return image if wide else image.astype(jnp.result_type(float))
    # Not by jnp.asarray, which compiles a program for every shape.
    return jax.device_put(narrowed(image, name) if wide else image.astype(jnp.result_type(float)))


def as_pair(reference, blurred) -> tuple[jax.Array, jax.Array]:
    """Both images by :func:`as_image`, in their common dtype; ValueError when the shapes differ."""
    reference = as_image(reference, "reference")
    blurred = as_image(blurred, "blurred")
    if reference.shape != blurred.shape:
        raise ValueError(
            "reference and blurred must have the same shape, got"
            f" {reference.shape} and {blurred.shape}; crop or register them first"
        )
    if reference.dtype == blurred.dtype:
        return reference, blurred
    dtype = np.promote_types(reference.dtype, blurred.dtype)
    return reference.astype(dtype), blurred.astype(dtype)


def check_no_channels(name: str, shape: tuple[int, ...], family: AnyFamily, *how: Any) -> None:
    """Raise ValueError for the shape of a colour image with its channels first."""
    if fault := channels_fault(shape, family, *how):
        raise ValueError(f"{name} of {fault}")


def channels_fault(
    shape: tuple[int, ...], family: AnyFamily, kernel: Kernel, boundary: Boundary, spacing: Any
) -> str:
    """What is wrong with the shape of a colour image that has its channels first; empty if nothing.

    Nothing is with what may be asked of a volume of so few slices: with "valid" a blur across them
    leaves none of them to compare.
    """
    told = spacing is not None or kernel.radius is not None or family == "axis_aligned"
    if boundary != "valid" or told or not looks_like_channels(shape):
        return ""
    return (
        f"shape {shape} looks like a colour image with its channels first: reduce it to luminance,"
        " or pass the channels as a stack to estimate_blurs, fit_dataset(batched=True) or jax.vmap."
        " A volume of so few slices takes spacing, family='axis_aligned' or another boundary than"
        " 'valid'"
    )


def as_mask_pair(
    mask,
    image: jax.Array | jax.ShapeDtypeStruct,
    blurred: jax.Array | jax.ShapeDtypeStruct | None = None,
) -> tuple[jax.Array | None, jax.Array | None]:
    """(mask_reference, mask_blurred) as 0 and 1 in the image's dtype, None where nothing is masked.

    Those of ``image``, or of an image and another one that ``blurred`` is. TypeError unless they
    are numbers or Booleans; ValueError for a shape other than the images', NaN, or no pixel left.
    """
    return tuple(  # pyright: ignore[reportReturnType]
        None if each is None else _as_mask(each, of, name)
        for each, of, name in zip(
            masks_of_both(mask),
            (image, image if blurred is None else blurred),
            ("mask of reference", "mask of blurred"),
            strict=True,
        )
    )


def _as_mask(mask, image: jax.Array | jax.ShapeDtypeStruct, name: str) -> jax.Array:
    mask = _as_map(mask, image.shape, name)
    if not is_traced(mask):
        values = np.asarray(mask)
        if np.any(np.isnan(values)):
            raise ValueError(f"{name} contains NaN; give True where a pixel may be used")
        if not np.any(values):
            raise ValueError(f"{name} leaves no pixel; give True where a pixel may be used")
    known = mask.astype(bool)  # before JAX narrows it
    return jnp.asarray(known).astype(image.dtype)


def as_weights(weights, blurred: jax.Array | jax.ShapeDtypeStruct) -> jax.Array | None:
    """Weights in the images' dtype, or None; ValueError for a wrong shape or wrong values."""
    if weights is None:
        return None
    weights = _as_map(weights, blurred.shape, "weights")
    if not is_traced(weights):
        values = np.asarray(weights)
        if not (np.all((values >= 0) & np.isfinite(values)) and np.any(values > 0)):
            raise ValueError(
                "weights must be finite and not negative, and some above 0; use mask to leave"
                " pixels out"
            )
    traced = is_traced(weights)
    weights = jnp.asarray(narrowed(weights, "weights")).astype(blurred.dtype)
    if not traced:
        return weights
    fine = (weights >= 0) & jnp.isfinite(weights)
    return jnp.where(fine, weights, jnp.asarray(jnp.nan, weights.dtype))  # a status tells


def _as_map(values, shape: tuple[int, ...], name: str) -> Any:
    values = as_real(values, name)
    if values.shape != shape:
        raise ValueError(f"{name} must have the shape of the images, {shape}; got {values.shape}")
    return values


def as_noise(noise_std: Any, dtype) -> tuple[jax.Array | None, bool]:
    """Two noise levels or None, and whether they are only where to start from.

    TypeError or ValueError unless it is None, "estimate" or two numbers that are not negative.
    """
    if noise_std is None:
        return None, False
    levels: Any = noise_std
    is_number = np.isscalar(levels) and not isinstance(levels, str)
    hint = "; for noise in blurred only, leave it out" if is_number else ""
    wanted = f"None, 'estimate' or (std_reference, std_blurred){hint}"
    if isinstance(noise_std, str):
        if noise_std != "estimate":
            raise ValueError(f"noise_std must be {wanted}; got {shown(noise_std)}")
        # Equal levels: only the ratio matters.
        return jax.device_put(np.ones(2, dtype)), True
    values = as_two_numbers(noise_std, "noise_std", wanted)
    if values is None:
        levels = jnp.stack([jnp.asarray(noise_std[k], dtype) for k in range(2)])
        right = jnp.all(levels >= 0) & jnp.any(levels > 0)
        return jnp.where(right, levels, jnp.asarray(jnp.nan, dtype)), False  # a status tells
    # In NumPy: outside of a program each operation would be compiled by itself.
    if not (np.all((values >= 0) & np.isfinite(values)) and np.any(values > 0)):
        raise ValueError(
            f"noise_std must be {wanted}, not negative and not both 0; got {shown(noise_std)}"
        )
    return jax.device_put(values.astype(dtype)), False


_REMEDIES = {
    "reference": "mask them, with mask=(mask_reference, mask_blurred), or replace or crop them",
    "blurred": "mask, replace or crop them",
    "image": "replace or crop them",
}


def fill_with_mean(image: jax.Array, known: jax.Array | None) -> jax.Array:
    """The image with its mean where it is not known, so that NaN stays out of every sum."""
    if known is None:
        return image
    # Counted as integers: single precision ends at 2^24.
    count = jnp.maximum(jnp.sum(known > 0), 1).astype(image.dtype)
    mean = jnp.sum(jnp.where(known > 0, image, 0)) / count
    return jnp.where(known > 0, image, mean)


def check_finite(image: jax.Array, name: str, known: jax.Array | None = None) -> None:
    """Raise ValueError for NaN or infinite pixels where ``known``, or anywhere if that is None.

    Silent under tracing, where a status tells.
    """
    if not is_traced(image, known):
        # In NumPy, which compiles nothing; on the CPU it reads the same memory.
        odd = ~np.isfinite(np.asarray(image))
        bad = np.count_nonzero(odd if known is None else odd & (np.asarray(known) > 0))
        if bad:
            raise ValueError(f"{name} has {bad} NaN or infinite pixels; {_REMEDIES[name]}")


def check_bounds(bounds) -> None:
    """Raise TypeError or ValueError unless ``bounds`` is None or (low, high) with low < high."""
    if bounds is None:
        return
    wanted = "(low, high) in sigma with low < high"
    values = as_two_numbers(bounds, "bounds", wanted)
    check_type_of_jax(bounds, "bounds")
    if values is not None and not values[0] < values[1]:
        raise ValueError(f"bounds must be {wanted}; got {shown(bounds)}")


def check_fit_options(
    family: AnyFamily,
    bounds,
    *,
    boundary: Boundary = "valid",
    loss: LossName | Callable = "squared",
    generalised: bool = False,
) -> None:
    """Raise TypeError or ValueError for options that no fit takes, and for wrong bounds.

    ``generalised``: the fit takes the generalised Gaussian, too.
    """
    if generalised:
        check_option(family, ALL_FAMILIES, "family")
    else:
        check_family(family)
    check_option(boundary, BOUNDARIES, "boundary")
    if isinstance(loss, str) or not callable(loss):
        check_option(loss, LOSSES, "loss")
    else:
        check_elementwise(loss, "loss", (8,))
    check_bounds(bounds)
    if bounds is not None and family == "full":
        raise ValueError("bounds are on sigma per axis; family='full' takes none")
    if bounds is not None and family == GENERALISED:
        raise ValueError("bounds are on the sigma of a Gaussian; family='generalised' takes none")


def check_together(noise_std, loss: LossName | Callable, weights=None) -> None:
    """Raise ValueError for noise in both images beside another loss, or beside weights."""
    if noise_std is not None and (loss != "squared" or weights is not None):
        raise ValueError(
            "noise_std describes the noise of both images: it goes with loss='squared' and"
            f" without weights; got loss={loss!r}, weights {'' if weights is None else 'not '}None"
        )
