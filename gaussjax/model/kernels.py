"""Kernel conventions: which numbers a tool means when it blurs along one axis with "sigma".

A Gaussian has to be put on the pixel grid, and tools disagree below about 1 px on how. With the
variance v = sigma^2 (px^2) and the angular frequency w (rad/px), the transfer function is

    continuous   exp(-v w^2 / 2)                       band-limited Gaussian, exact semigroup
    discrete     exp(v (cos w - 1))                    discrete analogue, exact semigroup
    sampled      sum_|n|<=R k_n cos(n w),  k_n ~ exp(-n^2 / 2v),  sum k_n = 1
    integrated   the same with k_n the Gaussian's mass on pixel n

SciPy, OpenCV, scikit-image and kornia sample. A negative variance sharpens: T(-v) = 1 / T(v).

Source of the discrete analogue: T. Lindeberg, "Scale-space for discrete signals", IEEE Trans.
Pattern Anal. Mach. Intell. 12(3), 1990.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from gaussjax.checks import as_count, as_positive, check_option, shown
from gaussjax.model.array_checks import check_elementwise
from gaussjax.model.options import KERNELS, LARGEST_TRUNCATE, KernelName
from gaussjax.numerics import loops


def least_nominal_sigma(dtype) -> float:
    """Nominal sigma (px) below which a sampled or integrated kernel is a delta within rounding.

    The first tap of a sampled kernel, exp(-1 / (2 sigma^2)), falls below eps at 0.18 px in float32
    and 0.12 px in float64; 0.15 px leaves it a few digits.
    """
    return max(0.15, (-2 * math.log(jnp.finfo(dtype).eps)) ** -0.5)


@dataclass(frozen=True)
class Kernel:
    """A kernel convention; hashable, so that it can be a static argument.

    Args:
        name: one of ``KERNELS``.
        truncate: "sampled" only: the radius is ``int(truncate * sigma + 0.5)`` px, as in SciPy.
        radius: "sampled" only: overrides ``truncate`` by a fixed radius in px, or by a function
            from sigma (px) to the radius (px) made of jax.numpy operations.

    Raises:
        TypeError: no name, number or function.
        ValueError: an unknown name, a number out of range, or a truncate or radius of another
            kernel than "sampled".
    """

    name: KernelName = "continuous"
    truncate: float = 4.0
    radius: int | Callable | None = None

    def __post_init__(self) -> None:
        """Check all three; numbers become Python's, equal and hashed alike."""
        check_option(self.name, KERNELS, "name")
        truncate = as_positive(self.truncate, "truncate", LARGEST_TRUNCATE)
        object.__setattr__(self, "truncate", truncate)
        if callable(self.radius):
            check_elementwise(self.radius, "radius", ())
        elif self.radius is not None:
            object.__setattr__(self, "radius", as_count(self.radius, "radius", 1, 2**24))
        if self.name != "sampled" and (self.truncate, self.radius) != (Kernel.truncate, None):
            idle = "truncate" if self.radius is None else "radius"
            raise ValueError(
                f"{idle} is of kernel='sampled'; got {idle}={shown(getattr(self, idle))} for"
                f" kernel={self.name!r}"
            )

    @property
    def is_finite(self) -> bool:
        """True when taps are summed, so that a largest radius has to be known in advance."""
        return self.name in ("sampled", "integrated")

    def support_at(self, sigma: jax.Array) -> jax.Array:
        """Radius in px of the taps that are summed for ``sigma`` (px), as a floating integer."""
        sigma = jnp.abs(sigma)
        if self.name != "sampled":
            # 6 sigma leaves out 2e-9 of the mass.
            return jnp.ceil(6 * sigma) + 1
        if callable(self.radius):
            return jnp.asarray(self.radius(sigma), sigma.dtype)
        if self.radius is not None:
            return jnp.full_like(sigma, self.radius)
        # SciPy takes the floor. A sigma that went through its square, or through a fit, may come
        # back an ulp short of a jump of the floor, and would lose a tap for it.
        slack = math.sqrt(jnp.finfo(sigma.dtype).eps)
        return jnp.floor(self.truncate * sigma + 0.5 + slack)

    def margin_at(self, sigma: jax.Array) -> jax.Array:
        """Distance in px from the edge at which pixels beyond the edge no longer matter.

        The exact support where the kernel is truncated, else 4 sigma and a pixel (6e-5 of the
        mass lie farther; 3 sigma would leave 1e-5 of error in sigma on photographs).
        """
        if self.name == "sampled":
            return self.support_at(sigma)
        return jnp.ceil(4 * jnp.abs(sigma)) + 1

    def reach(self, sigma: float) -> int:
        """Largest of support and margin in px for a sigma known outside of tracing; for shapes."""
        with jax.ensure_compile_time_eval():
            value = jnp.asarray(float(sigma))
            return int(jnp.maximum(self.support_at(value), self.margin_at(value)))


