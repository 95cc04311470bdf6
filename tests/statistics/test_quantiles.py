import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from processes import run_process

from gaussjax.statistics.quantiles import (
    chi_square_quantile,
    chi_square_tail,
    normal_probability,
    student_quantile,
)

FREEDOM = np.asarray([1, 1.3, 2, 4.5, 20, 99, 101, 1e5, np.inf, np.nan])


@pytest.mark.parametrize("level", [0.1, 0.5, 0.95, 0.9999])
def test_students_quantile_is_that_of_scipy(level):
    expected = scipy.stats.t.ppf(0.5 + 0.5 * level, FREEDOM)
    np.testing.assert_allclose(student_quantile(level, FREEDOM), expected, rtol=1e-12)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.95, 0.9999])
def test_it_is_the_same_under_tracing(level, dtype):
    traced = jax.jit(student_quantile)(level, jnp.asarray(FREEDOM, dtype))
    # Probabilities are known to some eps; near the ends of their range that is much of them.
    tolerance = 50 * np.finfo(dtype).eps / min(level, 1 - level) + 1e-6
    np.testing.assert_allclose(traced, student_quantile(level, FREEDOM), rtol=tolerance)


def test_its_derivative_is_the_inverse_density(x64):
    slope = jax.jit(jax.grad(lambda level: student_quantile(level, jnp.asarray(3.0))))(0.95)
    density = scipy.stats.t.pdf(scipy.stats.t.ppf(0.975, 3), 3)
    np.testing.assert_allclose(slope, 0.5 / density, rtol=1e-6)


def test_chi_square_and_normal_are_those_of_scipy():
    freedom = np.asarray([1.0, 7.0, 1e6])
    values = chi_square_quantile(0.025, freedom)
    np.testing.assert_allclose(values, scipy.stats.chi2.ppf(0.025, freedom), rtol=1e-10)
    np.testing.assert_allclose(chi_square_tail(values, freedom), 0.975, rtol=1e-10)
    np.testing.assert_allclose(normal_probability(-5.0), scipy.stats.norm.cdf(-5), rtol=1e-12)


def test_importing_and_normal_intervals_need_no_scipy():
    script = (
        "import sys\n"
        "import gaussjax\n"
        "from gaussjax import BlurEstimate, estimate_blur, fit_dataset\n"
        "from gaussjax.statistics import cluster_robust, quantiles\n"
        "print(quantiles.normal_quantile(0.95, float))\n"
        "print([name for name in sys.modules if name.startswith('scipy')])"
    )
    result = run_process(script)
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("[]\n"), result.stdout
