"""Pairs whose softer images have larger pixels: cropped so that one image fits the other."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from gaussjax.io.pair_reader import BadPair, LoadedPair, Pair
from gaussjax.model.sampling import Sampling


def fitting(sampling: Sampling | None, boundary: str) -> Callable[[LoadedPair], Pair] | None:
    """What makes one image of a pair fit the other; None where all images are on one grid."""
    if sampling is None:
        return None
    return partial(_fitted, sampling=sampling, is_periodic=boundary == "periodic")


def _fitted(pair: LoadedPair, sampling: Sampling, *, is_periodic: bool) -> Pair:
    """The pair, one shape of which is the other times the ratio; or why it has none such."""
    given = pair.reference.shape, pair.blurred.shape
    try:
        shapes = sampling.fitted_shapes(*given)
    except ValueError as error:
        return BadPair(pair.name, pair.position, str(error))
    if shapes == given:
        return pair
    if is_periodic:
        reason = f"shapes {given[0]} and {given[1]} do not hold the same whole period"
        return BadPair(pair.name, pair.position, reason)
    fine, coarse = (tuple(slice(0, n) for n in shape) for shape in shapes)

    def cut(image: np.ndarray | None, inside: tuple[slice, ...]) -> np.ndarray | None:
        return None if image is None else np.ascontiguousarray(image[inside])

    return replace(
        pair,
        reference=np.ascontiguousarray(pair.reference[fine]),
        blurred=np.ascontiguousarray(pair.blurred[coarse]),
        known_reference=cut(pair.known_reference, fine),
        known_blurred=cut(pair.known_blurred, coarse),
        weights=cut(pair.weights, coarse),
    )
