"""What an estimate returns: value, error bar and status in one pytree."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.arguments import is_traced
from gaussjax.kernels import Kernel, least_nominal_sigma
from gaussjax.params import BlurParams
from gaussjax.solvers import Status

# Full width at half maximum of a Gaussian, in sigmas: 2 sqrt(2 ln 2).
FWHM_PER_SIGMA = 2.0 * (2.0 * np.log(2.0)) ** 0.5

_LEAST_GRAVE_FIRST = (
    Status.AT_BOUND,
    Status.NOT_CONVERGED,
    Status.NOT_IDENTIFIABLE,
    Status.TOO_SMALL,
    Status.NOT_FINITE,
)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class BlurEstimate:
    """An estimated blur with its error bar and status; arrays gain leading axes under ``vmap``.

    Attributes:
        params: the estimate, see :class:`~gaussjax.params.BlurParams`.
        standard_error: of every parameter, the same structure and units (variance: px^2).
        sigma: px, signed: scalar, ``[ndim]`` in axis order (axis_aligned) or principal with the
            largest first (full). Negative: ``blurred`` is the sharper image.
        sigma_standard_error: of ``sigma``, px, by propagation of the variance's.
        covariance_matrix: of the Gaussian, px^2, ``[ndim, ndim]``.
        loss: half the sum of squared residuals over the compared pixels, in pixel units squared.
        noise_variance: residual variance per compared pixel, degrees of freedom removed.
        num_pixels: number of compared pixels.
        num_steps: of the solver.
        status: int32, a :class:`~gaussjax.solvers.Status` code; 0 = estimated.
        kernel: the convention (static).
        narrowed: float64 input was computed in float32 because JAX's x64 mode is off (static).
    """

    params: BlurParams
    standard_error: BlurParams
    sigma: jax.Array
    sigma_standard_error: jax.Array
    covariance_matrix: jax.Array
    loss: jax.Array
    noise_variance: jax.Array
    num_pixels: jax.Array
    num_steps: jax.Array
    status: jax.Array
    kernel: Kernel = field(metadata={"static": True})
    narrowed: bool = field(default=False, metadata={"static": True})

    @property
    def fwhm(self) -> jax.Array:
        """Full width at half maximum, 2.3548 sigma, px."""
        return FWHM_PER_SIGMA * self.sigma

    @property
    def message(self) -> str | list[str]:
        """The status in a sentence; a list of them for a batch. Not available under tracing."""
        codes = np.asarray(self.status)
        sentences = [Status(int(code)).message for code in codes.reshape(-1)]
        return sentences[0] if codes.ndim == 0 else sentences

    def interval(self, level: float = 0.95) -> tuple[jax.Array, jax.Array]:
        """Confidence interval of ``sigma`` in px, (low, high), at probability ``level``.

        Normal in the variance, where the model is nearly linear, and mapped to sigma: near zero
        blur the interval is lopsided and may reach into negative sigma.

        Raises:
            ValueError: ``level`` is a number that is not between 0 and 1.
        """
        if not is_traced(level) and not 0 < float(level) < 1:
            raise ValueError(f"level must be a probability between 0 and 1, got {level}")
        z = jax.scipy.special.ndtri(jnp.asarray(0.5 + 0.5 * level, self.sigma.dtype))
        variance = self.sigma * jnp.abs(self.sigma)
        half = z * variance_error(self.sigma, self.sigma_standard_error)
        low, high = variance - half, variance + half
        return jnp.sign(low) * jnp.sqrt(jnp.abs(low)), jnp.sign(high) * jnp.sqrt(jnp.abs(high))

    def __str__(self) -> str:
        """A short table; a batch or a traced estimate prints its shapes instead."""
        if is_traced(self.status) or np.ndim(self.status):
            return f"BlurEstimate(sigma={self.sigma}, status={self.status})"
        precision = f"{self.sigma.dtype}"
        if self.narrowed:
            precision += " (input was float64; enable jax_enable_x64 to keep it)"
        family = self.params.family
        _, high = self.interval()
        sharper = " (negative: the second image is the sharper one)" if np.any(high < 0) else ""
        rows = [
            ("sigma", _values(self.sigma, self.sigma_standard_error) + " px" + sharper),
            ("FWHM", _values(self.fwhm, FWHM_PER_SIGMA * self.sigma_standard_error) + " px"),
            ("model", f"{family} Gaussian, {self.kernel.name} kernel"),
            (
                "residual",
                f"{float(self.noise_variance) ** 0.5:.4g} rms over {int(self.num_pixels)} pixels",
            ),
            ("status", f"{int(self.status)} {self.message}"),
            ("precision", precision),
        ]
        return "\n".join(f"{name:<10}{text}" for name, text in rows)


def sigma_error(sigma: jax.Array, variance_se: jax.Array) -> jax.Array:
    """Standard error of |sigma| from that of the variance: sqrt(sigma^2 + se) - |sigma|.

    se / (2 sigma) to first order, but finite at zero blur.
    """
    root = jnp.sqrt(sigma**2 + variance_se)
    # The difference of roots, written without its cancellation.
    return variance_se / jnp.where(root > 0, root + jnp.abs(sigma), 1)


def variance_error(sigma: jax.Array, sigma_se: jax.Array) -> jax.Array:
    """Inverse of :func:`sigma_error`."""
    return sigma_se * (2 * jnp.abs(sigma) + sigma_se)


def rounding_variance(dtype) -> float:
    """Variance per pixel that rounding leaves in a residual, in units of the contrast squared.

    Transforms and sums of unit-contrast images carry a few eps of error each. Without this floor
    the error bar of a noise-free pair would claim digits that the arithmetic does not have.
    """
    return float(4 * jnp.finfo(dtype).eps) ** 2


def assemble(
    params: BlurParams,
    *,
    ndim: int,
    covariance: jax.Array,
    loss: jax.Array,
    noise_variance: jax.Array,
    num_pixels: jax.Array,
    num_steps: jax.Array,
    kernel: Kernel,
    problems: dict[Status, jax.Array],
) -> BlurEstimate:
    """Derive sigma, error bars and status from fitted parameters.

    Args:
        params: variance, and gain or None.
        ndim: of the images.
        covariance: of the parameters (variance, then gain), ``[k, k]``.
        loss: half the sum of squares.
        noise_variance: per pixel.
        num_pixels: compared.
        num_steps: of the solver.
        kernel: the convention.
        problems: condition of each status that the fit can tell; the gravest is reported.
    """
    errors = jnp.sqrt(jnp.diag(covariance))
    p = params.variance.shape[0]
    sigma = params.sigma(ndim)
    spread = covariance[:p, :p]
    if params.family == "full":
        rotation = jax.jacfwd(lambda v: _principal_variances(v, ndim))(params.variance)
        spread = rotation @ spread @ rotation.T
    sigma_se = sigma_error(sigma, jnp.sqrt(jnp.diag(spread)).reshape(sigma.shape))
    unidentified = ~jnp.all(jnp.isfinite(sigma_se)) | jnp.any(
        variance_error(sigma, sigma_se) > jnp.maximum(1, sigma**2)
    )
    if kernel.is_finite:
        unidentified = unidentified | jnp.any(
            (jnp.abs(sigma) < least_nominal_sigma(sigma.dtype)) | (2 * sigma_se > jnp.abs(sigma))
        )
    unidentified = unidentified | problems.get(Status.NOT_IDENTIFIABLE, False)
    problems = {**problems, Status.NOT_IDENTIFIABLE: unidentified}
    status = jnp.asarray(Status.ESTIMATED, jnp.int32)
    for code in _LEAST_GRAVE_FIRST:
        status = jnp.where(problems.get(code, False), jnp.int32(code), status)
    return BlurEstimate(
        params=params,
        standard_error=BlurParams(
            variance=errors[:p],
            gain=None if params.gain is None else errors[p],
            family=params.family,
        ),
        sigma=sigma,
        sigma_standard_error=sigma_se,
        covariance_matrix=params.covariance_matrix(ndim),
        loss=loss,
        noise_variance=noise_variance,
        num_pixels=num_pixels,
        num_steps=num_steps,
        status=status,
        kernel=kernel,
    )


def _principal_variances(variance: jax.Array, ndim: int) -> jax.Array:
    moved = BlurParams(variance, family="full")
    return jnp.linalg.eigvalsh(moved.covariance_matrix(ndim))[::-1]


def _values(values: jax.Array, errors: jax.Array) -> str:
    pairs = zip(np.atleast_1d(values), np.atleast_1d(errors), strict=True)
    return ", ".join(f"{v:.6g} +- {e:.2g}" for v, e in pairs)
