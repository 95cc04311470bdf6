"""Programs with options of their own: the same numbers in every context that JAX has."""

import threading

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.numerics import loops
from gaussjax.numerics.compilation import compiled, in_succession


@compiled(static_argnames="power")
def scaled(x, *, power: int):
    return jnp.sum(2 * x**power)


def test_every_way_to_call_it_gives_the_same(rng):
    x = jnp.asarray(rng.normal(size=(4, 3)), jnp.float32)
    expected = 2 * np.sum(np.asarray(x[0]) ** 2)
    own = x[0]
    ways = {
        "at top level": scaled(own, power=2),
        "of numpy": scaled(np.asarray(own), power=2),
        "in a program": jax.jit(lambda x: scaled(x, power=2))(own),
        "of a constant in a program": jax.jit(lambda: scaled(own, power=2))(),
        "in a batch": jax.vmap(lambda x: scaled(x, power=2))(x)[0],
        "of a constant in a batch": jax.vmap(lambda _: scaled(own, power=2))(x)[0],
        "in a loop": jax.lax.map(lambda _: scaled(own, power=2), jnp.arange(2))[1],
        "op by op": _op_by_op(own),
    }
    for way, value in ways.items():
        np.testing.assert_allclose(value, expected, rtol=1e-6, err_msg=way)
    np.testing.assert_allclose(jax.grad(lambda x: scaled(x, power=2))(own), 4 * own, rtol=1e-6)
    assert [program._cache_size() > 0 for program in scaled.programs] == [True, True]


def _op_by_op(x):
    with jax.disable_jit():
        return scaled(x, power=2)


def test_loops_stay_loops_where_functions_are_inlined():
    @compiled()
    def looped(x):
        found = loops.fori_loop(0, 50, lambda _, x: jnp.where(x > 0, jnp.sin(x), x), x)
        found, _ = loops.scan(lambda x, more: (jnp.cos(x + more), None), found, jnp.ones(9))
        return loops.cond(found > 0, jnp.exp, jnp.exp2, found)

    text = looped.programs[1].lower(1.0).as_text()
    assert [text.count(name) for name in ("sine ", "cosine ", "while", "case")] == [2, 1, 2, 1]


def test_two_programs_are_compiled_once_each_side_by_side():
    @compiled(static_argnames="power")
    def first(x, y, *, power):
        return x**power, {"sum": jnp.sum(x) + y}

    @compiled(scalar=True)
    def second(x, more):
        return jnp.max(x) + more["sum"]

    both = in_succession(first, second)
    compilations, threads = [], set()

    def record(name, _, **__):
        if name.endswith("backend_compile_duration"):
            compilations.append(name)
            threads.add(threading.get_ident())

    x = np.arange(6, dtype=np.float32)
    jax.jit(lambda: 0)()  # what each call asks first
    both(x[:2], 1, power=2)
    jax.monitoring.register_event_duration_secs_listener(record)
    try:
        for _ in range(2):
            assert float(both(x, 2.0, power=3)) == 125 + 15 + 2
        assert len(compilations) == len(threads) == 2
        assert float(both(x, 2.0, power=2)) == 25 + 15 + 2
        assert float(both(jnp.asarray(x), 3.0, power=2)) == 25 + 15 + 3
    finally:
        jax.monitoring.unregister_event_duration_listener(record)
    assert float(jax.jit(lambda x: both(x, 2.0, power=2))(x)) == 25 + 15 + 2
    np.testing.assert_allclose(jax.vmap(lambda x: both(x, 2.0, power=2))(np.stack([x, x])), 42)
    assert float(jax.grad(lambda y: both(x, y, power=2))(2.0)) == 1
    with jax.disable_jit():
        assert float(both(x, 2.0, power=2)) == 42
