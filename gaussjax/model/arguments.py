"""Checks of what callers pass: static faults raise here, at trace time, naming the argument."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gaussjax.model.options import ALL_FAMILIES, GENERALISED, check_family, check_option


def as_image(image, name: str) -> jax.Array:
    """``image`` as a floating array of rank 1, 2 or 3; integers, booleans and halves are promoted.

    Raises:
        TypeError: not an array of real numbers, or a masked array.
        ValueError: rank 0 or above 3, empty, an axis of size 1, or the shape of a colour image.
    """
    if isinstance(image, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array: pass its data, and the pixels to use as mask=~array.mask"
        )
    if not isinstance(image, jax.Array):
        image = np.asarray(image)
    kind = np.dtype(image.dtype).kind
    if not (jnp.issubdtype(image.dtype, jnp.floating) or kind in "iub"):
        advice = "; pass its magnitude or real part" if kind == "c" else ""
        raise TypeError(f"{name} must be an array of real numbers, got dtype {image.dtype}{advice}")
    shape = tuple(image.shape)
    if not 1 <= len(shape) <= 3:
        raise ValueError(
            f"{name} must be a signal, image or volume of rank 1 to 3, got shape {shape};"
            " map over batches with jax.vmap"
        )
    if min(shape) < 2:
        what = "is empty" if 0 in shape else "has an axis of size 1"
        raise ValueError(f"{name} {what}: got shape {shape}; every axis needs at least 2 pixels")
    if len(shape) == 3 and shape[-1] in (3, 4):
        raise ValueError(
            f"{name} of shape {shape} looks like a colour image: reduce it to luminance, or map"
            " over the channels with jax.vmap; in a volume this thin, move that axis to the front"
        )
    wide = jnp.issubdtype(image.dtype, jnp.floating) and np.dtype(image.dtype).itemsize >= 4
    if isinstance(image, jax.Array):
        return image if wide else image.astype(jnp.result_type(float))
    # Not by jnp.asarray, which compiles a program for every shape.
    return jax.device_put(image if wide else image.astype(jnp.result_type(float)))


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


def is_traced(*values) -> bool:
    """True when any array among ``values`` is known only while tracing, so has no value yet."""
    return any(isinstance(v, Tracer) for v in jax.tree.leaves(values))


def as_mask_pair(
    mask, image: jax.Array, blurred: jax.Array | None = None
) -> tuple[jax.Array | None, jax.Array | None]:
    """(mask_reference, mask_blurred) as 0 and 1 in the image's dtype, None where nothing is masked.

    Those of ``image``, or of an image and another one that ``blurred`` is.

    Raises:
        ValueError: a shape other than the images', NaN, or no pixel left.
    """
    pair = tuple(mask) if isinstance(mask, tuple | list) and len(mask) == 2 else (None, mask)
    return tuple(  # pyright: ignore[reportReturnType]
        None if each is None else _as_mask(each, of, name)
        for each, of, name in zip(
            pair,
            (image, image if blurred is None else blurred),
            ("mask of reference", "mask of blurred"),
            strict=True,
        )
    )


def _as_mask(mask, image: jax.Array, name: str) -> jax.Array:
    mask = _as_map(mask, image.shape, name)
    if not is_traced(mask):
        if bool(jnp.any(jnp.isnan(mask))):
            raise ValueError(f"{name} contains NaN; give True where a pixel may be used")
        if not bool(jnp.any(mask.astype(bool))):
            raise ValueError(f"{name} leaves no pixel; give True where a pixel may be used")
    return mask.astype(bool).astype(image.dtype)


def as_weights(weights, blurred: jax.Array) -> jax.Array | None:
    """Weights in the images' dtype, or None; ValueError for a wrong shape or negative values."""
    if weights is None:
        return None
    weights = _as_map(weights, blurred.shape, "weights").astype(blurred.dtype)
    if not is_traced(weights) and not bool(jnp.all((weights >= 0) & jnp.isfinite(weights))):
        raise ValueError("weights must be finite and not negative; use mask to leave pixels out")
    return weights


def _as_map(values, shape: tuple[int, ...], name: str) -> jax.Array:
    values = jnp.asarray(values)
    if values.shape != shape:
        raise ValueError(f"{name} must have the shape of the images, {shape}; got {values.shape}")
    return values


def as_noise(noise_std, dtype) -> tuple[jax.Array | None, bool]:
    """Two noise levels or None, and whether they are only where to start from.

    Raises:
        ValueError: neither None, "estimate" nor two numbers that are not negative.
    """
    if noise_std is None:
        return None, False
    if isinstance(noise_std, str):
        check_option(noise_std, ("estimate",), "noise_std")
        # Equal levels: only the ratio matters.
        return jax.device_put(np.ones(2, dtype)), True
    advice = "noise_std must be None, 'estimate' or (std_reference, std_blurred)"
    parts = list(noise_std) if isinstance(noise_std, tuple | list) else noise_std
    shapes = [jnp.shape(part) for part in parts] if isinstance(parts, list) else jnp.shape(parts)
    if shapes not in ([(), ()], (2,)):
        if shapes == ():
            advice += "; for noise in blurred only, leave it out"
        raise ValueError(f"{advice}; got {noise_std!r}")
    if is_traced(noise_std):
        return jnp.stack([jnp.asarray(parts[k], dtype) for k in range(2)]), False
    # In NumPy: outside of a program each operation would be compiled by itself.
    values = np.asarray(parts, float)
    if not (np.all((values >= 0) & np.isfinite(values)) and np.any(values > 0)):
        raise ValueError(f"{advice}, not negative and not both 0; got {noise_std!r}")
    return jax.device_put(values.astype(dtype)), False


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
            raise ValueError(f"{name} has {bad} NaN or infinite pixels; mask, replace or crop them")


def check_bounds(bounds) -> None:
    """Raise ValueError unless ``bounds`` is None or (low, high) with low < high."""
    if bounds is None or is_traced(bounds):
        return
    values = np.asarray(bounds, dtype=float)
    if values.shape != (2,) or not values[0] < values[1]:
        raise ValueError(f"bounds must be (low, high) in sigma with low < high, got {bounds}")


def check_fit_options(family: str, bounds, *, generalised: bool = False) -> None:
    """Raise ValueError for options that no fit takes, and for bounds out of order.

    Args:
        family: of the blur.
        bounds: on sigma.
        generalised: the fit takes the generalised Gaussian, too.
    """
    if generalised:
        check_option(family, ALL_FAMILIES, "family")
    else:
        check_family(family)
    check_bounds(bounds)
    if bounds is not None and family == "full":
        raise ValueError("bounds are on sigma per axis; family='full' takes none")
    if bounds is not None and family == GENERALISED:
        raise ValueError("bounds are on the sigma of a Gaussian; family='generalised' takes none")
