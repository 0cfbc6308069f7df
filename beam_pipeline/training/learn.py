"""Choose the regularisation, fit, choose the threshold: from examples to what the gate judges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from beam_pipeline.training import measures
from beam_pipeline.training.fitted import Fitted, Loss, Numbers
from beam_pipeline.training.inputs import Examples
from beam_pipeline.training.logistic import REGULARISATIONS, TRAINER, Fit, fit
from beam_pipeline.training.split import FIT_SHARE, TEST_SHARE, Cuts

Rows = NDArray[np.bool_]

THRESHOLDS = np.arange(5, 96) / 100

PARTS_OF_DAY: tuple[str, ...] = ("morning_share", "afternoon_share", "evening_share", "night_share")


@dataclass(frozen=True, slots=True)
class Parts:
    """Which examples are for what, bool [n]."""

    fit: Rows
    choose: Rows
    refit: Rows
    test: Rows


class Worth(Struct, frozen=True):
    """What features earn: how much the validation log loss grows when they are left out."""

    features: tuple[str, ...]
    log_loss: float
    lower: float
    upper: float
    """A two-sided 90 % interval."""


def parts_by_time(examples: Examples, cuts: Cuts) -> Parts:
    """Fit on everything before the gaps; choose and judge by the examples that count."""
    shown = examples.shown_ms
    return Parts(
        fit=shown < cuts.fit_end_ms,
        choose=examples.counts & (shown >= cuts.validate_ms) & (shown < cuts.choose_end_ms),
        refit=shown < cuts.choose_end_ms,
        test=examples.counts & (shown >= cuts.test_ms),
    )


def parts_at_random(examples: Examples, seed: int) -> Parts:
    """The same shares, drawn: for data without time, and for reports only."""
    n = len(examples)
    place = np.random.default_rng(seed).permutation(n)
    fitted, judged = round(FIT_SHARE * n), n - round(TEST_SHARE * n)
    return Parts(
        fit=place < fitted,
        choose=(place >= fitted) & (place < judged),
        refit=place < judged,
        test=place >= judged,
    )


def learn(examples: Examples, parts: Parts, cuts: Cuts) -> Fitted:
    """Fit with each regularisation, keep the one that does best on the validation part."""
    values, clicked = examples.values, examples.clicked
    tried = [
        (value, fit(values[parts.fit], clicked[parts.fit], value)) for value in REGULARISATIONS
    ]
    losses = [_loss(one, examples, parts.choose) for _, one in tried]
    best = min(range(len(tried)), key=lambda i: (losses[i], -tried[i][0]))
    regularisation, chosen = tried[best]
    return Fitted(
        trainer=TRAINER,
        features=examples.features,
        feature_hash=examples.feature_hash,
        validate_ms=cuts.validate_ms,
        test_ms=cuts.test_ms,
        regularisation=regularisation,
        losses=tuple(Loss(value, loss) for (value, _), loss in zip(tried, losses, strict=True)),
        chosen=Numbers.of(chosen),
        final=Numbers.of(fit(values[parts.refit], clicked[parts.refit], regularisation)),
    )


def best_threshold(clicked: NDArray[np.bool_], score: NDArray[np.float64]) -> float:
    """The threshold nearest to one half whose error is within a standard error of the least.

    One half is right for true probabilities; another is taken only where the examples insist.
    """
    n = len(clicked)
    if not n:
        return 0.5
    errors = np.array([measures.error(clicked, score, t) for t in THRESHOLDS])
    least = errors.min()
    allowed = np.flatnonzero(errors <= least + np.sqrt(least * (1 - least) / n))
    return float(THRESHOLDS[allowed[np.argmin(np.abs(THRESHOLDS[allowed] - 0.5))]])


def worths(examples: Examples, parts: Parts, regularisation: float) -> list[Worth]:
    """What each feature earns on the validation part, and the shares of the day together.

    Those add up to one, so each of them alone is told by the other three.
    """
    values, clicked, names = examples.values, examples.clicked, examples.features
    if len(names) < 2 or not parts.fit.any() or not parts.choose.any():
        return []

    def losses(columns: list[int]) -> NDArray[np.float64]:
        one = fit(values[parts.fit][:, columns], clicked[parts.fit], regularisation)
        return measures.log_losses(
            clicked[parts.choose], one.score(values[parts.choose][:, columns])
        )

    everything = losses(list(range(len(names))))
    customer = examples.customer[parts.choose]
    without: list[tuple[str, ...]] = [(name,) for name in names]
    if set(PARTS_OF_DAY) < set(names):
        without.append(PARTS_OF_DAY)
    found = []
    for left_out in without:
        more = losses([i for i, name in enumerate(names) if name not in left_out]) - everything
        upper, mean = measures.mean_upper(more, customer), float(more.mean())
        found.append(Worth(left_out, mean, 2 * mean - upper, upper))
    return found


def _loss(one: Fit, examples: Examples, rows: Rows) -> float:
    if not rows.any():
        return 0.0
    losses = measures.log_losses(examples.clicked[rows], one.score(examples.values[rows]))
    return float(losses.mean())
