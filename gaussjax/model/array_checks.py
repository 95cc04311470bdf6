"""Checks of arrays and numbers that may be traced; each names the argument.

Single values that never are have theirs in :mod:`gaussjax.checks`.
"""

import numbers
from collections.abc import Callable, Iterator
from os import PathLike
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from gaussjax.checks import as_count, as_flag, as_number, check_function, shown
from gaussjax.numerics.pytree import flatten


def is_traced(*values) -> bool:
    """True when any array among ``values`` is known only while tracing, so has no value yet."""
    return any(isinstance(value, Tracer) for value in flatten(values)[0])


def check_known(why: str, **given) -> None:
    """Raise ValueError for what is traced; of collections only those that JAX would take apart."""
    for name, value in given.items():
        if not isinstance(value, Iterator) and is_traced(value):
            raise ValueError(f"{name} must be known, not traced: {why}")


def as_array(value, name: str) -> Any:
    """``value`` as an array, of NumPy if it is none yet; ValueError where it has no shape.

    In a format of numbers that JAX knows: readers of FITS hand on the byte order of the file.
    """
    if isinstance(value, jax.Array):
        if not is_traced(value) and value.is_deleted():
            raise ValueError(f"{name} has been deleted: its memory was donated to a program of JAX")
        return value
    try:
        return jnp.asarray(value) if is_traced(value) else _as_jax_takes_it(np.asarray(value))
    except Exception as error:
        raise ValueError(f"{name} must be an array; got {shown(value)}: {error}") from None


def _as_jax_takes_it(array: np.ndarray) -> np.ndarray:
    """Without what JAX has no types for: bytes in another order, as FITS has them, and 80 bit."""
    if array.dtype.char == "g":
        return array.astype(np.float64)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def narrowed(array, name: str) -> Any:
    """A copy of a NumPy array as precise as JAX will hold it; ValueError for what does not fit.

    A copy, because programs run on after a call has returned: one that reads the caller's memory
    would blur the next frame where a buffer is filled anew.
    """
    if not isinstance(array, np.ndarray):
        return array
    if array.dtype.kind != "f":
        return array.copy()
    dtype = jax.dtypes.canonicalize_dtype(array.dtype)
    try:
        with np.errstate(over="raise"):
            return array.astype(dtype)
    except FloatingPointError:
        most = np.finfo(dtype).max
        raise ValueError(
            f"{name} has values beyond {most:.2g}, the largest of {dtype}: scale it, or enable"
            " jax_enable_x64"
        ) from None


def check_type_of_jax(value, name: str) -> None:
    """Raise TypeError for a NumPy array of a type that JAX does not have."""
    if not isinstance(value, np.ndarray | np.generic):
        return
    if _as_jax_takes_it(np.asarray(value)).dtype != value.dtype:
        raise TypeError(
            f"{name} is of type {value.dtype}, which JAX does not have: use astype(float)"
        )


def kind_of(dtype) -> str:
    """The kind of a dtype, as NumPy's, with "f" for all floating types."""
    if jnp.issubdtype(dtype, jnp.floating):
        return "f"
    try:
        return np.dtype(dtype).kind
    except TypeError:  # a type that only JAX has, as that of random keys
        return "V"


def as_real(value, name: str, kinds: str = "iufb") -> Any:
    """``value`` as an array of real numbers; TypeError if it is none, or a masked array."""
    # That of other libraries, such as astropy's CCDData, would be dropped without a word.
    if isinstance(getattr(value, "mask", None), np.ndarray | np.bool_):
        raise TypeError(
            f"{name} is a masked array: pass its data, and the pixels to use as mask=~array.mask"
        )
    array = as_array(value, name)
    kind = kind_of(array.dtype)
    if kind not in kinds:
        advice = _advice(value, name, kind)
        raise TypeError(f"{name} must be an array of real numbers, got dtype {array.dtype}{advice}")
    return array


