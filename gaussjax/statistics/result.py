"""What an estimate returns: value, error bar and status in one pytree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.array_checks import as_probability, is_traced
from gaussjax.model.folding import CoarseGrid
from gaussjax.model.kernels import Kernel
from gaussjax.model.options import GENERALISED
from gaussjax.model.params import BlurParams, namespace, signed_sqrt, signed_square
from gaussjax.numerics.pytree import pytree, static
from gaussjax.statistics.batch import Batch, batch_rows
from gaussjax.statistics.cause import SHAPES
from gaussjax.statistics.covariance import variance_error
from gaussjax.statistics.curvature import ends
from gaussjax.statistics.departures import WORTH_TELLING
from gaussjax.statistics.fitted_motion import Motion
from gaussjax.statistics.gaussianity import Gaussianity
from gaussjax.statistics.goodness_of_fit import Adequacy
from gaussjax.statistics.kernel_widths import (
    energy_radius_per_sigma,
    fwhm_per_sigma,
    half_contrast,
    half_contrast_error,
    width_error,
)
from gaussjax.statistics.number_format import Row, as_error, table, to_error, with_errors
from gaussjax.statistics.part_read import FramePart
from gaussjax.statistics.physical_units import PhysicalBlur, in_units
from gaussjax.statistics.quantiles import normal_quantile, student_quantile
from gaussjax.statistics.status import WITHOUT_VALUE
from gaussjax.statistics.verdict import TRUSTED


@pytree
class BlurEstimate(Batch):
    """An estimated blur with its error bar and status; arrays gain leading axes under ``vmap``.

    ``jax.device_get`` of it holds NumPy arrays, and then so do its properties.

    Attributes:
        params: the estimate, see :class:`~gaussjax.BlurParams`.
        standard_error: of every parameter, the same structure and units (variance: px^2).
        sigma: px, signed: scalar (generalised: the scale s), ``[ndim]`` in axis order
            (axis_aligned) or principal, largest first (full). Negative: ``blurred`` is sharper.
            With ``params.spacing`` in its unit, as errors, widths and ``mtf50`` are.
        sigma_standard_error: of ``sigma`` by noise, px, by propagation of the variance's.
        sigma_model_error: px by which the most harmful significant departure from the model may
            move sigma, that of the nearest Gaussian: of another shape of the kernel the verdict
            tells; 0 where none is significant, and from spectra, which keep no pixels.
        covariance_matrix: of the Gaussian, px^2, ``[ndim, ndim]``; generalised: ``s |s|`` times I.
        loss: half the sum of squared residuals over the compared pixels, in pixel units squared.
        noise_variance: residual variance per compared pixel, degrees of freedom removed. It and the
            loss are 0 or infinite where the square of the images' unit does not fit the dtype.
        noise_std: in ``reference`` and ``blurred``, ``[2]``; 0 and the residual's if not asked for.
        num_pixels: number of compared pixels.
        num_steps: of the solver.
        status: int32, a :class:`~gaussjax.Status` code; 0 = estimated.
        adequacy: what the fit leaves unexplained, and a verdict on it; None from spectra.
        kernel: the convention (static).
        narrowed: float64 input was computed in float32 because JAX's x64 mode is off (static).
        freedom: degrees of freedom of ``sigma_standard_error`` by few pairs, ``[*sigma]``; or None.
        part: what was read of the frame, where a precision was asked for; else None.
        motion: rotation and scale, where they were fitted; else None.
        gaussianity: the exponent of "generalised" with its errors and the test of p = 2; else None.
        grid: of ``blurred`` on that of ``reference``, whose px all lengths are in (static).
        parameter_covariance: of the numbers in ``params``, in its order, ``[k, k]``; or None.
        told_by: mean, px^-2, and variance, px^-4, of the squared frequencies that tell the
            variance, ``[2]``, which make intervals lopsided; the mean is negative where B is
            sharper; None from spectra, and of many pairs.
    """

    params: BlurParams
    standard_error: BlurParams
    sigma: jax.Array
    sigma_standard_error: jax.Array
    sigma_model_error: jax.Array
    covariance_matrix: jax.Array
    loss: jax.Array
    noise_variance: jax.Array
    noise_std: jax.Array
    num_pixels: jax.Array
    num_steps: jax.Array
    status: jax.Array
    adequacy: Adequacy | None
    kernel: Kernel = static()
    narrowed: bool = static(default=False)
    freedom: jax.Array | None = None
    part: FramePart | None = None
    motion: Motion | None = None
    gaussianity: Gaussianity | None = None
    grid: CoarseGrid | None = static(default=None)
    parameter_covariance: jax.Array | None = None
    told_by: jax.Array | None = None

    sampling = property(lambda self: self.grid and self.grid.steps, doc="Px of A per px of B.")

    @property
    def exponent(self) -> jax.Array | None:
        """The p of ``T = exp(-(s |w|)^p / 2)``; None of a family that has none."""
        return self.params.exponent

    @property
    def fwhm(self) -> jax.Array:
        """Full width at half maximum, px: 2.3548 sigma of a Gaussian."""
        return fwhm_per_sigma(self.exponent, self.covariance_matrix.shape[-1])[0] * self.sigma

    @property
    def fwhm_standard_error(self) -> jax.Array:
        """Of ``fwhm`` by noise, px."""
        factor = fwhm_per_sigma(self.exponent, self.covariance_matrix.shape[-1])
        return width_error(self.sigma, self.sigma_standard_error, *factor, self.gaussianity)

    @property
    def mtf50(self) -> jax.Array:
        """Frequency at which the kernel passes half of the contrast, cycles/px.

        ``(2 ln 2)^(1 / p) / (2 pi |sigma|)``, p = 2 of a Gaussian. Measured: ``transfer_profile``.
        """
        with np.errstate(divide="ignore"):
            return half_contrast(self.exponent)[0] / abs(self.sigma)

    @property
    def mtf50_standard_error(self) -> jax.Array:
        """Of ``mtf50`` by noise, cycles/px."""
        return half_contrast_error(self.sigma, self.sigma_standard_error, self.gaussianity)

    def energy_radius(self, fraction: float = 0.5) -> jax.Array:
        """Radius of a part of a round kernel, "enclosed energy", px; ValueError of any other."""
        ndim = self.covariance_matrix.shape[-1]
        return energy_radius_per_sigma(self.params, ndim, fraction)[0] * abs(self.sigma)

    @property
    def sigma_major(self) -> jax.Array:
        """The largest sigma over all directions, px."""
        return self.sigma if self.sigma.ndim == self.status.ndim else self.sigma.max(axis=-1)

    @property
    def sigma_minor(self) -> jax.Array:
        """The least sigma over all directions, px; negative where B is sharper along it."""
        return self.sigma if self.sigma.ndim == self.status.ndim else self.sigma.min(axis=-1)

    @property
    def angle(self) -> jax.Array:
        """Direction of the major axis of a 2-D blur, rad from the last axis towards the first.

        In ``(-pi/2, pi/2]``; an image shown with its first row on top has positive angles turn
        clockwise. 0 for an isotropic blur. ValueError unless the images have two axes.
        """
        matrix = self.covariance_matrix
        if matrix.shape[-1] != 2:
            raise ValueError(f"angle is of a 2-D blur; the images have {matrix.shape[-1]} axes")
        yy, yx, xx = matrix[..., 0, 0], matrix[..., 0, 1], matrix[..., 1, 1]
        return 0.5 * namespace(matrix).arctan2(2 * yx, xx - yy)

    @property
    def is_positive_definite(self) -> jax.Array:
        """True where B is blurred in every direction, as a physical blur has to."""
        return self.sigma_minor > 0

    def interval(self, level: float = 0.95) -> tuple[jax.Array, jax.Array]:
        """Confidence interval of ``sigma`` in px, (low, high), at probability ``level``.

        Of noise and model error together, ``hypot``, the noise by Student's t where ``freedom`` is
        given. Normal in the variance, where the model is nearly linear, but for ``told_by``;
        mapped to sigma: near zero blur it is lopsided and may go below zero. An end is infinite
        where no wider blur is excluded. TypeError or ValueError of another level.
        """
        low, high = _variance_interval(self, as_probability(level, "level"))
        return signed_sqrt(low), signed_sqrt(high)

    def in_units(self, pixel_size: float | Sequence[float], unit: str = "units") -> PhysicalBlur:
        """The blur in a unit of length or angle; :func:`.physical_units.in_units` has the rules."""
        blur = self.params, self.covariance_matrix, self.standard_error.variance
        lengths = self.sigma, self.sigma_standard_error, self.fwhm, self.fwhm_standard_error
        return in_units(*blur, lengths, pixel_size, unit)

    def __str__(self) -> str:
        """A short table, problems first; of a batch counts; of a traced estimate its shapes."""
        if is_traced(self.status) or isinstance(self.status, jax.ShapeDtypeStruct):
            return repr(self)
        found = jax.device_get(self)  # or each operation on a number would be compiled first
        verdict = None if found.adequacy is None else found.adequacy.verdict
        batch = np.ndim(found.status) > 0
        return table(batch_rows(found, verdict) if batch else chain(*printed_rows(found)))


def _variance_interval(estimate: BlurEstimate, level) -> tuple[jax.Array, jax.Array]:
    """Ends of the interval of ``sigma |sigma|``, px^2."""
    xp, dtype = jnp if is_traced(level) else namespace(estimate.sigma), estimate.sigma.dtype
    z = t = normal_quantile(level, dtype)
    if estimate.freedom is not None:
        t = xp.asarray(student_quantile(level, estimate.freedom), dtype)
    variance = signed_square(estimate.sigma)
    noise = t * variance_error(estimate.sigma, estimate.sigma_standard_error)
    model = z * variance_error(estimate.sigma, estimate.sigma_model_error)
    below, above = noise, noise
    if estimate.told_by is not None:
        each = [None] * (estimate.sigma.ndim - estimate.status.ndim)
        below, above = ends(noise, *(estimate.told_by[..., i, *each] for i in range(2)))
    return variance - xp.hypot(below, model), variance + xp.hypot(above, model)


def scaled(estimate: BlurEstimate, unit: jax.Array | float) -> BlurEstimate:
    """The estimate with its sigma in a unit of which a px has so many; the rest stays in px."""

    def variances(params: BlurParams) -> BlurParams:
        return replace(params, variance=unit**2 * params.variance)

    covariance, count = estimate.parameter_covariance, estimate.params.variance.shape[-1]
    if covariance is not None:
        units = jnp.where(np.arange(covariance.shape[-1]) < count, unit**2, 1.0)
        covariance = covariance * jnp.outer(units, units).astype(covariance.dtype)
    told_by = estimate.told_by
    if told_by is not None:
        told_by = told_by / jnp.stack([unit**2, unit**4]).astype(told_by.dtype)
    return replace(
        estimate,
        parameter_covariance=covariance,
        params=variances(estimate.params),
        standard_error=variances(estimate.standard_error),
        sigma=unit * estimate.sigma,
        sigma_standard_error=unit * estimate.sigma_standard_error,
        sigma_model_error=unit * estimate.sigma_model_error,
        told_by=told_by,
    )


def printed_rows(
    estimate: BlurEstimate, spacing_unit: str = "in the unit of spacing"
) -> tuple[list[Row], list[Row]]:
    """The printed table of one estimate whose arrays are NumPy's: what is wrong; what was found.

    A value that is refused or doubted does not lead. Of what was found, sigma and FWHM come first;
    of a fit that has none (``WITHOUT_VALUE``) no number is printed.
    """
    adequacy, family = estimate.adequacy, estimate.params.family
    has_value = int(estimate.status) not in WITHOUT_VALUE
    rows = [("sigma", "not determined"), ("FWHM", "not determined")]
    if has_value:
        rows = [*_widths(estimate, spacing_unit), *_nuisances(estimate)]
    rows.append(("model", f"{family} Gaussian, {estimate.kernel.name} kernel"))
    if has_value:
        rows += _residual(estimate)
    problems = []
    if adequacy is not None:
        verdict = f"{adequacy.message}"
        if family == GENERALISED:
            verdict = verdict.replace("a Gaussian", "a generalised Gaussian")
        if _verdict_tells_cause(estimate):
            verdict += f": {adequacy.cause_message}"
        (rows if adequacy.verdict in TRUSTED else problems).append(("verdict", verdict))
    status = "status", f"{int(estimate.status)} {estimate.message}"
    (problems if estimate.status else rows).append(status)
    narrowed = " (input was float64; enable jax_enable_x64 to keep it)" if estimate.narrowed else ""
    rows.append(("precision", f"{estimate.sigma.dtype}{narrowed}"))
    return problems[::-1], [*rows, *_stack_hint(estimate)]


def _widths(estimate: BlurEstimate, spacing_unit: str) -> list[Row]:
    """Sigma and FWHM, and what else a kernel's width is."""
    adequacy = estimate.adequacy
    by_noise, by_model = estimate.sigma_standard_error, estimate.sigma_model_error
    by_both = _counts_model(estimate)
    sigma = with_errors(estimate.sigma, by_noise, by_model if by_both else 0.0)
    if adequacy is not None and by_both:
        sizes = ", ".join(map(as_error, np.atleast_1d(by_model)))
        cause = "" if _verdict_tells_cause(estimate) else f": {adequacy.cause_message}"
        sigma += f" (noise) +- {sizes} (model{cause})"
    unit = "px" if estimate.params.spacing is None else spacing_unit
    _, high = estimate.interval()
    sharper = " (negative: the second image is the sharper one)" if np.any(high < 0) else ""
    rows = [
        ("sigma" if estimate.gaussianity is None else "scale s", f"{sigma} {unit}{sharper}"),
        ("FWHM", with_errors(estimate.fwhm, estimate.fwhm_standard_error) + f" {unit}"),
    ]
    if estimate.gaussianity is not None:
        parts = ", ".join(_energy(estimate, fraction) for fraction in (0.5, 0.8))
        rows += [("energy", parts), ("exponent", f"{estimate.gaussianity}")]
    return rows


