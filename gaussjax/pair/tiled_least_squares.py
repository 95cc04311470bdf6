"""Least squares on a large frame, whose sums are gathered a tile at a time."""

import math
from dataclasses import replace
from functools import partial

import jax

from gaussjax.model.shape_buckets import bucket_shape
from gaussjax.model.system_response import BlurModel
from gaussjax.model.window import Window
from gaussjax.numerics import loops
from gaussjax.numerics.pytree import pytree, static
from gaussjax.pair.frame import Frame, Pair, frame_window
from gaussjax.pair.least_squares import LeastSquares, Linearization, frame_equations, next_step
from gaussjax.pair.objective import Fit
from gaussjax.pair.prediction import residual_and_fields
from gaussjax.pair.tiles import sum_over_tiles, tiles_fit, widest_tile
from gaussjax.statistics.residual_statistics import ResidualStatistics


@pytree
class TiledLeastSquares(LeastSquares):
    """:class:`LeastSquares` of a pair of which no more than two tiles are transformed at once.

    The statistics of the residual are those at the beginning of the last pass: its step is short.
    """

    pair: Pair  # of the frame
    tile: tuple[int, ...] = static()  # shape of the tiles

    def improve(self, fit: Fit, lower, upper) -> Fit:
        """One pass."""
        widest = widest_tile(self.pair.shape, self.pair.boundary, self.pair.pad)
        gathered = _gathering(self.model, self.tile, widest)
        equations, statistics = gathered(self.pair, fit.vector, fit.margins)
        step = next_step(equations, fit, lower, upper, self.model.num_variances)
        linear = Linearization(
            point=fit.vector,
            equations=equations,
            second_order=step.second_order,
            squares=equations.squares_after(step.vector - fit.vector),
            kept=statistics,
        )
        return fit.moved(step.vector, linear, step.length, step.predicted)

    def kept(self, vector: jax.Array, window: Window, residual, fields) -> ResidualStatistics:
        """The statistics themselves, as the residual is never there at once."""
        return self.residual_statistics(vector, window, residual, window.values * residual)

    def final_statistics(self, fit: Fit) -> ResidualStatistics:
        """The statistics gathered in the last pass."""
        return fit.linear.kept


def _gathering(model: BlurModel, tile: tuple[int, ...], widest: tuple[int, ...]):
    """The function of pair, vector and margins to equations and residual statistics."""

    def sums(vector: jax.Array, parts: int, frame: Frame, window: Window):
        residual, fields = residual_and_fields(model, vector, frame)
        weighted = window.values * residual
        objective = LeastSquares(frame, model)
        residual_statistics = objective.residual_statistics(
            vector, window, residual, weighted, parts
        )
        equations = frame_equations(residual, fields, window, parts, frame.ratios)
        return equations, residual_statistics

    def gathered(pair: Pair, vector: jax.Array, margins: jax.Array):
        def streamed():
            parts = max(round(math.prod(bucket_shape(pair.shape)) / math.prod(tile)), 1)
            return sum_over_tiles(partial(sums, vector, parts), pair, tile, margins)

        def one_by_one(frame: Frame, window: Window):
            # Else the compiler makes the responses before the loop, and writes them out.
            here, _ = jax.lax.optimization_barrier((vector, window.profiles))
            return sums(here, 1, frame, window)

        def whole():
            if widest != pair.shape:
                # A wide blur leaves no ringing.
                wide = pair if tile == widest else replace(pair, seamless=False)
                return sum_over_tiles(one_by_one, wide, widest, margins, abreast=1)
            frame = pair.frame()
            return sums(vector, 1, frame, frame_window(frame, margins))

        if tile == widest:
            return whole()
        # Graphics cards have no caches to stay in.
        with jax.disable_jit(False):
            on_cpu = jax.lax.platform_dependent(cpu=lambda: True, default=lambda: False)
        return loops.cond(on_cpu & tiles_fit(margins, tile), streamed, whole)

    # A batch of large frames is gathered one after the other: the memory is what limits them.
    return gathered if tile == widest else jax.custom_batching.sequential_vmap(gathered)
