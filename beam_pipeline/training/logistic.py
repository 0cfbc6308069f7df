"""Logistic regression by scikit-learn, in the terms that Spark MLlib uses too.

Minimised is the mean log loss + regularisation / 2 * |coefficients|², on features scaled by mean
and sample deviation (ddof 1); the intercept is free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from beam_pipeline.domain.score import logistic

TRAINER = f"scikit-learn {sklearn.__version__}"
REGULARISATIONS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted regression: float64 [k] columns, and the intercept."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    intercept: float

    def score(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """The chance of a click for float64 [n, k], [n]."""
        scaled = (values - self.mean) / self.scale
        return logistic(scaled @ self.coefficients + self.intercept)


def fit(values: NDArray[np.float64], clicked: NDArray[np.bool_], regularisation: float) -> Fit:
    """Fit float64 [n, k] to bool [n]; of labels that are all alike, the constant that they say."""
    n, width = values.shape
    mean = values.mean(axis=0) if n else np.zeros(width)
    scale = values.std(axis=0, ddof=1) if n > 1 else np.ones(width)
    scale = np.where(scale > 0, scale, 1.0)
    clicks = int(clicked.sum())
    if clicks in (0, n):
        share = (clicks + 0.5) / (n + 1)
        return Fit(mean, scale, np.zeros(width), math.log(share / (1 - share)))
    model = LogisticRegression(
        C=1 / (regularisation * n), solver="newton-cholesky", tol=1e-10, max_iter=1_000
    )
    model.fit((values - mean) / scale, clicked)
    return Fit(mean, scale, model.coef_[0].astype(np.float64), float(model.intercept_[0]))