def _verdict_tells_cause(estimate: BlurEstimate) -> bool:
    """Whether a doubt has a cause that no model error counts."""
    adequacy = estimate.adequacy
    if adequacy is None or estimate.status or adequacy.verdict in TRUSTED:
        return False
    is_counted = adequacy.cause not in SHAPES and _counts_model(estimate)
    return bool(adequacy.cause) and not is_counted


def _counts_model(estimate: BlurEstimate) -> bool:
    """Whether the model error is large enough to be printed."""
    by_noise, by_model = estimate.sigma_standard_error, estimate.sigma_model_error
    return estimate.adequacy is not None and bool(np.any(by_model > WORTH_TELLING * by_noise))


def _residual(estimate: BlurEstimate) -> list[Row]:
    """What was compared, where, and how well it agrees."""
    rms, noise = float(estimate.noise_variance) ** 0.5, estimate.noise_std
    rows = [("residual", f"{rms:.4g} rms over {int(estimate.num_pixels)} pixels")]
    if estimate.sampling is not None:
        rows.append(("grids", _on_the_coarse_grid(estimate)))
    if estimate.part is not None:
        rows.append(("read", f"{estimate.part}"))
    if min(noise) > 0:
        rows.append(("noise", f"{noise[0]:.4g} and {noise[1]:.4g} rms"))
    if estimate.adequacy is not None:
        rows.append(("left over", f"{estimate.adequacy}"))
    return rows


