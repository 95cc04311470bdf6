"""What a measured transfer function holds: values, error bars, coherence, resolution."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.checks import as_number, as_positive, check_type, is_size, shown
from gaussjax.model.array_checks import as_real, is_traced, narrowed
from gaussjax.model.options import check_option
from gaussjax.model.transfer_crossing import crossing, first_below, spline_values
from gaussjax.model.transfer_spline import spline_rows
from gaussjax.numerics.compilation import compiled
from gaussjax.numerics.pytree import pytree, static
from gaussjax.statistics.number_format import Row, as_error, table, to_error, with_errors


@pytree
class TransferEstimate:
    """A transfer function of any shape between two images, with error bars.

    Attributes:
        frequency: rad per px, or per unit after :meth:`in_units`, ``[bins]``; up to pi rad/px. Of
            two grids px are those of the reference.
        transfer: T there, 1 where nothing changes; real, as of a symmetric kernel. NaN where the
            pair tells nothing of it.
        standard_error: of ``transfer``; infinite there.
        coherence: squared, 0 to 1: the share of B's power near that frequency that A explains.
        mtf50: where ``transfer`` first falls below one half, cycles per px (unit); NaN where it
            does not, or is not known well enough to tell.
        mtf50_standard_error: of it.
        gain: T at zero frequency; ``transfer`` is over it where a gain was to be taken out.
        gain_standard_error: of it.
        shift: of B against A, px, ``[ndim]``; None where it was not fitted.
        shift_standard_error: of it.
        noise_std: of A and of B in the unit of the images, ``[2]``: as given or found; 0 and the
            residual's, where noise of A was not asked about.
        num_pixels: that were compared.
        coefficients: of the cubic spline that T is, knots a bin apart, ``[bins + 2]``.
        covariance: of the coefficients.
        pixel_size: in units; 1 before :meth:`in_units`.
        unit: its name (static).
    """

    frequency: jax.Array
    transfer: jax.Array
    standard_error: jax.Array
    coherence: jax.Array
    mtf50: jax.Array
    mtf50_standard_error: jax.Array
    gain: jax.Array
    gain_standard_error: jax.Array
    shift: jax.Array | None
    shift_standard_error: jax.Array | None
    noise_std: jax.Array
    num_pixels: jax.Array
    coefficients: jax.Array
    covariance: jax.Array
    pixel_size: Any = 1.0
    unit: str = static(default="px")

    def at(self, frequency) -> tuple[jax.Array, jax.Array]:
        """T and its standard error at frequencies up to the last, ``[n]``, rad per px (unit)."""
        frequency = as_real(frequency, "frequency", "iuf")
        if frequency.ndim > 1:
            raise ValueError(
                f"frequency must be a number or an array of rank 1; got {shown(frequency)}"
            )
        return _values_at(
            jnp.asarray(narrowed(frequency, "frequency"), self.coefficients.dtype),
            self.frequency,
            self.coefficients,
            self.covariance,
        )

    def resolution(self, level: float = 0.5, *, of: str = "transfer") -> jax.Array:
        """Length of a period, px (unit), where T or the coherence first falls below a level.

        ``1 / mtf50`` at one half of the transfer. NaN where it does not, or is not known.

        Args:
            level: above 0.
            of: "transfer" or "coherence".

        Raises:
            ValueError: another name, or a level that is not above 0.
        """
        check_option(of, ("transfer", "coherence"), "of")
        level = as_positive(level, "level")
        spline = self.coefficients, self.covariance
        return _period(self.frequency, *spline, self.coherence, level, of=of)

    def in_units(self, pixel_size: float, unit: str = "units") -> "TransferEstimate":
        """The same with frequencies per unit and lengths in units, for pixels of this size.

        Args:
            pixel_size: along the direction; of a radial one that of all axes.
            unit: its name, for print.

        Raises:
            ValueError: a size that is not a positive number.
        """
        check_type(unit, str, "unit", "the name of one")
        wanted = "a positive number, from 1e-18 to 1e18"
        pixel_size = as_number(pixel_size, "pixel_size", wanted, is_size)
        change = pixel_size / self.pixel_size
        return replace(
            self,
            frequency=self.frequency / change,
            mtf50=self.mtf50 / change,
            mtf50_standard_error=self.mtf50_standard_error / change,
            pixel_size=pixel_size,
            unit=unit,
        )

    def __str__(self) -> str:
        """A short table; a batch or a traced one prints its shapes instead."""
        if is_traced(self.mtf50) or np.ndim(self.mtf50):
            return f"TransferEstimate(mtf50={self.mtf50}, transfer={self.transfer})"
        return table(transfer_rows(jax.device_get(self)))


@compiled(scalar=True)
def _values_at(frequency, frequencies, coefficients, covariance) -> tuple[jax.Array, jax.Array]:
    knots = jnp.atleast_1d(frequency) / frequencies[0]
    rows, _ = spline_rows(knots, coefficients.size)
    return spline_values(rows, coefficients, covariance)


@compiled(static_argnames="of", scalar=True)
def _period(frequencies, coefficients, covariance, coherence, level, *, of: str) -> jax.Array:
    if of == "transfer":
        knots, _ = crossing(coefficients, covariance, level)
    else:
        knots = first_below(jnp.concatenate([jnp.ones_like(coherence[:1]), coherence]), level)
    return 2 * jnp.pi / (knots * frequencies[0])


def transfer_rows(found: TransferEstimate) -> list[Row]:
    """Names and texts of the printed table; the estimate holds NumPy arrays."""
    unit = found.unit
    mtf50, error = found.mtf50, found.mtf50_standard_error
    rows = [("MTF50", f"{with_errors(mtf50, error)} cycles/{unit}")]
    if np.isfinite(mtf50):
        rows.append(("period", f"{to_error(1 / mtf50, error / mtf50**2)} {unit}"))
    rows.append(("gain", with_errors(found.gain, found.gain_standard_error)))
    shift, error = found.shift, found.shift_standard_error
    if shift is not None and error is not None:
        rows.append(("shift", f"{with_errors(shift, error)} px"))
    for of, level in (("transfer", 0.1), ("coherence", 0.5)):
        period = float(found.resolution(level, of=of))
        if np.isfinite(period):
            rows.append(("", f"{of} falls below {level:g} at a period of {period:.4g} {unit}"))
    rows.append(("", f"cycles/{unit:<6}transfer  +-         coherence"))
    chosen = np.unique(np.linspace(0, found.frequency.size - 1, 8).round().astype(int))
    for k in chosen:
        cycles = found.frequency[k] / (2 * np.pi)
        value, error = found.transfer[k], found.standard_error[k]
        values = f"{to_error(value, error):<9} {as_error(error):<10} "
        rows.append(("", f"{cycles:<13.4g}{values}{found.coherence[k]:.4f}"))
    return rows
