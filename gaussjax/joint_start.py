"""Where a joint fit starts: direction, blur and unit, from the first pairs of a set."""

from dataclasses import dataclass, fields, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.batch_sums import JointOptions
from gaussjax.model.window import everywhere, taper
from gaussjax.numerics.precision import rounding_variance
from gaussjax.spectra.cross_spectra import pair_spectra, sum_spectra
from gaussjax.spectra.start import find_start


@dataclass(frozen=True)
class JointStart:
    """Where the passes over the pairs begin.

    Attributes:
        vector: variances of the oriented pairs, px^2, ``[p]``, float64.
        unit: that all images are divided by.
        rounding: variance per pixel that rounding leaves of a residual, in that unit.
        exchanged: the second images are the sharper ones.
    """

    vector: np.ndarray
    unit: float
    rounding: float
    exchanged: bool

    def arrays(self) -> dict[str, np.ndarray]:
        """Flat, for a file or for other processes; see :meth:`from_arrays`."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self)}

    @staticmethod
    def from_arrays(named: dict[str, np.ndarray]) -> "JointStart":
        """What :meth:`arrays` has flattened."""
        numbers = named["unit"].item(), named["rounding"].item(), named["exchanged"].item()
        return JointStart(named["vector"], *numbers)


def joint_start(
    references: np.ndarray, blurreds: np.ndarray, noise_std, initial, options: JointOptions
) -> JointStart:
    """From pairs of one shape, ``[n, *shape]``; see :func:`~gaussjax.fit_dataset`."""
    variance, unit, exchanged = jax.device_get(
        _start(references, blurreds, noise_std, initial, options=options)
    )
    rounding = rounding_variance(references.dtype)
    return JointStart(np.asarray(variance, float), float(unit), rounding, bool(exchanged))


@partial(jax.jit, static_argnames="options")
def _start(references, blurreds, noise_std, initial, *, options: JointOptions):
    shape = references.shape[1:]
    axes = tuple(range(1, references.ndim))
    unit = jnp.sqrt(jnp.mean(jnp.var(references, axis=axes)))
    unit = jnp.where(unit > 0, unit, 1)
    # The window hides the edge well enough for a start.
    make = everywhere if options.boundary == "periodic" else taper
    window = make(shape, references.dtype).values[None]

    def centre(images):
        return jnp.sum(window * images, axis=axes, keepdims=True) / jnp.sum(window)

    first = centre(references)
    second = centre(blurreds) if options.nuisances.count else first
    spectra = jax.vmap(pair_spectra)(
        window * (references - first) / unit, window * (blurreds - second) / unit
    )
    noise = None
    if noise_std is not None:
        noise = (noise_std / unit) ** 2 * jnp.sum(window**2) * len(references)
    free = jnp.asarray(jnp.inf, references.dtype)
    model = replace(options.model(shape), gain=options.nuisances.gain)
    start = find_start(sum_spectra(spectra), initial, -free, free, model, noise=noise)
    return start.variance, unit, start.exchanged
