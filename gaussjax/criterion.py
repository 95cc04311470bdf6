"""What a fit minimises, seen from outside: the questions that every criterion answers.

A criterion holds a frame and a model. Beside the vector of the model it may keep a *context*:
numbers that it estimates from the residual on the way, such as a scale or two noise levels.
"""

from dataclasses import dataclass
from typing import Protocol

import jax

from gaussjax.model import BlurModel
from gaussjax.residuals import Frame
from gaussjax.solvers import Evaluation, SolverState, newton

# The context follows in the next pass.
_STEPS_PER_PASS = 20


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
        residual: ``predicted - B`` on the extended frame.
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
    residual: jax.Array
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

    def solve(
        self, vector: jax.Array, window: jax.Array, context: jax.Array, lower, upper, near
    ) -> SolverState:
        """Minimise over the vector, with window and context held fixed.

        ``near`` is True once a pass has been made: the optimum is then not far.
        """
        ...

    def gradient(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> jax.Array:
        """Of the objective, ``[k]``; zero at its optimum. For implicit differentiation."""
        ...

    def summary(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> Summary:
        """Error bars and figures at the optimum."""
        ...


class NewtonCriterion:
    """Base of the criteria that have no shorter way than damped Newton steps on the objective."""

    def evaluate(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> Evaluation:
        """Cost, gradient and curvature at a vector."""
        raise NotImplementedError

    def solve(self, vector, window, context, lower, upper, near) -> SolverState:
        """Newton steps, as many as one pass is worth."""
        return newton(
            lambda theta: self.evaluate(theta, window, context),
            vector,
            lower=lower,
            upper=upper,
            max_steps=_STEPS_PER_PASS,
        )

    def gradient(self, vector: jax.Array, window: jax.Array, context: jax.Array) -> jax.Array:
        """Of the objective."""
        return self.evaluate(vector, window, context).gradient
