"""The gate: what a model must show on the test part before anyone is targeted by it.

Every check gives its figure whether it holds or not, and says what it was held against. The
plain error is not enough: at a base rate of 6 % a constant has an error of 6 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from beam_pipeline.training import measures
from beam_pipeline.training.measures import Labels, Scores

LEAST_EXAMPLES = 1_000
LEAST_OF_A_CLASS = 100
LARGEST_ERROR = 0.10
LEAST_BRIER_SKILL = 0.05
LEAST_AUC = 0.70
LARGEST_CALIBRATION_ERROR = 0.05
CALIBRATION_RATIO = (0.8, 1.25)
LARGEST_LOSS_OVER_LIVE = 0.002

BOOTSTRAP_SEED = 20_260_101


@dataclass(frozen=True, slots=True)
class Evidence:
    """The test part, and what is to be compared on it; columns [n]."""

    clicked: Labels
    score: Scores
    customer: NDArray[np.int64]
    threshold: float
    majority: bool
    """The label that was more frequent where the model was fitted."""
    live_score: Scores | None = None
    """What the live model says of the same examples; None where there is none to compare."""
    live_note: str = "no model is live"


class Check(Struct, frozen=True, kw_only=True):
    """One thing that must hold: `figure` is None where it cannot be worked out."""

    name: str
    holds: bool
    figure: float | None
    above: float | None = None
    least: float | None = None
    most: float | None = None
    note: str = ""

    def wanted(self) -> str:
        """The bounds in words."""
        bounds = (("more than", self.above), ("at least", self.least), ("at most", self.most))
        return " and ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)

    def sentence(self) -> str:
        """The check in words, for a log line or a refusal."""
        figure = "cannot be worked out" if self.figure is None else f"is {self.figure:.4g}"
        note = f": {self.note}" if self.note else ""
        return f"{self.name} {figure} ({self.wanted()} is wanted){note}"


def judge(evidence: Evidence) -> list[Check]:
    """Every check, in the order of the report; a model passes when all of them hold."""
    clicked, score = evidence.clicked, evidence.score
    n, clicks = len(clicked), int(clicked.sum())
    wrong = int(((score >= evidence.threshold) != clicked).sum())
    base = clicks / n if n else None
    ratio = float(score.mean()) / base if base else None
    bins = measures.calibration(clicked, score)
    return [
        _within("test examples", n, least=LEAST_EXAMPLES),
        _within("test clicks", clicks, least=LEAST_OF_A_CLASS),
        _within("test non-clicks", n - clicks, least=LEAST_OF_A_CLASS),
        _within(
            "error, upper bound",
            measures.wilson_upper(wrong, n),
            most=LARGEST_ERROR,
            note=f"error {wrong / n:.4f}, one-sided 95 % by Wilson" if n else "",
        ),
        _better_than_majority(evidence),
        _within("Brier skill", measures.brier_skill(clicked, score), least=LEAST_BRIER_SKILL),
        _within("AUC", measures.auc(clicked, score), least=LEAST_AUC),
        _within(
            "calibration error", measures.calibration_error(bins), most=LARGEST_CALIBRATION_ERROR
        ),
        _within("mean score / base rate", ratio, *CALIBRATION_RATIO),
        _no_worse_than_live(evidence),
    ]


def _within(
    name: str,
    figure: float | None,
    least: float | None = None,
    most: float | None = None,
    note: str = "",
) -> Check:
    holds = (
        figure is not None
        and (least is None or figure >= least)
        and (most is None or figure <= most)
    )
    return Check(name=name, holds=holds, figure=figure, least=least, most=most, note=note)


def _better_than_majority(evidence: Evidence) -> Check:
    """The errors that the model saves over always saying the majority class."""
    ours = (evidence.score >= evidence.threshold) != evidence.clicked
    theirs = evidence.clicked != evidence.majority
    saved = theirs.astype(np.int64) - ours.astype(np.int64)
    lower = measures.bootstrap_lower(saved, evidence.customer, BOOTSTRAP_SEED)
    n = len(saved)
    return Check(
        name="error saved over the majority class, lower bound",
        holds=bool(n) and lower > 0,
        figure=lower if n else None,
        above=0.0,
        note=f"saved {saved.mean():.4f}, one-sided 95 % by a bootstrap of customers" if n else "",
    )


def _no_worse_than_live(evidence: Evidence) -> Check:
    name = "log loss over the live model, upper bound"
    if evidence.live_score is None:
        return Check(
            name=name, holds=True, figure=None, most=LARGEST_LOSS_OVER_LIVE, note=evidence.live_note
        )
    over = measures.log_losses(evidence.clicked, evidence.score) - measures.log_losses(
        evidence.clicked, evidence.live_score
    )
    upper = measures.mean_upper(over, evidence.customer) if len(over) else None
    return _within(
        name,
        upper,
        most=LARGEST_LOSS_OVER_LIVE,
        note=f"{over.mean():+.5f} on average over {evidence.live_note}" if len(over) else "",
    )
