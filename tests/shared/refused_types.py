"""What a type checker has to refuse: each line is an error that ``make lint`` expects.

pyright reports an unnecessary ignore where it does not refuse a line. The calls are never made.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=error

from typing import TYPE_CHECKING

import numpy as np

import gaussjax as gj

if TYPE_CHECKING:
    IMAGE = np.zeros((8, 8))
    gj.estimate_blur(IMAGE, IMAGE, kernel="sampeld")  # pyright: ignore[reportArgumentType]
    gj.estimate_blur(IMAGE, IMAGE, family="round")  # pyright: ignore[reportArgumentType]
    gj.estimate_blur(IMAGE, IMAGE, boundary="wrap")  # pyright: ignore[reportArgumentType]
    gj.estimate_blur(IMAGE, IMAGE, loss="l2")  # pyright: ignore[reportArgumentType]
    gj.estimate_blur(IMAGE, IMAGE, gain="no")  # pyright: ignore[reportArgumentType]
    gj.estimate_blur(IMAGE, IMAGE, radius=2.5)  # pyright: ignore[reportArgumentType]
    gj.estimate_blur({"a": 1}, IMAGE)  # pyright: ignore[reportArgumentType]
    gj.blur(IMAGE, 1.0, boundary="valid")  # pyright: ignore[reportArgumentType]
    gj.transfer_function(1.0, 64)  # pyright: ignore[reportArgumentType]
    gj.open_pairs("a", "b", dtype="float16")  # pyright: ignore[reportArgumentType]
    gj.fit_optax(gj.pair_spectra(IMAGE, IMAGE), "adam")  # pyright: ignore[reportArgumentType]
    gj.Kernel("sampeld")  # pyright: ignore[reportArgumentType]
