"""Sums over many pairs, on the host in float64, so that a million of them do not drift."""

from dataclasses import dataclass, fields

import jax
import numpy as np

from gaussjax.dataset.equations import PairEquations

Shape = tuple[int, ...]


def named_arrays(values) -> dict[str, np.ndarray]:
    """The fields of a dataclass as NumPy arrays."""
    return {f.name: np.asarray(getattr(values, f.name)) for f in fields(values)}


@dataclass(frozen=True)
class JointSums:
    """What pairs have added up to; constant in their number, for each shape of images.

    Attributes:
        coefficients: by shape of the images, ``[p, *spectrum]``.
        equations: of all pairs, float64.
    """

    coefficients: dict[Shape, np.ndarray]
    equations: PairEquations

    def __add__(self, other: "JointSums") -> "JointSums":
        """Of the pairs of both."""
        coefficients = dict(self.coefficients)
        for shape, values in other.coefficients.items():
            coefficients[shape] = coefficients[shape] + values if shape in coefficients else values
        return JointSums(coefficients, self.equations + other.equations)

    def arrays(self) -> dict[str, np.ndarray]:
        """Flat, for a file or for other processes; see :meth:`from_arrays`."""
        named = {f"coefficients {'x'.join(map(str, s))}": c for s, c in self.coefficients.items()}
        return named | named_arrays(self.equations)

    @staticmethod
    def from_arrays(named: dict[str, np.ndarray]) -> "JointSums":
        """What :meth:`arrays` has flattened."""
        coefficients = {
            tuple(int(n) for n in key.split()[1].split("x")): values
            for key, values in named.items()
            if key.startswith("coefficients ")
        }
        equations = {f.name: named[f.name] for f in fields(PairEquations)}
        return JointSums(coefficients, PairEquations(**equations))  # pyright: ignore


def joint_sums(coefficients: np.ndarray, shape: Shape, equations: PairEquations) -> JointSums:
    """Of one batch: its summed coefficients; the equations of each pair, leaves ``[n, ...]``."""
    total = jax.tree.map(lambda leaf: np.asarray(leaf, float).sum(0), equations)
    return JointSums({shape: np.asarray(coefficients, float)}, total)


@dataclass(frozen=True)
class JointStart:
    """Where the passes over the pairs begin.

    Attributes:
        vector: variances of the oriented pairs, px^2, ``[p]``, float64.
        unit: that all images are divided by.
        rounding: variance per pixel that rounding leaves of a residual, in that unit.
        swapped: the second images are the sharper ones.
    """

    vector: np.ndarray
    unit: float
    rounding: float
    swapped: bool

    def arrays(self) -> dict[str, np.ndarray]:
        """Flat, for a file or for other processes; see :meth:`from_arrays`."""
        return named_arrays(self)

    @staticmethod
    def from_arrays(named: dict[str, np.ndarray]) -> "JointStart":
        """What :meth:`arrays` has flattened."""
        numbers = named["unit"].item(), named["rounding"].item(), named["swapped"].item()
        return JointStart(named["vector"], *numbers)
