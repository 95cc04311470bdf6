"""Nuisances in common: the joint fit of all channels, without their pixels."""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from problems import natural_scene

import gaussjax as gj

SIGMAS, SHIFT, LEVELS = (1.0, 1.6, 2.5), 0.7, (0.02, 0.03, 0.05)
LENGTH = 600


def response(sigma, shift):
    w = 2 * np.pi * np.fft.rfftfreq(LENGTH)
    return np.exp(-0.5 * (sigma * w) ** 2 - 1j * shift * w)


@pytest.fixture
def signals(rng):
    """Three channels before and after; of another shift each by ``apart``."""
    before = np.stack([natural_scene((LENGTH,), seed=k, slope=0.7) for k in range(3)])
    noise = np.array(LEVELS)[:, None] * rng.normal(size=before.shape)

    def channels(apart=0.0):
        moved = [response(s, SHIFT + k * apart) for k, s in enumerate(SIGMAS)]
        return before, np.fft.irfft(np.fft.rfft(before) * moved, LENGTH) + noise

    return channels


def estimates(pair):
    fit = partial(gj.estimate_blur, boundary="periodic", shift=True)
    return jax.vmap(fit)(*map(jnp.asarray, pair))


def joint_fit(before, after):
    """Variances and one shift by least squares over all channels, and their standard errors."""
    spectra = np.fft.rfft(before)

    def residuals(theta):
        sigmas = np.sqrt(theta[:3])
        moved = [response(sigma, theta[3]) for sigma in sigmas]
        off = np.fft.irfft(spectra * moved, LENGTH) - after
        return (off / np.array(LEVELS)[:, None]).reshape(-1)

    found = scipy.optimize.least_squares(residuals, [*np.square(SIGMAS), SHIFT], xtol=1e-12)
    return found.x, np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)))


def test_it_is_the_joint_fit(signals, x64):
    own = estimates(signals())
    shared = gj.share_nuisances(own, ["shift"])
    best, errors = joint_fit(*signals())
    found = shared.estimates
    # To first order: a tenth of an error bar; these bars are by the residuals' own spread.
    assert np.all(abs(found.params.variance[:, 0] - best[:3]) < 0.1 * errors[:3])
    assert np.all(abs(found.params.shift[:, 0] - best[3]) < 0.1 * errors[3])
    np.testing.assert_allclose(found.standard_error.variance[:, 0], errors[:3], rtol=0.15)
    np.testing.assert_allclose(found.standard_error.shift[:, 0], [errors[3]] * 3, rtol=0.15)
    assert np.all(found.standard_error.shift < own.standard_error.shift)
    np.testing.assert_allclose(found.sigma, np.sqrt(found.params.variance[:, 0]))
    assert shared.p_value > 1e-3
    assert re.fullmatch(
        r"shift 0\.[67]\d+ \+- 0.0\d+ px for all \(p = 0.\d+ if it is\)", str(shared)
    )


def test_channels_that_have_none_in_common(signals, x64):
    shared = gj.share_nuisances(estimates(signals(apart=0.2)), ["shift"])
    assert shared.p_value < 1e-6


def test_a_channel_that_says_nothing_is_left_out(signals, x64):
    before, after = signals()
    after[1] = before[0, ::-1]
    own = estimates((before, after))
    assert own.status[1] != 0
    shared = gj.share_nuisances(own)
    for mine, theirs in zip(*map(jax.tree.leaves, (shared.estimates[1], own[1])), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9)
    moved = shared.estimates.params.shift[:, 0] != own.params.shift[:, 0]
    np.testing.assert_array_equal(moved, [True, False, True])
    alone = gj.share_nuisances(own[0:1])
    assert np.isnan(alone.p_value)
    np.testing.assert_allclose(alone.estimates.sigma, own.sigma[:1], rtol=1e-9)


def test_what_it_refuses(signals):
    own = estimates(signals())
    with pytest.raises(ValueError, match="names holds 'gain', which was not fitted"):
        gj.share_nuisances(own, ["gain"])
    with pytest.raises(ValueError, match="names must be one of gain, offset, shift"):
        gj.share_nuisances(own, ["tilt"])
    with pytest.raises(TypeError, match="names must be a list"):
        gj.share_nuisances(own, "shift")
    with pytest.raises(ValueError, match="batch along one axis"):
        gj.share_nuisances(own[0])
