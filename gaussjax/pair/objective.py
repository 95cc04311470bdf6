"""What a fit minimises, seen from outside: the questions that every objective answers.

A objective holds a frame and a model. Beside the vector of the model it may keep a *context*:
numbers that it estimates from the residual on the way, such as a scale or two noise levels.
Objectives are pytrees, so that a fit differentiates by what they hold.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

import jax

from gaussjax.model.response import BlurModel
from gaussjax.model.window import Window
from gaussjax.pair.frame import Frame, frame_window
from gaussjax.pair.prediction import level_of
from gaussjax.statistics.residual_statistics import ResidualStatistics, gather


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Fit:
    """Where the passes over a objective have come to.

    Attributes:
        vector: of the model, ``[k]``.
        context: of the objective, ``[q]``.
        margins: ``[ndim]``, px, of the pixels that were compared.
        linear: the objective's, there.
        size: of the last pass, in units of the solver's tolerance; infinite before the first.
        converged: the next pass would move nothing by more than the tolerance.
        num_steps: passes and solver steps together.
    """

    vector: jax.Array
    context: jax.Array
    margins: jax.Array
    linear: Any
    size: jax.Array
    converged: jax.Array
    num_steps: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Improvement:
    """Where one pass of a objective has come to.

    Attributes:
        vector: ``[k]``.
        linear: what the objective keeps of its linearization there, for its summary.
        ahead: what another pass would change, as far as one can tell, and
        size: what this pass has changed, both in units of the solver's tolerance.
        num_steps: of the solver.
    """

    vector: jax.Array
    linear: Any
    ahead: jax.Array
    size: jax.Array
    num_steps: jax.Array


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Summary:
    """What a objective says of its optimum, in the scale of the frame.

    Attributes:
        covariance: of the vector, ``[k, k]``.
        loss: the objective over the compared pixels.
        noise_variance: of the residual per pixel of weight one.
        chi_square: of the residual against the noise that was given, per degree of freedom; NaN
            where none was given.
        noise: variances of the noise in the reference and in the blurred image, ``[2]``.
        num_pixels: compared.
        everything: sum of squared residuals.
        squares: that sum with the outliers clipped that the loss discounts.
        outliers: part of the compared pixels that was clipped.
        residual_statistics: of the residual, filtered so that the noise assumed in it is white.
    """

    covariance: jax.Array
    loss: jax.Array
    noise_variance: jax.Array
    chi_square: jax.Array
    noise: jax.Array
    num_pixels: jax.Array
    everything: jax.Array
    squares: jax.Array
    outliers: jax.Array
    residual_statistics: ResidualStatistics


class Objective(Protocol):
    """An objective of a fit; see the module's docstring."""

    @property
    def frame(self) -> Frame:
        """The pair."""
        ...

    @property
    def model(self) -> BlurModel:
        """Its model."""
        ...

    def context(self, vector: jax.Array, margins: jax.Array, previous: jax.Array) -> jax.Array:
        """The context at a vector, ``[q]``."""
        ...

    def blank(self, vector: jax.Array) -> Any:
        """``linear`` of an :class:`Improvement` before the first pass: room without values."""
        ...

    def improve(self, fit: Fit, lower: jax.Array, upper: jax.Array) -> Improvement:
        """Minimise over the vector, with margins and context held as they are: one pass."""
        ...

    def linearize(self, vector: jax.Array, margins: jax.Array) -> Any:
        """``linear`` of an :class:`Improvement`, anew."""
        ...

    def gradient(self, vector: jax.Array, margins: jax.Array, context: jax.Array) -> jax.Array:
        """Of the objective, ``[k]``; zero at its optimum. For implicit differentiation."""
        ...

    def summary(self, fit: Fit) -> Summary:
        """Error bars and figures at the optimum."""
        ...


@dataclass(frozen=True)
class PixelObjective:
    """Base of the objectives that are sums over pixels.

    Attributes:
        frame: the pair.
        model: its model (static).
    """

    frame: Frame
    model: BlurModel = field(metadata={"static": True})

    def window(self, margins: jax.Array) -> Window:
        """W."""
        return frame_window(self.frame, margins)

    def residual_statistics(
        self, vector: jax.Array, window: Window, residual, whitened, parts: int = 1
    ) -> ResidualStatistics:
        """Of a residual of the frame, one of several ``parts``, and of that with white noise."""
        # Without the level, which may be large.
        predicted = self.frame.blurred + residual - level_of(self.model, vector, self.frame)
        return gather(
            self.frame.difference,
            window.values,
            predicted,
            residual,
            whitened,
            parts,
            periodic=self.frame.boundary == "periodic",
        )
