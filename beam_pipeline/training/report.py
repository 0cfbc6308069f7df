"""The report of a training: everything that was measured, and the verdict, as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from beam_pipeline.training import measures
from beam_pipeline.training.fitted import Loss
from beam_pipeline.training.gate import LARGEST_ERROR, Check, Evidence
from beam_pipeline.training.inputs import Examples
from beam_pipeline.training.learn import Parts, Worth
from beam_pipeline.training.measures import Bin

Outcome = Literal["passed", "refused", "report only"]


class Part(Struct, frozen=True, kw_only=True):
    """A part of the examples; first and last `shown_at` (null for data without time)."""

    name: str
    examples: int
    clicks: int
    first: str | None
    last: str | None


class Figures(Struct, frozen=True, kw_only=True):
    """How good scores are on the test part; null where it cannot be worked out."""

    error: float | None
    error_upper: float
    log_loss: float | None
    brier: float | None
    brier_skill: float | None
    auc: float | None
    calibration_error: float | None
    score_over_base_rate: float | None


class Coefficient(Struct, frozen=True, kw_only=True):
    """What a feature does."""

    feature: str
    scaled: float
    """On the logit, for one sample deviation more of the feature."""
    mean: float
    scale: float


class Report(Struct, frozen=True, kw_only=True):
    """One training's report, `report.json`."""

    version: str
    outcome: Outcome
    passed: bool
    """Whether it may become the live model: every check holds, and it is no report only."""
    reasons: tuple[str, ...]
    """Why it did not, in words."""
    created_at: str
    model_sha256: str
    feature_hash: str
    code_version: str
    source: str
    trainer: str
    regularisation: float
    losses: tuple[Loss, ...]
    threshold: float
    left_out: int
    """Examples without features."""
    parts: tuple[Part, ...]
    largest_error: float
    checks: tuple[Check, ...]
    model: Figures
    majority: Figures
    live: Figures | None
    live_version: str | None
    coefficients: tuple[Coefficient, ...]
    worths: tuple[Worth, ...]
    """What features earn on the validation part."""
    calibration: tuple[Bin, ...]
    roc: tuple[tuple[float, float], ...]
    live_roc: tuple[tuple[float, float], ...]

    def to_json(self) -> bytes:
        """The file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def figures(evidence: Evidence, score: NDArray[np.float64] | None = None) -> Figures:
    """The figures of the evidence's model, or of other scores on the same examples."""
    clicked = evidence.clicked
    score = evidence.score if score is None else score
    n = len(clicked)
    if not n:
        return Figures(
            error=None, error_upper=1.0, log_loss=None, brier=None, brier_skill=None, auc=None,
            calibration_error=None, score_over_base_rate=None,
        )  # fmt: skip
    error = measures.error(clicked, score, evidence.threshold)
    base = float(clicked.mean())
    return Figures(
        error=error,
        error_upper=measures.wilson_upper(round(error * n), n),
        log_loss=float(measures.log_losses(clicked, score).mean()),
        brier=measures.brier(clicked, score),
        brier_skill=measures.brier_skill(clicked, score),
        auc=measures.auc(clicked, score),
        calibration_error=measures.calibration_error(measures.calibration(clicked, score)),
        score_over_base_rate=float(score.mean()) / base if base else None,
    )


def parts_of(examples: Examples, parts: Parts, *, timed: bool) -> tuple[Part, ...]:
    """The parts with their counts, in the order of their use."""
    found = []
    for name, rows in (
        ("fit", parts.fit),
        ("validation", parts.choose),
        ("final fit", parts.refit),
        ("test", parts.test),
    ):
        places = np.flatnonzero(rows)
        first = last = None
        if timed and len(places):
            first, last = examples.moment(int(places[0])), examples.moment(int(places[-1]))
        clicks = int(examples.clicked[rows].sum())
        found.append(Part(name=name, examples=len(places), clicks=clicks, first=first, last=last))
    return tuple(found)


def headline(report: Report) -> str:
    """The line that a training ends with."""
    words = {
        "passed": f"{report.version} has passed",
        "refused": f"{report.version} is refused",
        "report only": f"{report.version} is a report only",
    }[report.outcome]
    test = report.parts[-1]
    error = "no error" if report.model.error is None else f"error {report.model.error:.2%}"
    return (
        f"{words}: {error} (upper bound {report.model.error_upper:.2%}, at most "
        f"{LARGEST_ERROR:.0%}) on {test.examples} test examples with {test.clicks} clicks"
    )
