"""Fits of kernels beside gain, offset and shift: exact without noise, unbiased with it."""

import numpy as np
import pytest
from problems import natural_scene

from gaussjax.report.kernel_fit import KernelPair, Nuisances, refined
from gaussjax.report.round_candidates import BOXES, disks
from gaussjax.report.tailed_candidates import heavy_tails

SHAPE = (80, 96)
MOFFAT, GENERALISED, HALO = heavy_tails(2)
DISK = disks(2)[1]


def pair_of(candidate, parameters, gain, offset, shift, noise=0.0):
    scene = natural_scene(SHAPE, seed=4, slope=1.0)
    whole = KernelPair(scene, scene, Nuisances(1.0, 0.0, np.zeros(2)))
    transfer = candidate.transfer(whole.w, np.array(parameters))
    rows, _ = whole.rows([transfer * whole.spectrum], np.array([gain, offset, *shift]))
    soft = scene - rows[0]
    start = Nuisances(1.0, 0.0, np.round(shift))
    noisy = scene + noise * np.random.default_rng(5).normal(size=SHAPE)
    return KernelPair(noisy, soft, start, noise**2)


@pytest.mark.parametrize(
    ("candidate", "parameters"),
    [
        (DISK, (3.2,)),
        (BOXES[0], (4.4,)),
        (MOFFAT, (2.5, 3.0)),
        (GENERALISED, (1.7, 1.6)),
        (HALO, (1.2, 3.0, 0.1)),
    ],
)
def test_parameters_and_nuisances_come_back(candidate, parameters):
    pair = pair_of(candidate, parameters, 1.2, -0.3, (1.3, -0.6))
    window = np.pad(np.ones((48, 64)), 16)
    found = refined(pair, candidate, 1.08 * np.array(parameters), window)
    np.testing.assert_allclose(found.parameters, parameters, rtol=2e-3)
    np.testing.assert_allclose(found.nuisances, [1.2, -0.3, 1.3, -0.6], atol=2e-3)


def test_rows_are_derivatives():
    pair = pair_of(HALO, (1.2, 3.0, 0.1), 1.2, -0.3, (1.3, -0.6))

    def rows(vector):
        transfer = HALO.transfer(pair.w, vector[:3])
        return pair.rows([transfer * pair.spectrum], vector[3:])[0][0]

    vector = np.array([1.2, 3.0, 0.1, 1.2, -0.3, 1.3, -0.6])
    window = np.ones(SHAPE)
    found = refined(pair, HALO, vector[:3], window)
    at = np.concatenate([found.parameters, found.nuisances])
    for k, step in enumerate(1e-5 * np.eye(7)):
        slope = (rows(at - step) - rows(at + step)) / 2e-5
        np.testing.assert_allclose(found.rows[1 + k], slope, atol=1e-4 * np.abs(slope).max())


def test_known_noise_of_the_sharp_image_is_taken_out():
    pair = pair_of(DISK, (3.0,), 1.0, 0.0, (0.0, 0.0), noise=0.3)
    window = np.pad(np.ones((64, 80)), 8)
    corrected = refined(pair, DISK, np.array([3.0]), window)
    plain = refined(KernelPair(pair.sharp, pair.soft, pair.start), DISK, np.array([3.0]), window)
    assert abs(corrected.parameters[0] - 3) < 0.5 * abs(plain.parameters[0] - 3)
    assert corrected.moments(window, 0.09)[0, 0] < 0.3 * corrected.moments(window, 0.0)[0, 0]
