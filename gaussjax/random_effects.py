"""Is it one sigma at all? The scatter of the pairs' own sigmas beyond their error bars."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SigmaMoments:
    """Weighted sums over the sigmas of pairs, additive; ``[m]`` each, m sigmas of a blur.

    Sums of powers of ``sigma - origin``, with the weights ``w = 1 / standard error^2``.

    Attributes:
        count: of pairs.
        weights: ``sum w``.
        squared_weights: ``sum w^2``.
        first: ``sum w (sigma - origin)``.
        second: ``sum w (sigma - origin)^2``.
    """

    count: np.ndarray
    weights: np.ndarray
    squared_weights: np.ndarray
    first: np.ndarray
    second: np.ndarray

    @staticmethod
    def of(sigma: np.ndarray, error: np.ndarray, origin: np.ndarray) -> "SigmaMoments":
        """Of sigmas ``[n, m]`` with their standard errors, about an origin near them."""
        weights = 1 / np.maximum(np.asarray(error, float), np.finfo(float).tiny ** 0.25) ** 2
        away = np.asarray(sigma, float) - origin
        return SigmaMoments(
            count=np.full(weights.shape[1:], len(weights)),
            weights=weights.sum(0),
            squared_weights=(weights**2).sum(0),
            first=(weights * away).sum(0),
            second=(weights * away**2).sum(0),
        )

    @property
    def heterogeneity(self) -> np.ndarray:
        """Cochran's Q over its degrees of freedom: 1 for one sigma, up to sqrt(2 / (n - 1))."""
        return self._excess / np.maximum(self.count - 1, 1) + 1

    @property
    def scatter(self) -> np.ndarray:
        """Standard deviation of the pairs' true sigmas, px; 0 where chance explains it all.

        NaN for a single pair.

        Source: R. DerSimonian and N. Laird, "Meta-analysis in clinical trials", Controlled
        Clinical Trials 7(3), 1986.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = self.weights - self.squared_weights / self.weights
            variance = np.where(self.count > 1, self._excess / scale, np.nan)
        return np.sqrt(np.maximum(variance, 0))

    @property
    def _excess(self) -> np.ndarray:
        """Q less its mean for one sigma."""
        weights = np.where(self.weights > 0, self.weights, 1)
        return self.second - self.first**2 / weights - (self.count - 1)
