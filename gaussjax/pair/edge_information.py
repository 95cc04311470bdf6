"""Whether the information on a blur comes from inside the frame, or from ringing at its edge.

An FFT blurs a periodic image. A kernel without finite support spreads the jump between opposite
edges over the frame, with a sign that alternates from pixel to pixel. This ringing is weak, but
where the nuisances explain everything else that a blur changes (a gain of a single wave, a shift of
a ramp), it is all that is left of the derivative by the variance: the objective then has a minimum
somewhere, with an error bar that looks informative. So the standard error of the variances is
computed twice more: from the inside of the frame and from derivatives without their highest
frequencies, and from second differences of the sharper image in place of the derivatives.

For real scenes the first is larger by the share of those frequencies, at most by as much as for
white noise under a narrow blur. A difference has ``2 - 2 cos w`` where the derivative by a variance
has ``w^2 R``: at the highest frequency, the worst, ``pi^2 / 4`` times less where R is at most 1. It
does not see a jump that is far away.

Ratio of the squared errors for ramps with a spot, 64 px: 1.0 to 1.5 at the right root, both; at
wrong ones 20 to 7000 and 7 to 7000.
"""

import math
from functools import cache
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.model.system_response import BlurModel, variances_along_axes
from gaussjax.numerics.linear_algebra import diagonal, inverse_small
from gaussjax.numerics.pytree import pytree
from gaussjax.numerics.reductions import totals
from gaussjax.pair.departure_fields import stencil

# px along the frame's edge that do not count as inside.
RIM = 4
# Factor by which fitting the nuisances may change the ratio. It is 1 to 1.4 for scenes with some
# detail: white noise and random textures of any slope.
_LARGEST_CHANGE = 10.0
# Without the highest frequency of an axis.
_BINOMIAL = (0.25, 0.5, 0.25)
# The ratio of differences for a scene at the highest frequency, without a blur.
_OF_DIFFERENCES = (math.pi**2 / 4) ** 2


@pytree
class EdgeInformation:
    """J'WJ per pixel, ``[3, k, k]``: of all pixels, of the inside with smoothed J, of differences.

    The last with differences of neighbours in place of the derivatives by variances.
    """

    information: jax.Array

    def is_all(self, model: BlurModel, least: jax.Array) -> jax.Array:
        """Whether some variance is told less without the ringing than by any scene.

        Args:
            model: whose vector the slopes are of.
            least: the least principal variance of the blur, px^2.
        """
        variances, along = slice(model.num_variances), variances_along_axes(model)
        errors = jax.vmap(diagonal)(jax.vmap(inverse_small)(self.information))
        own = jax.vmap(diagonal)(self.information)
        whole, inside, local = errors
        # A matrix that is singular up to rounding may have an inverse of any sign, or none.
        told = (inside > 0) & (inside <= largest_ratio(model.ndim) * whole)
        told &= inside * own[1] <= _LARGEST_CHANGE * whole * own[0]
        # Along an axis that B is sharper on R is larger than 1. A mixed difference is blind to the
        # highest frequency, however the scene is.
        gain = jnp.exp(math.pi**2 * jnp.maximum(-least, 0))
        local_told = (local > 0) & (local <= _OF_DIFFERENCES * gain * whole)
        return ~(jnp.all(told[variances]) & jnp.all(local_told[along]))


def edge_information(
    fields: list[jax.Array], weights: jax.Array, inside: jax.Array, differences: list[jax.Array]
) -> EdgeInformation:
    """The sums over a box of pixels of the slopes J.

    Args:
        fields: J, of the box.
        weights: W, of the box.
        inside: 1 on the pixels inside of the frame that have all their neighbours in the box.
        differences: the fields of the variances by differences of neighbours, of the box.
    """
    k, within = len(fields), weights * inside
    smooth = [stencil(jnp.pad(field, 1), [_BINOMIAL] * field.ndim) for field in fields]
    differences = [*differences, *fields[len(differences) :]]
    place = np.zeros((k, k), int)
    place[np.tril_indices(k)] = np.arange(k * (k + 1) // 2)
    products = []
    for window, images in ((weights, fields), (within, smooth), (weights, differences)):
        weighted = [window * image for image in images]
        products += [weighted[i] * images[j] for i in range(k) for j in range(i + 1)]
        products.append(window)
    sums = totals(products).reshape(3, -1)
    found = sums[:, np.maximum(place, place.T)]
    return EdgeInformation(found / jnp.maximum(sums[:, -1:, None], 1))


@cache
def largest_ratio(ndim: int) -> float:
    """The ratio for white noise without a blur and a full covariance, in so many dimensions."""
    frequencies = np.meshgrid(*[2 * np.pi * np.fft.fftfreq(32)] * ndim, indexing="ij")
    passed = np.prod([np.cos(w / 2) ** 2 for w in frequencies], axis=0)
    slopes = [0.5 * w**2 for w in frequencies]
    slopes += [first * second for first, second in combinations(frequencies, 2)]
    fields = np.stack(slopes).reshape(len(slopes), -1)
    errors = [np.diag(np.linalg.inv((x * fields) @ fields.T)) for x in (1, passed.ravel() ** 2)]
    return float(np.max(errors[1] / errors[0]))