def as_kernel(
    kernel: KernelName | Kernel, truncate: float = 4.0, radius: int | Callable | None = None
) -> Kernel:
    """The convention of three arguments, or the one that is given as ``kernel``.

    TypeError for no name, number or function; ValueError for an unknown name, a number out of
    range, a truncate or radius of another kernel than "sampled", or beside a Kernel.
    """
    if not isinstance(kernel, Kernel):
        check_option(kernel, KERNELS, "kernel")
        return Kernel(kernel, truncate, radius)
    if Kernel("sampled", truncate, radius) != Kernel("sampled"):
        raise ValueError(
            "kernel is a Kernel, which holds truncate and radius: leave these out;"
            f" got truncate={truncate!r}, radius={radius!r}"
        )
    return kernel


def nominal_sigma(variance: jax.Array) -> jax.Array:
    """|variance| to |sigma| without the infinite derivative at zero; not differentiable."""
    return jax.lax.stop_gradient(jnp.sqrt(jnp.abs(variance)))


def taps(kernel: Kernel, variance: jax.Array, reach: int) -> jax.Array:
    """Normalised taps ``k_0 .. k_reach`` of a "sampled" or "integrated" kernel, ``[reach + 1]``.

    The kernel is NaN when its support exceeds ``reach``: a truncation nobody asked for would be a
    silent error, and a solver takes NaN as the edge of the model's domain.
    """
    dtype = variance.dtype
    n = jnp.arange(reach + 1, dtype=dtype)
    magnitude = jnp.abs(variance)
    support = kernel.support_at(nominal_sigma(variance))
    if kernel.name == "sampled":
        # From 1e-3 px^2 down every tap but k_0 underflows to an exact zero anyway.
        weights = jnp.exp(-(n**2) / (2 * jnp.maximum(magnitude, 1e-3)))
    else:
        scale = jnp.sqrt(2 * jnp.maximum(magnitude, 1e-4))
        # erfc keeps the digits of the tails that 1 - erf would lose.
        above = jax.scipy.special.erfc((n + 0.5) / scale)
        below = jax.scipy.special.erfc((n - 0.5) / scale)
        weights = 0.5 * (below - above)
    weights = jnp.where(n <= support, weights, 0)
    total = weights[0] + 2 * jnp.sum(weights[1:])
    return jnp.where(support <= reach, weights / total, jnp.nan)


def axis_transfer(
    kernel: Kernel, variance: jax.Array, index: jax.Array | np.ndarray, size: int, reach: int
) -> jax.Array:
    """Transfer function along one axis at the frequencies ``w = 2 pi index / size``, ``[m]``.

    The variance is signed, px^2, the index of integers, the size of the axis in px; "sampled" and
    "integrated" may take a radius of ``reach`` px.
    """
    w = (2 * math.pi / size) * index.astype(variance.dtype)
    if kernel.name == "continuous":
        return jnp.exp(-0.5 * variance * w**2)
    if kernel.name == "discrete":
        # cos w - 1 without its cancellation at small w.
        return jnp.exp(-2 * variance * jnp.sin(0.5 * w) ** 2)
    weights = taps(kernel, variance, reach)
    weights = jnp.concatenate([weights[:1], 2 * weights[1:]])
    # n * index can exceed what float32 resolves modulo 2 pi; integers wrap exactly.
    n = jnp.arange(reach + 1, dtype=jnp.int32)
    phase = jnp.outer(index.astype(jnp.int32), n) % size
    transfer = jnp.cos((2 * math.pi / size) * phase.astype(variance.dtype)) @ weights
    return jnp.where(variance < 0, 1 / transfer, transfer)


def second_moment(kernel: Kernel, variance: jax.Array, reach: int) -> jax.Array:
    """The variance that the kernel truly applies, sum_n n^2 k_n, in px^2."""
    n = jnp.arange(reach + 1, dtype=variance.dtype)
    return jnp.sign(variance) * 2 * jnp.sum(n**2 * taps(kernel, variance, reach))


def nominal_variance(kernel: Kernel, moment: jax.Array, reach: int) -> jax.Array:
    """Inverse of :func:`second_moment`: the nominal variance whose kernel applies ``moment``.

    By bisection in log sigma, because the function is flat at zero and jumps where the radius
    does; good to 1e-4 relative, as a start for a fit. Clipped to what ``reach`` allows; for a
    fixed radius to sigma = radius, past which the kernel tends to a box and no longer tells its
    sigma.
    """
    if not kernel.is_finite:
        return moment
    target = jnp.abs(moment)
    low = jnp.full_like(moment, math.log(0.05))
    fixed = kernel.radius if kernel.name == "sampled" else None
    widest = 2 * reach + 1 if fixed is None or callable(fixed) else max(fixed, 1)
    high = jnp.full_like(moment, math.log(widest))

    def halve(_, bracket):
        low, high = bracket
        middle = 0.5 * (low + high)
        # NaN (support beyond reach) compares false and pulls the bracket down.
        below = second_moment(kernel, jnp.exp(2 * middle), reach) < target
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, _ = loops.fori_loop(0, 20, halve, (low, high))
    return jnp.sign(moment) * jnp.exp(2 * low)