def _nuisances(estimate: BlurEstimate) -> list[Row]:
    """What was fitted beside the width: level, place, direction."""
    rows = []
    for name, unit in (("gain", ""), ("offset", ""), ("shift", " px")):
        value = getattr(estimate.params, name)
        if value is not None:
            rows.append((name, with_errors(value, getattr(estimate.standard_error, name)) + unit))
    if estimate.motion is not None:
        motion = estimate.motion
        angles = np.degrees(motion.angle), np.degrees(motion.angle_standard_error)
        rows.append(("rotation", with_errors(*angles) + " degrees"))
        rows.append(("scale", with_errors(motion.scale, motion.scale_standard_error)))
    if estimate.params.family == "full" and len(estimate.covariance_matrix) == 2:
        rows.append(("angle", f"{np.degrees(float(estimate.angle)):.1f} degrees"))
        if not estimate.is_positive_definite:
            rows.append(("note", "sharper along the minor axis: no blur has this covariance"))
    return rows


def _energy(estimate: BlurEstimate, fraction: float) -> str:
    """The radius within which a part of the kernel lies, to its error bar."""
    ndim = estimate.covariance_matrix.shape[-1]
    factor = energy_radius_per_sigma(estimate.params, ndim, fraction)
    sigma = abs(estimate.sigma), estimate.sigma_standard_error
    error = width_error(*sigma, *factor, estimate.gaussianity)
    return f"{fraction:.0%} within {to_error(estimate.energy_radius(fraction), error)} px"


def _stack_hint(estimate: BlurEstimate) -> list[Row]:
    """What to do where images that are no volume may have been taken for one."""
    is_doubted = estimate.adequacy is not None and estimate.adequacy.verdict not in TRUSTED
    trusted = not estimate.status and not is_doubted
    if trusted or len(estimate.covariance_matrix) != 3:
        return []
    text = (
        "read as one volume of three axes; of a stack of images, or of channels, use estimate_blurs"
        " or jax.vmap, in fit_dataset batched=True"
    )
    return [("note", text)]


def _on_the_coarse_grid(estimate: BlurEstimate) -> str:
    """How the grids lie, and sigma in px of the coarse image where one number tells it."""
    ratios = np.asarray(estimate.sampling)
    text = " x ".join(f"{ratio:.4g}" for ratio in ratios) + " px of the reference in one of blurred"
    if np.all(ratios == ratios[0]) or estimate.params.family == "axis_aligned":
        ratio = ratios if np.ndim(estimate.sigma) else ratios[0]
        errors = estimate.sigma_standard_error / ratio
        text += f": sigma {with_errors(estimate.sigma / ratio, errors)} px of that"
    return text
