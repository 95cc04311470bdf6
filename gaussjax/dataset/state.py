"""Sums over many pairs, on the host in float64, so that a million of them do not drift."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from gaussjax.dataset.equations import PairEquations

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

    def __add__(self, other: "JointSums") -> "JointSums":
        """Of the pairs of both."""
        coefficients = dict(self.coefficients)
        for shape, values in other.coefficients.items():
            coefficients[shape] = coefficients[shape] + values if shape in coefficients else values
        return JointSums(coefficients, self.equations + other.equations)

    def arrays(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Flat, as by :func:`to_arrays`."""
        shapes = {"x".join(map(str, shape)): values for shape, values in self.coefficients.items()}
        named = {f"{prefix}coefficients {shape}": values for shape, values in shapes.items()}
        return named | to_arrays(self.equations, prefix)

    @staticmethod
    def from_arrays(named: dict[str, np.ndarray], prefix: str = "") -> "JointSums":
        """What :meth:`arrays` has flattened."""
        coefficients = {
            tuple(int(n) for n in key.split()[-1].split("x")): values
            for key, values in named.items()
            if key.startswith(f"{prefix}coefficients ")
        }
        return JointSums(coefficients, from_arrays(PairEquations, named, prefix))


@dataclass(frozen=True)
class JointStart:
    """Where a pass over the pairs begins."""

    vector: np.ndarray  # theta_0, variances of the oriented pairs, px^2, `[p]`, float64
    unit: float  # by which all images are divided
    rounding: float  # variance per pixel that rounding leaves of a residual, in that unit
    swapped: bool  # the second images are the sharper ones
