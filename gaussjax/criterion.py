"""What a fit minimises, seen from outside: the questions that every criterion answers.

A criterion holds a frame and a model. Beside the vector of the model it may keep a *context*:
numbers that it estimates from the residual on the way, such as a scale or two noise levels.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp

from gaussjax.boundary import Window
from gaussjax.linear_algebra import finite_or
from gaussjax.model import BlurModel
from gaussjax.residuals import Frame, frame_window

# px^2 (a variance), px (a shift) or 1 (a gain) on which the fields of a narrow blur change.
FIELD_SCALE = 0.25


def held_back(step: jax.Array, vector: jax.Array) -> jax.Array:
    """A Newton step of finite length, no longer than what the fields at ``vector`` can tell of."""
    longest = 0.5 * jnp.abs(vector) + FIELD_SCALE
    return jnp.clip(finite_or(step, 0), -longest, longest)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Improvement:
    """Where one pass of a criterion has come to.

    Attributes:
        vector: ``[k]``.
        linear: what the criterion keeps of its linearization there, for its summary.
        converged: what another pass would change is below the solver's tolerance.
        size: of this pass, in units of that tolerance.
        num_steps: of the solver.
    """

    vector: jax.Array
    linear: Any
    converged: jax.Array
    size: jax.Array
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

    def window(self, margins: jax.Array) -> Window:
        """Weights of the pixels, for margins in px per axis."""
        ...

    def context(self, vector: jax.Array, window: Window, previous: jax.Array) -> jax.Array:
        """The context at a vector, ``[q]``."""
        ...

    def improve(
        self, vector: jax.Array, window: Window, context: jax.Array, lower, upper, previous
    ) -> Improvement:
        """Minimise over the vector, with window and context held fixed: one pass.

        ``previous`` is the size of the last one, infinite before the first.
        """
        ...

    def linearize(self, vector: jax.Array, window: Window) -> Any:
        """``linear`` of an :class:`Improvement`, anew; has a ``residual``."""
        ...

    def gradient(self, vector: jax.Array, window: Window, context: jax.Array) -> jax.Array:
        """Of the objective, ``[k]``; zero at its optimum. For implicit differentiation."""
        ...

    def summary(
        self,
        vector: jax.Array,
        window: Window,
        context: jax.Array,
        linear: Any,
    ) -> Summary:
        """Error bars and figures at the optimum."""
        ...


@dataclass(frozen=True)
class ImageCriterion:
    """Base of the criteria that are sums over pixels.

    Attributes:
        frame: the pair.
        model: its model.
    """

    frame: Frame
    model: BlurModel

    def window(self, margins: jax.Array) -> Window:
        """W."""
        return frame_window(self.frame, margins)
