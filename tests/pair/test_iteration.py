"""The loop of passes: margins follow the estimate, and come to rest."""

from dataclasses import dataclass
from types import SimpleNamespace

import jax.numpy as jnp
import pytest

from gaussjax.pair.iteration import FOLLOWING_PASSES, iterate


@dataclass(frozen=True)
class Model:
    """Margins of five sigma, rounded up."""

    is_finite: bool
    ndim: int = 1

    @property
    def kernel(self):
        return SimpleNamespace(is_finite=self.is_finite)

    @staticmethod
    def margins(model, vector):
        return jnp.ceil(5 * vector)


@dataclass(frozen=True)
class Objective:
    """Whose optimum is where its margin asks for another one: 1.001 at 5 px, 0.999 at 6 px."""

    model: Model
    frame = SimpleNamespace(grid=None, margins=Model.margins)

    def context(self, vector, margins, previous):
        return previous

    def linearize(self, vector, margins):
        return margins

    def improve(self, fit, lower, upper):
        found = jnp.where(fit.margins <= 5, 1.001, 0.999).astype(fit.vector.dtype)
        step = jnp.max(jnp.abs(found - fit.vector)) / 1e-6
        # The margin is kept where a caller can see it.
        return fit.moved(found, fit.margins, step, step)


@pytest.mark.parametrize(
    ("is_finite", "passes", "margin"),
    # One pass with 5 px, two with 6; if every tap counts as long as the margin follows.
    [(False, 3, 6), (True, FOLLOWING_PASSES + 1, 6)],
)
def test_a_margin_on_a_rounding_edge_comes_to_rest(is_finite, passes, margin, x64):
    start = jnp.asarray([0.98])
    fit = iterate(Objective(Model(is_finite)), start, jnp.zeros(0), -jnp.inf, jnp.inf)
    assert fit.converged
    assert fit.num_steps == passes
    assert fit.linear == margin
    assert fit.vector == 0.999


def test_a_margin_that_is_far_too_wide_shrinks(x64):
    fit = iterate(Objective(Model(False)), jnp.asarray([3.0]), jnp.zeros(0), -jnp.inf, jnp.inf)
    # 15 px, then what 0.999 px ask for, then what 1.001 px do.
    assert fit.converged
    assert fit.linear == 6
    assert fit.num_steps == 4
