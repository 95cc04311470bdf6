"""The start of a fit across grids: on the coarse one, where the aperture is in both images.

The coarse image and the reference on its grid differ by the blur, and by what folds into them from
frequencies that the coarse grid cannot show: enough to start from.
"""

from dataclasses import replace

import jax
import jax.numpy as jnp

from gaussjax.model.folding import CoarseGrid
from gaussjax.model.params import BlurParams, as_params, project_family, signed_power
from gaussjax.model.system_response import BlurModel
from gaussjax.spectra.cross_spectra import Spectra
from gaussjax.spectra.start import Start, find_start

# px^2, fine: the least variance that is evaluated. What the grid of B cannot show of A is noise to
# a fit, and the inverse of a blur amplifies it: by e at the fine Nyquist frequency of an axis.
LEAST_VARIANCE = -0.2
# px^2, fine: blurs of more end the ringing of the jump at the frame's edge by themselves. There the
# smooth part, which is harmonic on the pixels but not in the plane, costs more than it spares.
RINGING_VARIANCE = 2.0
# px^2, fine: the least to start from. Below it the derivative of T gives no direction.
_LEAST_START = 0.1


def find_coarse_start(
    grid: CoarseGrid,
    spectra: Spectra,
    initial,
    model: BlurModel,
    *,
    noise: jax.Array | None,
    estimate_noise: bool,
) -> Start:
    """:func:`~gaussjax.spectra.start.find_start` in fine px; the roles are never exchanged.

    The spectra are of A on the grid of B, and of B; the model is on the coarse grid; the variance
    v_A of the noise is that of fine pixels.
    """
    dtype, ndim = spectra.reference_power.dtype, grid.ndim
    ratio = jnp.asarray(grid.steps, dtype)
    if initial is not None:
        given = as_params(initial, ndim, dtype).covariance_matrix(ndim)
        initial = BlurParams(project_family(given / jnp.outer(ratio, ratio), "isotropic"))
    spread = jnp.asarray([grid.averaged, 1], dtype)
    one_kernel = replace(model, kernel=replace(model.kernel, name="continuous"))
    start = find_start(
        spectra,
        initial,
        jnp.zeros((), dtype),
        jnp.asarray(jnp.inf, dtype),
        one_kernel,
        noise=None if noise is None else noise / spread,
        estimate_noise=estimate_noise,
    )
    power = start.exponent if model.has_exponent else None
    family = "isotropic" if model.has_exponent else model.family
    coarse = start.variance if power is None else signed_power(start.variance, 2 / power)
    found = BlurParams(coarse, family=family).covariance_matrix(ndim)
    found = project_family(found * jnp.outer(ratio, ratio), family)
    least = project_family(_LEAST_START * jnp.eye(ndim, dtype=dtype), family)
    # Off the diagonal nothing is known where a variance is that small.
    small = jnp.any((least > 0) & (found < least))
    enough = jnp.where(least > 0, jnp.maximum(found, least), jnp.where(small, 0, found))
    return replace(
        start,
        variance=enough if power is None else signed_power(enough, power / 2),
        shift=start.shift * ratio,
        noise=start.noise * spread,
    )
