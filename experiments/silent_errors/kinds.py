"""Every kind of pair by name, in two groups."""

import zlib

import numpy as np

from experiments.silent_errors.good_kinds import GOOD
from experiments.silent_errors.other_kernels import OTHER_KERNELS
from experiments.silent_errors.pairs import Kind, Pair
from experiments.silent_errors.spoilt_kinds import SPOILT

GROUPS: dict[str, dict[str, Kind]] = {"good": GOOD, "spoilt": {**SPOILT, **OTHER_KERNELS}}
KINDS: dict[str, Kind] = {name: kind for group in GROUPS.values() for name, kind in group.items()}


def draw(name: str, seed: int, number: int) -> Pair:
    """One pair of a kind, the same whichever other kinds are drawn; of float32, or of integers."""
    random = np.random.default_rng([seed, zlib.crc32(name.encode()), number])
    return KINDS[name](random).in_single_precision()


def group_of(name: str) -> str:
    """The group that a kind belongs to."""
    return next(group for group, kinds in GROUPS.items() if name in kinds)