def _advice(value, name: str, kind: str) -> str:
    """What to do about an array of such a kind, as the end of a sentence."""
    if kind == "c":
        return "; pass its magnitude or real part"
    if isinstance(value, str | PathLike):
        return "; of a file pass gaussjax.read_image(path).values"
    holders = (x for x in ("values", "data") if isinstance(getattr(value, x, None), np.ndarray))
    return f"; pass its array, {name}.{held}" if kind == "O" and (held := next(holders, "")) else ""


def as_scalar(value, name: str) -> Any:
    """``value`` as a real number, traced or not."""
    array = as_real(value, name, "iuf")
    if array.shape != ():
        raise ValueError(f"{name} must be one number; got {shown(value)}")
    return array


def as_two_numbers(value, name: str, wanted: str) -> np.ndarray | None:
    """Two real numbers as an array in float64; None while one of them is traced.

    ``wanted`` says in words what they must be. TypeError unless they are in a tuple, a list or an
    array of real numbers; ValueError for another number of them, one by itself included.
    """
    refusal = f"{name} must be {wanted}; got {shown(value)}"
    if not isinstance(value, tuple | list | np.ndarray | jax.Array | numbers.Real):
        raise TypeError(refusal)
    array = as_real(value, name, "iuf")
    if array.shape != (2,):
        raise ValueError(refusal)
    return None if is_traced(array) else np.asarray(array, float)


def as_shape(shape, name: str) -> tuple[int, ...]:
    """The shape of an image as a tuple of ints."""
    if not isinstance(shape, tuple | list):
        raise TypeError(f"{name} must be a tuple of whole numbers; got {shown(shape)}")
    if not 1 <= len(shape) <= 3:
        raise ValueError(f"{name} must have 1 to 3 axes; got {shown(shape)}")
    return tuple(as_count(n, f"every axis of {name}", 2, 2**31 - 1) for n in shape)


def as_flags(**flags) -> tuple[bool, ...]:
    """Each of them by :func:`~gaussjax.checks.as_flag`, in their order."""
    return tuple(as_flag(value, name) for name, value in flags.items())


def check_elementwise(function: Callable, name: str, shape: tuple[int, ...]) -> None:
    """Raise TypeError unless a function maps a traced array to real numbers of its shape."""
    check_function(function, name)
    wanted = f"{name} must be a hashable function of jax.numpy operations that keeps the shape"
    try:
        hash(function)
        # Not the function itself: JAX crashes on one without weak references, such as np.ceil.
        found = jax.eval_shape(
            lambda x: function(x), jax.ShapeDtypeStruct(shape, jnp.result_type(float))
        )
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise TypeError(f"{wanted}; of {shown(function)} it fails: {reason}") from error
    if getattr(found, "shape", None) != shape or kind_of(found.dtype) not in "iuf":
        raise TypeError(f"{wanted}; {shown(function)} returns {found}")


def as_probability(value, name: str) -> Any:
    """``value`` as a number between 0 and 1, traced or not."""
    if is_traced(value):
        return as_scalar(value, name)
    return as_number(value, name, "between 0 and 1", lambda x: 0 < x < 1)


def as_numbers_per_axis(
    value, ndim: int, name: str, wanted: str, is_right: Callable[[float], bool]
) -> tuple[float, ...]:
    """One number for each of ``ndim`` axes, from one for all of them or a collection of as many.

    ``wanted`` says in words what makes a number right. TypeError for no numbers, or traced ones;
    ValueError for another number of them, or others than are wanted.
    """
    wanted = f"a number or one for each of the {ndim} axes, {wanted}"
    many = isinstance(value, tuple | list) or len(as_array(value, name).shape) == 1
    values = list(value) if many and not is_traced(value) else [value] * ndim
    if len(values) != ndim:
        raise ValueError(f"{name} must be {wanted}; got {shown(value)}")
    return tuple(as_number(each, name, wanted, is_right) for each in values)
