"""A Kernel in place of its name, truncate and radius, in every public function that takes them."""

from functools import partial

import jax
import numpy as np
import optax
import pytest
from problems import natural_scene

import gaussjax as gj

SCENE = natural_scene((48, 44), seed=2)
PAIR = SCENE, np.roll(SCENE, 1, 0) * 0.5 + SCENE * 0.5


def spectra():
    return gj.pair_spectra(*PAIR)


# Each takes the three arguments as keywords and returns numbers.
CALLS = {
    "blur": lambda **k: gj.blur(SCENE, 1.1, **k),
    "transfer_function": lambda **k: gj.transfer_function(1.1, SCENE.shape, **k),
    "loss": lambda **k: gj.loss(1.1, spectra(), **k),
    "image_loss": lambda **k: jax.jit(partial(gj.image_loss, 1.1, **k))(*PAIR),
    "estimate_blur": lambda **k: gj.estimate_blur(*PAIR, **k).params,
    "fit_gauss_newton": lambda **k: gj.fit_gauss_newton(spectra(), **k).params,
    "fit_optax": lambda **k: gj.fit_optax(spectra(), optax.adam(0.1), num_steps=3, **k).params,
    "fit_dataset": lambda **k: gj.fit_dataset([PAIR], **k).sigma,
    "blur_map": lambda **k: gj.blur_map(*PAIR, tile=32, **k).sigma,
    "compare_families": lambda **k: gj.compare_families(*PAIR, **k).aic,
}


# The two that compile for long hand the value on to estimate_blur.
@pytest.mark.parametrize("name", sorted({*CALLS} - {"blur_map", "compare_families"}))
def test_a_kernel_stands_for_three_arguments(name):
    call = CALLS[name]
    by_name = call(kernel="sampled", truncate=2.0)
    by_value = call(kernel=gj.Kernel("sampled", truncate=2.0))
    jax.tree.map(np.testing.assert_array_equal, by_name, by_value)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("more", [{"truncate": 3.0}, {"radius": 5}])
def test_not_beside_another_extent(name, more):
    with pytest.raises(ValueError, match="kernel is a Kernel, which holds truncate and radius"):
        CALLS[name](kernel=gj.Kernel("sampled"), **more)


@pytest.mark.parametrize("name", CALLS)
def test_an_unknown_name_is_named(name):
    with pytest.raises(ValueError, match=r"kernel must be one of .*; got 'sampeld': did you mean"):
        CALLS[name](kernel="sampeld")


def test_a_kernel_has_a_known_name():
    with pytest.raises(ValueError, match=r"name must be one of .*: did you mean 'sampled'\?"):
        gj.Kernel("sampeld")


def test_equal_kernels_compile_once():
    found = {
        gj.Kernel("sampled", truncate, radius)
        for truncate in (3, np.float32(3))
        for radius in (None, 5, np.int64(5))
    }
    assert len(found) == 2
