"""Batches spread over devices: every function, on meshes with explicit axes and in shard_map."""

import os
import re
from pathlib import Path

import pytest
from processes import run_process

SCRIPT = """
import gc, sys
gc.disable()  # tracing makes little garbage
import jax, jax.numpy as jnp, numpy as np, optax
import gaussjax
from gaussjax import estimate_blur, pair_spectra
from jax.sharding import NamedSharding, PartitionSpec

P = PartitionSpec("pairs")
random = np.random.default_rng(0)
references = random.normal(size=(4, 32, 32)).cumsum(1).cumsum(2)
blurreds = np.array(jax.vmap(lambda a: gaussjax.blur(a, 1.3))(references))
blurreds += 0.01 * random.normal(size=blurreds.shape)
images = references, blurreds
stack, softer = images  # as the page calls them


def of_spectra(fit):
    return lambda a, b: fit(pair_spectra(a, b))


def both(a, b):
    spectra = pair_spectra(a, b)
    stacked = jax.tree.map(lambda x: jnp.stack([x, x]), spectra)
    return gaussjax.add_spectra(spectra, gaussjax.sum_spectra(stacked))


def slope(a, b):
    return jax.grad(lambda a: estimate_blur(a, b).sigma)(a)


FUNCTIONS = {
    "plain": estimate_blur,
    "full": lambda a, b: estimate_blur(a, b, family="full", gain=True, offset=True, shift=True),
    "robust": lambda a, b: estimate_blur(a, b, loss="absolute"),
    "noise": lambda a, b: estimate_blur(a, b, noise_std="estimate"),
    "slope": slope,
    "map": lambda a, b: gaussjax.blur_map(a, b, tile=16, step=16, shrink=True),
    "blur": lambda a, b: gaussjax.blur(a, 1.5, boundary="nearest", kernel="sampled"),
    "transfer": lambda a, b: gaussjax.transfer_function(jnp.mean(a**2) + 1, a.shape),
    "image loss": lambda a, b: gaussjax.image_loss(jnp.mean(a**2) + 1, a, b),
    "loss": of_spectra(lambda spectra: gaussjax.loss(1.5, spectra)),
    "sums": both,
    "Gauss-Newton": of_spectra(gaussjax.fit_gauss_newton),
    "optax": of_spectra(lambda s: gaussjax.fit_optax(s, optax.adam(0.1), num_steps=5)),
    "ratio": of_spectra(gaussjax.fit_frequency_ratio),
    "pointwise": of_spectra(gaussjax.fit_pointwise_ratio),
    "free": of_spectra(gaussjax.fit_free_kernel),
}


# What differs only inside of one function is the same to a mesh with explicit axes.
VARIANTS = {"plain", "full", "robust", "noise"}
# To compile takes long. Of the others the types are checked, as JAX traces.
COMPUTED = FUNCTIONS if "all" in sys.argv else {"Gauss-Newton", "blur", "image loss"}


def programs(name):
    # On meshes as JAX makes them by default.
    batched = jax.vmap(FUNCTIONS[name])
    two = jax.make_mesh((2,), ("pairs",), devices=jax.devices()[:2])
    if name != "slope":
        yield jax.jit(jax.shard_map(batched, mesh=two, in_specs=P, out_specs=P)), two
    if name not in VARIANTS:
        yield jax.jit(batched), jax.make_mesh((4,), ("pairs",))


def check(found, expected):
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)
    assert found.sharding.spec[0] == "pairs", found.sharding


for name in FUNCTIONS:
    for program, mesh in programs(name):
        arrays = [jax.device_put(x, NamedSharding(mesh, P)) for x in images]
        if name in COMPUTED:
            whole = jax.jit(jax.vmap(FUNCTIONS[name]))(*images)
            jax.tree.map(check, program(*arrays), whole)
        else:
            program.trace(*arrays)
    print(name, "works")

estimates = None
exec(sys.argv[2])
assert estimates.sigma.sharding.spec == P
whole = jax.jit(jax.vmap(estimate_blur))(references, blurreds)
jax.tree.map(check, estimates, whole)
print("the page", "works")

program = jax.jit(jax.shard_map(gaussjax.estimate_blurs, mesh=mesh, in_specs=P, out_specs=P))
arrays = [jax.device_put(x, NamedSharding(mesh, P)) for x in images]
if "all" in sys.argv:
    found = program(*arrays).sigma
    np.testing.assert_allclose(found, gaussjax.estimate_blurs(*images).sigma, rtol=1e-5)
    assert found.sharding.spec == P
else:
    program.trace(*arrays)
print("stacks", "works")

expected = gaussjax.fit_dataset(zip(*images)).sigma
with jax.set_mesh(jax.make_mesh((2, 2), ("rows", "columns"))):  # of the caller's own
    found = gaussjax.fit_dataset(zip(*images)).sigma
np.testing.assert_allclose(found, expected, rtol=1e-12)
print("data sets", "works")
"""


@pytest.mark.slow
def test_every_function_works_on_arrays_spread_over_devices(draws):
    flags = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=4"
    computed = "all" if draws > 100 else "some"
    text = Path(__file__).parents[1].joinpath("docs/jax.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n([^`]*make_mesh[^`]*)```", text)
    done = run_process(
        SCRIPT,
        computed,
        shown,
        JAX_PLATFORMS="cpu",
        JAX_ENABLE_X64="1",
        XLA_FLAGS=flags,
        JAX_TRACEBACK_IN_LOCATIONS_LIMIT="0",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("works") == 19
