"""What a fit minimises, seen from outside: the questions that every criterion answers.

A criterion holds a frame and a model. Beside the vector of the model it may keep a *context*:
numbers that it estimates from the residual on the way, such as a scale or two noise levels.
"""

from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp

from gaussjax.linear_algebra import inner_products
from gaussjax.model import BlurModel
from gaussjax.residuals import Frame
from gaussjax.solvers import Evaluation, newton, step_tolerance

# The context follows in the next pass.
_STEPS_PER_PASS = 20


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Linearization:
    """The residual near a vector, on the extended frame in its scale.

    Attributes:
        residual: r = predicted - B, ``[*frame]``.
        slopes: of the residual, ``[k, *frame]``.
        turned: what makes of them its Jacobian, ``J_l = sum_k turned_kl slopes_k``, ``[k, k]``.
        information: ``J' W J`` over the window, ``[k, k]``.
    """

    residual: jax.Array
    slopes: jax.Array
    turned: jax.Array
    information: jax.Array

    @property
    def fields(self) -> jax.Array:
        """The Jacobian J, ``[k, *frame]``."""
        return jnp.tensordot(self.turned.T, self.slopes, 1)


def linearize(model: BlurModel, vector: jax.Array, frame: Frame, window: jax.Array):
    """The :class:`Linearization` at a vector."""
    residual, fields = model.residual(vector, frame)
    identity = jnp.eye(vector.size, dtype=vector.dtype)
    information = inner_products(window[None] * fields, fields)
    return Linearization(residual, fields, identity, information)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Improvement:
    """Where one pass of a criterion has come to.

    Attributes:
        vector: ``[k]``.
        linear: of the model there.
        converged: what another pass would change is below the solver's tolerance.
        num_steps: of the solver.
    """

    vector: jax.Array
    linear: Linearization
    converged: jax.Array
    num_steps: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Summary:
    """What a criterion says of its optimum, in the scale of the frame.

    Attributes:
        covariance: of the vector, ``[k, k]``.
        loss: the objective over the compared pixels.
        noise_variance: of the residual per pixel of weight one.
        chi_square: of the residual against the noise that was given, per degree of freedom; NaN
            where none was given.
        noise: variances of the noise in the reference and in the blurred image, ``[2]``.
        whitened: the residual filtered so that the noise that is assumed in it is white, times
            the window; outliers that the loss discounts are clipped.
        squares: sum of squared residuals, with the outliers clipped likewise.
        outliers: part of the compared pixels that was clipped.
    """

    covariance: jax.Array
    loss: jax.Array
    noise_variance: jax.Array
    chi_square: jax.Array
    noise: jax.Array
    whitened: jax.Array
    squares: jax.Array
    outliers: jax.Array


class Criterion(Protocol):
    """An objective of a fit; see the module's docstring."""

    @property
    def frame(self) -> Frame:
        """The pair."""
        ...

    @property
    def model(self) -> BlurModel:
        """Its model."""
        ...

    def window(self, margins: jax.Array) -> jax.Array:
        """Weights of the pixels, for margins in px per axis."""
        ...

    def context(self, vector: jax.Array, window: jax.Array, previous: jax.Array) -> jax.Array:
        """The context at a vector, ``[q]``."""
        ...

    def improve(
        self, vector: jax.Array, window: jax.Array, context: jax.Array, lower, upper
    ) -> Improvement:
        """Minimise over the vector, with window and context held fixed: one pass."""
        ...

    def gradient(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> jax.Array:
        """Of the objective, ``[k]``; zero at its optimum. For implicit differentiation."""
        ...

    def summary(
        self,
        vector: jax.Array,
        window: jax.Array,
        context: jax.Array,
        linear: Linearization,
        num_pixels: jax.Array,
    ) -> Summary:
        """Error bars and figures at the optimum."""
        ...


class NewtonCriterion:
    """Base of the criteria that have no shorter way than damped Newton steps on the objective."""

    frame: Frame
    model: BlurModel

    def evaluate(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> Evaluation:
        """Cost, gradient and curvature at a vector."""
        raise NotImplementedError

    def improve(self, vector, window, context, lower, upper) -> Improvement:
        """Newton steps, as many as one pass is worth."""
        root = newton(
            lambda theta: self.evaluate(theta, window, context),
            vector,
            lower=lower,
            upper=upper,
            max_steps=_STEPS_PER_PASS,
        )
        still = jnp.max(jnp.abs(root.params - vector) / step_tolerance(root.params)) <= 1
        # A root found at once is as good as rounding allows, however far the last digits move.
        still = still | (root.converged & (root.num_steps <= 2))
        linear = linearize(self.model, root.params, self.frame, window)
        return Improvement(root.params, linear, still, root.num_steps)

    def gradient(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> jax.Array:
        """Of the objective."""
        return self.evaluate(vector, window, context).gradient
