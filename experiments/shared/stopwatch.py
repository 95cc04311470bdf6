"""Time by the clock: calls in turn, round after round, and the two FFTs they are judged by."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.fft

FLOORS = ("SciPy, 1 worker", "SciPy, 2 workers", "JAX")


def floors(pair: tuple[np.ndarray, np.ndarray]) -> dict[str, Callable[[], Any]]:
    """The transforms of both images, by every library."""
    both = np.stack(pair)
    return {
        FLOORS[0]: lambda: scipy.fft.rfft2(both, workers=1),
        FLOORS[1]: lambda: scipy.fft.rfft2(both, workers=2),
        FLOORS[2]: on_device(jax.jit(jnp.fft.rfft2), both),
    }


def on_device(function: Callable, *arrays: np.ndarray) -> Callable[[], Any]:
    """A call of ``function`` on arrays that are on the device already."""
    placed = [jnp.asarray(array) for array in arrays]
    return lambda: function(*placed)


def seconds_in_turn(
    calls: dict[Any, Callable[[], Any]], rounds: int
) -> tuple[dict[Any, float], dict[Any, float], dict[Any, Any]]:
    """Of every call: seconds of the first beyond the median, that median, and what was returned.

    The first call compiles; the median is over ``rounds`` later ones. Each round makes every call
    once, in a random order.
    """
    results: dict[Any, Any] = {}

    def seconds(name: Any) -> float:
        start = time.perf_counter()
        results[name] = jax.block_until_ready(calls[name]())
        return time.perf_counter() - start

    first = {name: seconds(name) for name in calls}
    # A call finds the caches as the one before left them, which must not always be the same.
    order, random = list(calls), np.random.default_rng(0)
    times = []
    for _ in range(rounds):
        random.shuffle(order)
        times.append({name: seconds(name) for name in order})
    medians = {name: float(np.median([each[name] for each in times])) for name in calls}
    return {name: first[name] - medians[name] for name in calls}, medians, results


def quickest(floor: dict[str, list[float]]) -> np.ndarray:
    """The least time of any library, by size."""
    return np.min(list(floor.values()), axis=0)


def slope(pixels: Sequence[float] | np.ndarray, times: Sequence[float] | np.ndarray) -> float:
    """Exponent of the power law through times over numbers of pixels."""
    return float(np.polyfit(np.log(pixels), np.log(times), 1)[0])
