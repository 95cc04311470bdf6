"""The interface of what a fit minimises.

An objective holds a frame and a model. Beside the vector of the model it may keep a *context*:
numbers that it estimates from the residual on the way, such as a scale or two noise levels.
Objectives are pytrees, so that a fit differentiates by what they hold.
"""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any

import jax

from gaussjax.model.system_response import BlurModel
from gaussjax.model.window import Window
from gaussjax.numerics.pytree import pytree, static
from gaussjax.pair.frame import Frame, frame_window
from gaussjax.pair.informative_crop import Crop
from gaussjax.pair.prediction import level_of, residual_and_fields
from gaussjax.statistics.departures import Departures
from gaussjax.statistics.optimum_summary import Summary
from gaussjax.statistics.residual_statistics import ResidualStatistics, gather


@pytree
class Fit:
    """The point that the iteration on an objective has come to."""

    vector: jax.Array  # of the model, `[k]`
    context: jax.Array  # of the objective, `[q]`
    margins: jax.Array  # `[ndim]`, px, of the pixels that were compared
    linear: Any  # the objective's linearization, there
    step: jax.Array  # length of the last pass; infinite before the first
    # estimated length of the next pass; both in units of the solver's tolerance
    predicted_step: jax.Array
    converged: jax.Array  # the next pass would move nothing by more than the tolerance
    num_steps: jax.Array  # passes and solver steps together

    def moved(self, vector, linear, step, predicted_step, num_steps: jax.Array | int = 0) -> "Fit":
        """The fit after one more pass; ``num_steps`` are those of a solver inside of it."""
        return replace(
            self,
            vector=vector,
            linear=linear,
            step=step,
            predicted_step=predicted_step,
            num_steps=self.num_steps + num_steps,
        )


@pytree
class View:
    """An optimum in the form that least squares has, for the tests on its residual."""

    frame: Frame
    window: Window  # weights W of the compared pixels
    residual: jax.Array  # predicted - B, on the frame
    fields: jax.Array  # J, `[k, *frame]`
    score: jax.Array  # what the fit made orthogonal to J: `W r` of least squares
    # of the product of score and field, over ``sum W field^2``; None: the score's mean square
    variance: jax.Array | None = None


@pytree
class Objective(ABC):
    """A sum over pixels; see the module's docstring."""

    frame: Frame  # the pair
    model: BlurModel = static()  # its model

    def context(self, vector: jax.Array, margins: jax.Array, previous: jax.Array) -> jax.Array:
        """The context at a vector, ``[q]``; the previous one unless an objective keeps its own."""
        return previous

    @abstractmethod
    def improve(self, fit: Fit, lower: jax.Array, upper: jax.Array) -> Fit:
        """Minimise over the vector, with margins and context held as they are: one pass."""

    @abstractmethod
    def linearize(self, vector: jax.Array, margins: jax.Array) -> Any:
        """What :attr:`Fit.linear` holds at a vector."""

    @abstractmethod
    def gradient(self, vector: jax.Array, margins: jax.Array, context: jax.Array) -> jax.Array:
        """Gradient, ``[k]``; zero at the optimum. For implicit differentiation."""

    @abstractmethod
    def summary(self, fit: Fit) -> Summary:
        """Error bars and figures at the optimum."""

    def prediction(self, fit: Fit) -> tuple[jax.Array, jax.Array]:
        """Residual and fields of the frame at the optimum."""
        return residual_and_fields(self.model, fit.vector, self.frame)

    def looked_at(self, crop: Crop) -> Crop:
        """The part of the frame from which evidence is gathered."""
        return crop

    def view(self, vector, margins, context, prediction: tuple | None = None) -> View:
        """The optimum for :func:`~gaussjax.pair.evidence.gather_evidence`.

        Args:
            vector: of the optimum.
            margins: px, ``[ndim]``.
            context: of the objective.
            prediction: its residual and fields, if they are at hand.
        """
        window = frame_window(self.frame, margins)
        residual, fields = prediction or residual_and_fields(self.model, vector, self.frame)
        score = self.score(residual, window, context)
        return View(self.frame, window, residual, fields, score)

    def spectral_departures(self, vector, margins, context, unevenness) -> Departures | None:
        """The residual's departures from noise of its assumed spectrum; None: it may be any.

        Args:
            vector: of the optimum.
            margins: px, ``[ndim]``.
            context: of the objective.
            unevenness: of the noise, by ``long_run_covariance.power_unevenness``.
        """
        return None

    def score(self, residual, window: Window, context: jax.Array) -> jax.Array:
        """The image that an optimum makes orthogonal to the fields J, in the residual's unit."""
        return window.values * residual

    def window(self, margins: jax.Array) -> Window:
        """Weights W of the compared pixels."""
        return frame_window(self.frame, margins)

    def residual_statistics(
        self, vector: jax.Array, window: Window, residual, whitened, parts: int = 1
    ) -> ResidualStatistics:
        """Statistics of a residual and its whitened form; the frame is one of several ``parts``."""
        # Without the level, which may be large.
        predicted = self.frame.blurred + residual - level_of(self.model, vector, self.frame)
        return gather(
            self.frame.difference,
            window.values,
            predicted,
            residual,
            whitened,
            parts,
            size=window.size,
            periodic=self.frame.boundary == "periodic",
        )
