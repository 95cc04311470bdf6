"""Sums over many pairs, on the host in float64, so that a million of them do not drift."""

import operator
from dataclasses import dataclass, fields
from typing import Any

import jax
import numpy as np

from gaussjax.dataset.pair_sums import PairEquations, PairEvidence
from gaussjax.dataset.pooled_transfer import TransferSums

Shape = tuple[int, ...]


def to_arrays(values, prefix: str = "") -> dict[str, np.ndarray]:
    """The fields of a dataclass as NumPy arrays, for a file or for other processes."""
    return {prefix + f.name: np.asarray(getattr(values, f.name)) for f in fields(values)}


def from_arrays(kind: type, named: dict[str, np.ndarray], prefix: str = "") -> Any:
    """The dataclass that :func:`to_arrays` has flattened; single numbers are Python's."""
    found = {f.name: named[prefix + f.name] for f in fields(kind)}
    return kind(**{name: x if x.ndim else x.item() for name, x in found.items()})


@dataclass(frozen=True)
class JointSums:
    """Sums over pairs, of a size that does not grow with their number."""

    coefficients: dict[Shape, np.ndarray]  # by shape of the images, `[p, *spectrum]`
    equations: PairEquations  # of all pairs, float64
    evidence: PairEvidence  # likewise
    transfer: TransferSums  # likewise

    def __add__(self, other: "JointSums") -> "JointSums":
        """The sums over the pairs of both.

        Raises:
            ValueError: images of different numbers of axes.
        """
        if len(self.evidence.displacement) != len(other.evidence.displacement):
            raise ValueError(
                "the images of a set must have one number of axes; got"
                f" {len(self.evidence.displacement)} and {len(other.evidence.displacement)}"
            )
        coefficients = dict(self.coefficients)
        for shape, values in other.coefficients.items():
            coefficients[shape] = coefficients[shape] + values if shape in coefficients else values
        evidence = jax.tree.map(operator.add, self.evidence, other.evidence)
        return JointSums(
            coefficients, self.equations + other.equations, evidence, self.transfer + other.transfer
        )

    def arrays(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Flat, as by :func:`to_arrays`."""
        shapes = {"x".join(map(str, shape)): values for shape, values in self.coefficients.items()}
        named = {f"{prefix}coefficients {shape}": values for shape, values in shapes.items()}
        parts = {"": self.equations, "seen ": self.evidence, "rings ": self.transfer}
        for name, part in parts.items():
            named |= to_arrays(part, prefix + name)
        return named

    @staticmethod
    def from_arrays(named: dict[str, np.ndarray], prefix: str = "") -> "JointSums":
        """What :meth:`arrays` has flattened."""
        coefficients = {
            tuple(int(n) for n in key.split()[-1].split("x")): values
            for key, values in named.items()
            if key.startswith(f"{prefix}coefficients ")
        }
        evidence = PairEvidence.from_arrays(named, prefix + "seen ")
        transfer = from_arrays(TransferSums, named, prefix + "rings ")
        return JointSums(
            coefficients, from_arrays(PairEquations, named, prefix), evidence, transfer
        )


@dataclass(frozen=True)
class PassSums:
    """Sums over the pairs that count in a joint fit, and over those that were set aside."""

    counted: JointSums
    aside: JointSums

    def __add__(self, other: "PassSums") -> "PassSums":
        """The sums over the pairs of both."""
        return PassSums(self.counted + other.counted, self.aside + other.aside)

    @property
    def all_count(self) -> bool:
        """What most pairs are, a set cannot be said to lack: then none is set aside."""
        return bool(self.aside.equations.num_pairs > self.counted.equations.num_pairs)

    @property
    def joint(self) -> JointSums:
        """The sums over the pairs that are fitted."""
        return self.counted + self.aside if self.all_count else self.counted

    def arrays(self) -> dict[str, np.ndarray]:
        """Flat, as by :func:`to_arrays`."""
        return self.counted.arrays("counted ") | self.aside.arrays("aside ")

    @staticmethod
    def from_arrays(named: dict[str, np.ndarray]) -> "PassSums":
        """What :meth:`arrays` has flattened."""
        return PassSums(
            *(JointSums.from_arrays(named, f"{each} ") for each in ("counted", "aside"))
        )


@dataclass(frozen=True)
class JointStart:
    """The point where a pass over the pairs begins."""

    vector: np.ndarray  # theta_0, variances of the oriented pairs, px^2, `[p]`, float64
    unit: float  # by which all images are divided
    rounding: float  # variance per pixel that rounding leaves of a residual, in that unit
    swapped: bool  # the second images are the sharper ones
