"""How good probabilities are: the figures of a report, each a function of labels and scores.

Throughout: `clicked` is bool [n], `score` float64 [n] in [0, 1].
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Labels = NDArray[np.bool_]
Scores = NDArray[np.float64]

ONE_SIDED_95 = 1.6448536269514722
"""The normal quantile of 0.95."""

BINS = 10
RESAMPLES = 2_000
_LEAST = 1e-15


def error(clicked: Labels, score: Scores, threshold: float) -> float:
    """The share of labels that `score >= threshold` gets wrong."""
    return float(np.mean((score >= threshold) != clicked))


def wilson_upper(wrong: int, n: int) -> float:
    """The one-sided 95 % upper bound of a share (Wilson 1927); 1 when there is nothing."""
    if not n:
        return 1.0
    z2 = ONE_SIDED_95**2
    share = wrong / n
    centre = share + z2 / (2 * n)
    spread = ONE_SIDED_95 * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return (centre + spread) / (1 + z2 / n)


def log_losses(clicked: Labels, score: Scores) -> Scores:
    """Each example's loss, float64 [n]."""
    right = np.where(clicked, score, 1 - score)
    return -np.log(np.clip(right, _LEAST, 1))


def brier(clicked: Labels, score: Scores) -> float:
    """The mean squared distance of score and label (Brier 1950)."""
    return float(np.mean((score - clicked) ** 2))


def brier_skill(clicked: Labels, score: Scores) -> float | None:
    """How much of the Brier score of always saying the base rate is gone; None for one class."""
    base = float(np.mean(clicked)) if len(clicked) else 0.0
    return None if base in (0, 1) else 1 - brier(clicked, score) / (base * (1 - base))


def auc(clicked: Labels, score: Scores) -> float | None:
    """The chance that a click scores above a non-click, ties half; None for one class."""
    positive = int(clicked.sum())
    negative = len(clicked) - positive
    if not positive or not negative:
        return None
    ranks = pl.Series(score).rank("average").to_numpy()
    return float((ranks[clicked].sum() - positive * (positive + 1) / 2) / (positive * negative))


def roc(clicked: Labels, score: Scores, points: int = 200) -> list[tuple[float, float]]:
    """(false positive rate, true positive rate) from (0, 0) to (1, 1), at most `points`."""
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(score[order]) != 0, True))
    hits = np.cumsum(clicked[order])[ends]
    misses = ends + 1 - hits
    x = np.concatenate([[0.0], misses / max(int(misses[-1]), 1)])
    y = np.concatenate([[0.0], hits / max(int(hits[-1]), 1)])
    chosen = np.unique(np.linspace(0, len(x) - 1, points).round().astype(np.int64))
    return list(zip(x[chosen].tolist(), y[chosen].tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Bin:
    """Examples of like score: how many, what was said on average, what happened."""

    examples: int
    score: float
    clicked: float


def calibration(clicked: Labels, score: Scores) -> list[Bin]:
    """Ten bins with the same number of examples each, by score."""
    order = np.argsort(score, kind="stable")
    return [
        Bin(len(rows), float(score[rows].mean()), float(clicked[rows].mean()))
        for rows in np.array_split(order, BINS)
        if len(rows)
    ]


def calibration_error(bins: list[Bin]) -> float | None:
    """The mean distance of what was said and what happened, over the bins (ECE)."""
    total = sum(b.examples for b in bins)
    return sum(b.examples * abs(b.score - b.clicked) for b in bins) / total if total else None


def bootstrap_lower(values: NDArray[np.int64], customer: NDArray[np.int64], seed: int) -> float:
    """The one-sided 95 % lower bound of a mean, by resampling customers (Efron 1979).

    Args:
        values: int64 [n], few different ones, so that customers fall into few kinds and a
            resample is one draw of how many there are of each.
        customer: int64 [n]: a customer's examples are drawn together.
        seed: of the draws.
    """
    if not len(values):
        return -math.inf
    kinds = (
        pl.DataFrame({"customer": customer, "value": values})
        .group_by("customer")
        .agg(pl.col("value").sum(), pl.len())
        .group_by("value", "len")
        .agg(pl.len().alias("customers"))
        .sort("value", "len")
    )
    customers = kinds["customers"].to_numpy()
    draws = np.random.default_rng(seed).multinomial(
        int(customers.sum()), customers / customers.sum(), RESAMPLES
    )
    means = (draws @ kinds["value"].to_numpy()) / (draws @ kinds["len"].to_numpy())
    return float(np.quantile(means, 0.05))


def mean_upper(values: Scores, customer: NDArray[np.int64]) -> float:
    """The one-sided 95 % upper bound of a mean; a customer's examples count as one draw."""
    n = len(values)
    if not n:
        return math.inf
    mean = float(values.mean())
    residuals = (
        pl.DataFrame({"customer": customer, "residual": values - mean})
        .group_by("customer")
        .agg(pl.col("residual").sum())["residual"]
        .to_numpy()
    )
    groups = len(residuals)
    if groups < 2:
        return math.inf
    deviation = math.sqrt(groups / (groups - 1) * float(residuals @ residuals)) / n
    return mean + ONE_SIDED_95 * deviation
