"""Who clicks: a logistic law in the shares that the system sees, with a Bayes error to order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulator.book import SHARES

Floats = npt.NDArray[np.float64]

BEFORE = np.array([-1.0, -0.5, 1.5, 0.5, 2.0])
AFTER = np.array([2.0, 1.0, -1.5, -0.5, -1.0])
"""How the law weighs the columns of SHARES before and after the drift."""
CLICK_RATE = 0.3
SAMPLE = 4_000


@dataclass(frozen=True, eq=False)
class Law:
    """p(click) = 1 / (1 + exp(-steepness * (shares @ weights - middle)))."""

    weights: Floats
    steepness: float
    middle: float

    @classmethod
    def of(cls, weights: Floats, shares: Floats, often: Floats, bayes_error: float) -> Law:
        """The law under which people with these shares click CLICK_RATE of the time.

        `often` says how often each person is asked. The mean of min(p, 1 - p), the error of the
        best possible judge, is `bayes_error` (below CLICK_RATE); both by bisection.
        """
        keep = np.linspace(0, len(shares) - 1, min(len(shares), SAMPLE)).astype(np.int64)
        score, often = shares[keep] @ weights, often[keep] + 1e-12
        spread = max(float(np.sqrt(np.cov(score, aweights=often))) if len(score) > 1 else 0, 1e-6)
        low, high = 1e-3, 1e3
        for _ in range(40):
            steepness = float(np.sqrt(low * high)) / spread
            middle = _middle(score, often, steepness)
            p = logistic(steepness * (score - middle))
            error = float(np.average(np.minimum(p, 1 - p), weights=often))
            low, high = (
                (low, steepness * spread) if error < bayes_error else (steepness * spread, high)
            )
        return cls(weights, steepness, middle)

    def propensity(self, shares: Floats) -> Floats:
        """The true chance of a click."""
        return logistic(self.steepness * (shares @ self.weights - self.middle))

    def told(self) -> dict[str, Any]:
        """The law for the answer key."""
        weights = {name: float(w) for name, w in zip(SHARES, self.weights, strict=True)}
        return {"weights": weights, "steepness": self.steepness, "middle": self.middle}

    @classmethod
    def read(cls, told: dict[str, Any]) -> Law:
        """A law from an answer key."""
        weights = np.array([float(told["weights"][name]) for name in SHARES])
        return cls(weights, float(told["steepness"]), float(told["middle"]))


def _middle(score: Floats, often: Floats, steepness: float) -> float:
    low, high = float(score.min()) - 20 / steepness, float(score.max()) + 20 / steepness
    for _ in range(50):
        middle = (low + high) / 2
        rate = np.average(logistic(steepness * (score - middle)), weights=often)
        low, high = (middle, high) if rate > CLICK_RATE else (low, middle)
    return (low + high) / 2


def logistic(x: Floats) -> Floats:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))
