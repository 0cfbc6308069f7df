"""Training examples of invented listeners whose true chance of a click is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.examples import TRAINING_EXAMPLES
from beam_pipeline.domain.features import FEATURE_HASH, FEATURES

START = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE = (-2.0, 0.0, 2.0, 1.0, 3.0, 0.0)
AFTER = (2.0, 1.0, -2.0, 0.0, -3.0, 0.0)
"""How the true law weighs FEATURES, before and after a drift."""


@dataclass(frozen=True)
class Crowd:
    """Examples and the truth about them."""

    frame: pl.DataFrame
    """TRAINING_EXAMPLES."""
    propensity: NDArray[np.float64]

    @property
    def bayes_error(self) -> float:
        """The error of who knows the law."""
        return float(np.minimum(self.propensity, 1 - self.propensity).mean())


def crowd(
    n: int = 6_000,
    seed: int = 1,
    bayes_error: float = 0.06,
    days: float = 14,
    start: datetime = START,
    weights: tuple[float, ...] = BEFORE,
    click_rate: float = 0.25,
) -> Crowd:
    """`n` examples over `days`, by a logistic law with this Bayes error and click rate."""
    rng = np.random.default_rng(seed)
    values = np.column_stack(
        [rng.dirichlet((3, 2, 3, 2), n), rng.beta(2, 2, n), rng.uniform(0.5, 1, n)]
    )
    pull = values @ np.array(weights)
    pull = (pull - pull.mean()) / pull.std()
    propensity = _law(pull, bayes_error, click_rate)
    shown = np.sort(rng.uniform(0, days * 86_400_000, n)).astype(np.int64)
    moments = pl.Series(shown + int(start.timestamp() * 1000)).cast(TRAINING_EXAMPLES["shown_at"])
    frame = pl.DataFrame(
        {
            "shown_event_id": [f"s{i}" for i in range(n)],
            "customer_id": rng.integers(0, max(n // 3, 1), n),
            "ad": ["ADV_REDUCED_1DAY"] * n,
            "shown_at": moments,
            "as_of": moments.dt.date(),
            **{name: values[:, i] for i, name in enumerate(FEATURES)},
            "clicked": rng.random(n) < propensity,
            "explore": [True] * n,
            "feature_hash": [FEATURE_HASH] * n,
        }
    )
    return Crowd(frame.cast(TRAINING_EXAMPLES), propensity)


def _law(pull: NDArray[np.float64], bayes_error: float, click_rate: float) -> NDArray[np.float64]:
    low, high = 0.01, 200.0
    propensity = np.zeros(len(pull))
    for _ in range(40):
        steepness = float(np.sqrt(low * high))
        propensity = _at_rate(pull, steepness, click_rate)
        error = np.minimum(propensity, 1 - propensity).mean()
        low, high = (low, steepness) if error < bayes_error else (steepness, high)
    return propensity


def _at_rate(pull: NDArray[np.float64], steepness: float, click_rate: float) -> NDArray[np.float64]:
    low, high = -10.0, 10.0
    propensity = np.zeros(len(pull))
    for _ in range(40):
        middle = (low + high) / 2
        propensity = 0.5 * (1 + np.tanh(0.5 * steepness * (pull - middle)))
        low, high = (middle, high) if propensity.mean() > click_rate else (low, middle)
    return propensity


def later(moment: datetime, days: float) -> datetime:
    """So many days on."""
    return moment + timedelta(days=days)
