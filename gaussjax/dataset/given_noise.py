"""The noise of the images of a data set, as it was told: levels, and how neighbours correlate."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.arguments import as_noise, check_together
from gaussjax.model.array_checks import as_array, check_known
from gaussjax.model.noise_correlation import as_noise_correlation
from gaussjax.model.options import PADDED_BOUNDARIES


@dataclass(frozen=True, eq=False)
class ToldNoise:
    """Of the references and of the blurred images."""

    # standard deviations, in the unit of the images; None: every pair has to tell its own
    levels: tuple[float, float] | None
    correlation: Sequence | None  # as of `estimate_blur`

    @classmethod
    def of(
        cls, noise_std: Any, noise_correlation: Any, boundary: str, loss: Any = "squared"
    ) -> "ToldNoise | None":
        """Checked; None: in the blurred images only, of any level.

        Raises:
            TypeError: no pairs.
            ValueError: what many pairs cannot have.
        """
        check_known("many pairs are streamed", noise_std=noise_std)
        check_known("many pairs are streamed", noise_correlation=noise_correlation)
        noise, estimated = as_noise(noise_std, np.float32)
        check_together(noise_std, loss)
        # Of how many axes the images are is not known yet.
        pair = noise_correlation if isinstance(noise_correlation, tuple | list) else ()
        shapes = (as_array(each, "noise_correlation").shape for each in pair if each is not None)
        ndim = max(map(len, shapes), default=0)
        image = jax.ShapeDtypeStruct((1,) * (ndim or 1), np.float32)
        as_noise_correlation(noise_correlation, noise_std, image)
        if noise is None:
            return None
        if boundary in PADDED_BOUNDARIES:
            raise ValueError(
                "noise_std of many pairs needs boundary='valid' or 'periodic': noise that is"
                f" continued beyond the edge is not white; got {boundary!r}"
            )
        levels = None if estimated else (float(noise[0]), float(noise[1]))
        return cls(levels, noise_correlation)

    def __str__(self) -> str:
        """What tells two of them apart."""
        levels = self.levels or "estimate"
        if self.correlation is None:
            return repr(levels)
        each = (None if x is None else np.asarray(x, np.float32) for x in self.correlation)
        named = repr([None if x is None else (x.shape, x.tobytes()) for x in each])
        return f"{levels!r} of shapes {hashlib.sha256(named.encode()).hexdigest()[:16]}"

    def oriented(
        self, image: Any, *, unit: float, swapped: bool
    ) -> tuple[jax.Array, jax.Array | None]:
        """Variances in a unit, ``[2]``, and autocorrelations, of the sharper images first.

        They are of the rank and the type of an image. Where every pair has to tell its own levels,
        the variances are 1.

        Raises:
            ValueError: autocorrelations of another number of axes than the images.
        """
        order = slice(None, None, -1 if swapped else 1)
        levels = self.levels or (unit, unit)
        variances = jnp.asarray((np.asarray(levels)[order] / unit) ** 2, image.dtype)
        correlation = as_noise_correlation(self.correlation, levels, image)
        return variances, None if correlation is None else correlation[order]
