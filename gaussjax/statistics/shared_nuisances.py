"""Nuisances that several estimates have in common: one shift for all channels of an image.

Of K estimates with nuisances n_k that are one n in truth, C_k their covariance and x_k all their
other parameters, the joint least-squares estimate is, to first order,

    n    = P sum_k C_nn,k^-1 n_k,                    P = (sum_k C_nn,k^-1)^-1
    x_k' = x_k - G_k (n_k - n),                      G_k = C_xn,k C_nn,k^-1
    cov x_k' = C_xx,k - G_k (C_nn,k - P) G_k'

because n minimises ``sum_k (n_k - n)' C_nn,k^-1 (n_k - n)``, whose least value is chi-square with
``(K - 1) dim n`` degrees of freedom if the nuisances are one: no pixel is read again.

Source: C. R. Rao, "Linear Statistical Inference and Its Applications", 2nd ed., Wiley 1973, ch. 4
(weighted means and their test of homogeneity).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import jax
import numpy as np

from gaussjax.checks import check_option, check_type, shown
from gaussjax.model.array_checks import is_traced
from gaussjax.model.options import GENERALISED, NUISANCES
from gaussjax.model.params import BlurParams
from gaussjax.numerics.pytree import pytree, static
from gaussjax.statistics.covariance import sigma_error
from gaussjax.statistics.derived_quantities import variance_errors
from gaussjax.statistics.number_format import with_errors
from gaussjax.statistics.quantiles import chi_square_tail
from gaussjax.statistics.result import BlurEstimate
from gaussjax.statistics.status import Status


@pytree
class SharedNuisances:
    """Estimates with nuisances in common.

    Attributes:
        estimates: a batch, with these nuisances and what they change.
        p_value: probability of nuisances as different as were found, if they are one; NaN of a
            single estimate. A small one says that they are not.
        names: of the nuisances (static).
    """

    estimates: BlurEstimate
    p_value: np.ndarray
    names: tuple[str, ...] = static()

    def __str__(self) -> str:
        """The common values, and whether they are common."""
        one = self.estimates[0]
        rows = []
        for name in self.names:
            value, error = (getattr(x, name) for x in (one.params, one.standard_error))
            rows.append(f"{name} {with_errors(value, error)}{' px' if name == 'shift' else ''}")
        return f"{', '.join(rows)} for all (p = {float(self.p_value):.2g} if it is)"


def share_nuisances(estimates: BlurEstimate, names: Sequence[str] = ("shift",)) -> SharedNuisances:
    """Give several estimates the nuisances that they have in common.

    The channels of an image are seen by one lens and one grid: they have one shift, which each of
    them measures. The pooled value replaces that of each, and moves its sigma according to their
    covariance. The noise of different channels counts as independent.

    Args:
        estimates: a batch along one axis, as of :func:`~gaussjax.estimate_blurs` or ``jax.vmap`` of
            :func:`~gaussjax.estimate_blur`, of a Gaussian. Those whose status is not 0 are left out
            and stay as they are.
        names: of "gain", "offset" and "shift", those that are one for all; they have to be fitted.

    Returns:
        SharedNuisances: the estimates, and the probability of nuisances that differ as much.

    Raises:
        TypeError: other types.
        ValueError: no batch along one axis, unknown names, nuisances that were not fitted, a
            generalised Gaussian, or estimates without the covariance of their parameters.

    Source: as in :mod:`gaussjax.statistics.shared_nuisances`.

    Example::

        own = gaussjax.estimate_blurs(before, after, shift=True)  # [channels, height, width]
        shared = gaussjax.share_nuisances(own, ["shift"])
        shared.estimates.sigma, shared.p_value
    """
    names = _checked(estimates, names)
    found: BlurEstimate = jax.device_get(estimates)
    leaves, tree = jax.tree.flatten(found.params)
    dtype, count = leaves[0].dtype, len(found.status)
    vectors = np.concatenate([leaf.reshape(count, -1) for leaf in leaves], axis=1).astype(float)
    covariances = np.array(found.parameter_covariance, float)
    shared = _places(found.params, names)
    fine = (found.status == Status.ESTIMATED) & np.isfinite(covariances).all((1, 2))
    pooled, covariance, misfit = _pooled(vectors[fine], covariances[fine], shared)
    vectors[fine], covariances[fine] = pooled, covariance
    freedom = max(int(fine.sum()) - 1, 0) * int(shared.sum())
    p_value = chi_square_tail(misfit, freedom) if freedom else np.asarray(np.nan)
    ends = np.cumsum([leaf[0].size for leaf in leaves])[:-1]

    def params_of(values: np.ndarray) -> BlurParams:
        parts = zip(np.split(values.astype(dtype), ends, axis=1), leaves, strict=True)
        return tree.unflatten([part.reshape(leaf.shape) for part, leaf in parts])

    errors = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    with_them = replace(
        found,
        params=params_of(vectors),
        standard_error=params_of(errors),
        parameter_covariance=covariances.astype(dtype),
    )
    return SharedNuisances(_with_sigma(with_them), np.asarray(p_value, dtype), names)


def _checked(estimates: Any, names: Any) -> tuple[str, ...]:
    """The names, in the order of the parameters."""
    check_type(estimates, BlurEstimate, "estimates", "a batch of them")
    if is_traced(estimates.status):
        raise TypeError("estimates must be known: share_nuisances works outside of jit and vmap")
    if np.ndim(estimates.status) != 1:
        raise ValueError(
            "estimates must be a batch along one axis, as of estimate_blurs; got estimates of shape"
            f" {np.shape(estimates.status)}"
        )
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        raise TypeError(f"names must be a list of {', '.join(NUISANCES)}; got {shown(names)}")
    for name in names:
        check_option(name, NUISANCES, "names")
        if getattr(estimates.params, name) is None:
            raise ValueError(
                f"names holds {name!r}, which was not fitted: pass {name}=True to the estimates"
            )
    if estimates.params.family == GENERALISED or estimates.parameter_covariance is None:
        raise ValueError(
            "estimates must be of Gaussians, by estimate_blur without precision, whose parameters"
            " have a covariance"
        )
    return tuple(name for name in NUISANCES if name in names)


def _places(params: BlurParams, names: Sequence[str]) -> np.ndarray:
    """Which entries of a vector of the leaves have these names, ``[k]``."""
    parts = []
    for name in ("variance", *NUISANCES):
        leaf = getattr(params, name)
        if leaf is not None:
            parts.append(np.full(leaf[0].size, name in names))
    return np.concatenate(parts)


def _pooled(
    vectors: np.ndarray, covariances: np.ndarray, shared: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Vectors and covariances with common entries, and the chi-square of these."""
    if not len(vectors):
        return vectors, covariances, 0.0
    own = covariances[:, shared][:, :, shared]
    information = np.linalg.inv(own)
    spread = np.linalg.inv(information.sum(0))
    values = vectors[:, shared]
    mean = spread @ np.einsum("kij,kj->i", information, values)
    off = values - mean
    gains = covariances[:, :, shared] @ information
    moved = vectors - np.einsum("kij,kj->ki", gains, off)
    moved[:, shared] = mean  # to the last bit
    left = covariances - gains @ (own - spread) @ gains.swapaxes(1, 2)
    return moved, left, float(np.einsum("ki,kij,kj->", off, information, off))


def _with_sigma(estimates: BlurEstimate) -> BlurEstimate:
    """The same with everything that follows from the parameters."""
    ndim = estimates.covariance_matrix.shape[-1]

    def derived(params: BlurParams, covariance: jax.Array):
        sigma = params.sigma(ndim)
        errors = variance_errors(params, covariance, ndim).reshape(sigma.shape)
        return sigma, sigma_error(sigma, errors), params.covariance_matrix(ndim)

    assert estimates.parameter_covariance is not None
    found = jax.vmap(derived)(estimates.params, estimates.parameter_covariance)
    sigma, error, matrix = jax.device_get(found)
    return replace(estimates, sigma=sigma, sigma_standard_error=error, covariance_matrix=matrix)
