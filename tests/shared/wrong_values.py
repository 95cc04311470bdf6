"""What people pass by mistake, and some of what they pass rightly: values for every argument."""

import math
from decimal import Decimal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import gaussjax as gj

SHAPE = (12, 10)
RAMP = np.outer(np.arange(1, 13), np.arange(3, 13)).astype(np.float32)


class _Unhashable:
    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __call__(self, x):
        return x


class _Speechless:
    def __repr__(self):
        raise RuntimeError("of the caller's own")


class Tensor:
    """An array of a library with dtypes of its own, as those of torch."""

    def __init__(self, values):
        self.values, self.shape, self.dtype = values, values.shape, "torch.float32"

    def __array__(self, dtype=None, copy=None):
        return self.values if dtype is None else self.values.astype(dtype)


def _fails(x):
    raise RuntimeError("of the caller's own")


def _params(variance, **others):
    return gj.BlurParams(variance, **others)


def _spectra(shape=(12, 6), image_shape=SHAPE, cross=np.complex64, **others):
    power = np.ones(shape, np.float32)
    parts = {
        "reference_power": power,
        "cross_power": power.astype(cross),
        "unexplained_power": power,
        "num_pairs": np.int32(1),
        "image_shape": image_shape,
    }
    return gj.Spectra(**{**parts, **others})


def estimate(shape=(), ndim=2, **others):
    """An estimate of one pair that nobody has fitted, or of a batch."""
    number = np.ones(shape, np.float32)
    params = _params(number[..., None])
    parts = {
        "params": params,
        "standard_error": params,
        **dict.fromkeys(("sigma", "sigma_standard_error", "sigma_model_error"), number),
        "covariance_matrix": number[..., None, None] * np.eye(ndim, dtype=np.float32),
        **dict.fromkeys(("loss", "noise_variance"), number),
        "noise_std": np.stack([0 * number, number], -1),
        **dict.fromkeys(("num_pixels", "num_steps"), number.astype(np.int32)),
        "status": np.zeros(shape, np.int32),
        "adequacy": None,
        "kernel": gj.Kernel(),
    }
    return gj.BlurEstimate(**{**parts, **others})


def values():
    """All of them, by name; made anew, because some can be used up."""
    text = {
        "a word": "no",
        "no text": "",
        "digits": "4",
        "bytes": b"4",
        "a NumPy word": np.str_("no"),
        "text of two lines": "isotropic\n",
        "text with a zero": "a\0b",
        "a long text": "sampled" * 1000,
        "a path": Path("nowhere"),
        **{f"{word!r}": word for word in ("isotropic", "sampled", "reflect", "huber", "estimate")},
        **{f"{word!r}": word for word in ("valid", "float64", "log_sigma")},
    }
    numbers = {
        **{f"{x}": x for x in (True, False, 0, 1, 3, -1, 0.5, 2.5, -1.5, 1e9, 1j, 10**30)},
        **{f"{x}": x for x in (math.nan, math.inf, -math.inf)},
        "a Decimal": Decimal("2.5"),
        "np.float32(2.5)": np.float32(2.5),
        "np.int64(3)": np.int64(3),
        "np.True_": np.bool_(True),
        "a 0-d array": np.asarray(2.5),
        "a JAX number": jnp.asarray(2.5),
    }
    collections = {
        "()": (),
        "[]": [],
        "{}": {},
        "a dictionary": {"a": 1},
        "a dictionary of mixed keys": {1: 0, "a": 1},
        "a set": {1, 2},
        "(1, 2)": (1, 2),
        "(5, 4)": (5, 4),
        "[2.0, 1.0]": [2.0, 1.0],
        "(1, 2, 3)": (1, 2, 3),
        "(0, 0)": (0, 0),
        "(-1, 2)": (-1, 2),
        "(nan, 1)": (math.nan, 1),
        "(1, None)": (1, None),
        "two words": ("a", "b"),
        "a ragged list": [[1, 2], [3]],
        "a huge shape": (10**12, 10**12, 10**12),
        "a range": range(5),
    }
    arrays = {
        "an image": RAMP,
        "an image of bytes": RAMP.astype(np.uint8),
        "a Boolean image": RAMP > 20,
        "a JAX image": jnp.asarray(RAMP),
        "an image of zeros": np.zeros(SHAPE, np.float32),
        "a negative image": -RAMP,
        "an image with NaN": np.where(RAMP == 24, np.nan, RAMP),
        "an image of NaN": np.full(SHAPE, np.nan, np.float32),
        "a complex image": RAMP.astype(np.complex64),
        "an image of text": RAMP.astype(str),
        "an image of objects": RAMP.astype(object),
        "an image of dates": RAMP.astype(int).astype("datetime64[D]"),
        "records": np.zeros(SHAPE, [("y", "f4"), ("x", "f4")]),
        "a masked array": np.ma.masked_greater(RAMP, 40),
        "an image of another shape": RAMP[:7, :5],
        "a colour image": np.stack([RAMP] * 3, -1),
        "a batch": np.stack([RAMP] * 2),
        "an array of rank 4": np.zeros((2, 2, 2, 2)),
        "an empty array": np.zeros((0, 5)),
        "a column": RAMP[:, :1],
        "[1.0]": np.ones(1),
        "[1.0, 2.0]": np.asarray([1.0, 2.0]),
        "a random key": jax.random.key(0),
        "an image of FITS": RAMP.astype(">f4"),
        "an image of 80 bit": RAMP.astype(np.longdouble),
        "a tensor": Tensor(RAMP),
    }
    one = np.ones(1, np.float32)
    ours = {
        "a sampled Kernel": gj.Kernel("sampled", truncate=3.0),
        "params": _params(one),
        "params of two axes": _params(np.ones(2, np.float32), family="axis_aligned"),
        "params with an offset": _params(one, offset=np.float32(1)),
        "params of a number": _params(1.0),
        "params of text": _params("4"),
        "params of two variances": _params(np.ones(2, np.float32)),
        "params of an unknown family": _params(one, family="round"),
        "params of NaN": _params(np.nan * one),
        "params with a complex gain": _params(one, gain=1j),
        "params with a long shift": _params(one, shift=np.ones(3, np.float32)),
        "params without variance": _params(None),
        "spectra": _spectra(),
        "spectra of a batch": _spectra((4, 12, 6), num_pairs=np.ones(4, np.int32)),
        "spectra of another shape": _spectra((7, 3), (7, 5)),
        "spectra that do not fit": _spectra((7, 3)),
        "spectra of text": _spectra(reference_power="no"),
        "spectra without a cross-spectrum": _spectra(cross_power=None),
        "real spectra": _spectra(cross=np.float32),
        "an estimate": estimate(),
        "a batch of estimates": estimate((3,)),
        "an estimate of a volume": estimate(ndim=3),
    }
    things = {
        "None": None,
        "...": ...,
        "an object": object(),
        "a class": int,
        "a function": lambda x: x,
        "a function that fails": _fails,
        "a function that is not hashable": _Unhashable(),
        "a generator": (x for x in range(5)),
        "a slice": slice(1, 2),
        "an error": ValueError("no"),
        "a module": math,
        "a class of arrays": jax.Array,
        "a universal function": np.ceil,
        "what has no repr": _Speechless(),
    }
    return {**text, **numbers, **collections, **arrays, **ours, **things}
