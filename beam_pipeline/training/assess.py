"""From examples and a trainer's fits to a version: model, report and card, ready to be kept."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import beam_pipeline
from beam_pipeline.domain.score import Model, score
from beam_pipeline.training import measures
from beam_pipeline.training.card import card
from beam_pipeline.training.fitted import Fitted
from beam_pipeline.training.gate import LARGEST_ERROR, Evidence, judge
from beam_pipeline.training.inputs import Examples
from beam_pipeline.training.learn import Parts, Worth, best_threshold
from beam_pipeline.training.report import Coefficient, Outcome, Report, figures, parts_of


@dataclass(frozen=True, slots=True)
class Task:
    """What a training was asked for."""

    source: str
    """Where the examples came from, in words."""
    now: datetime
    timed: bool
    """Whether it was cut in time: a model that was not is for a report only."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """A version and its verdict."""

    model: Model
    report: Report

    def files(self) -> dict[str, bytes]:
        """What is kept of it, by name."""
        return {
            "model.json": self.model.to_json(),
            "card.html": card(self.report).encode(),
            "report.json": self.report.to_json(),
        }


def assess(
    task: Task,
    examples: Examples,
    parts: Parts,
    fitted: Fitted,
    live: Model | None,
    live_note: str,
    worth: list[Worth],
) -> Assessed:
    """Judge a trainer's work on the test part.

    Args:
        live: the model to compare with, of the same features.
        live_note: why there is none, or which one it is.
        worth: what each feature earns.
    """
    choose, test, refit = parts.choose, parts.test, parts.refit
    chosen_score = fitted.chosen.fit().score(examples.values[choose])
    threshold = best_threshold(examples.clicked[choose], chosen_score)
    values = examples.values[test]
    evidence = Evidence(
        clicked=examples.clicked[test],
        score=fitted.final.fit().score(values),
        customer=examples.customer[test],
        threshold=threshold,
        majority=bool(refit.any() and examples.clicked[refit].mean() >= 0.5),
        live_score=None if live is None else score(live, values),
        live_note=live_note,
    )
    model = _model(task, examples, parts, fitted, evidence)
    return Assessed(model, _report(task, examples, parts, fitted, evidence, model, live, worth))


def code_version() -> str:
    """The digest of the package's own source: what trained, whoever deployed it."""
    root = Path(beam_pipeline.__file__).parent
    digest = hashlib.sha256()
    for room in ("domain", "training"):
        for file in sorted((root / room).rglob("*.py")):
            digest.update(file.relative_to(root).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _model(
    task: Task, examples: Examples, parts: Parts, fitted: Fitted, evidence: Evidence
) -> Model:
    rows = np.flatnonzero(parts.refit)
    span = [examples.moment(int(row)) for row in (rows[0], rows[-1])] if len(rows) else ["", ""]
    found = figures(evidence)
    numbers = {
        "examples": float(len(evidence.clicked)),
        "error": found.error,
        "error_upper": found.error_upper,
        "log_loss": found.log_loss,
        "brier": found.brier,
        "auc": found.auc,
        "calibration_error": found.calibration_error,
    }
    digest = hashlib.sha256(repr((fitted, evidence.threshold)).encode()).hexdigest()[:8]
    return Model(
        version=f"{task.now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest}",
        features=fitted.features,
        mean=fitted.final.mean,
        scale=fitted.final.scale,
        coefficients=fitted.final.coefficients,
        intercept=fitted.final.intercept,
        threshold=evidence.threshold,
        feature_hash=fitted.feature_hash,
        trained_from=span[0] if task.timed else "",
        trained_until=span[1] if task.timed else "",
        examples=len(rows),
        regularisation=fitted.regularisation,
        trainer=fitted.trainer,
        code_version=code_version(),
        metrics={name: value for name, value in numbers.items() if value is not None},
    )


def _report(
    task: Task,
    examples: Examples,
    parts: Parts,
    fitted: Fitted,
    evidence: Evidence,
    model: Model,
    live: Model | None,
    worth: list[Worth],
) -> Report:
    checks = judge(evidence)
    reasons = [check.sentence() for check in checks if not check.holds]
    if not task.timed:
        reasons.insert(0, "it was not cut in time, so it says nothing of tomorrow")
    outcome: Outcome = "report only" if not task.timed else "refused" if reasons else "passed"
    return Report(
        version=model.version,
        outcome=outcome,
        passed=not reasons,
        reasons=tuple(reasons),
        created_at=task.now.isoformat(),
        model_sha256=hashlib.sha256(model.to_json()).hexdigest(),
        feature_hash=fitted.feature_hash,
        code_version=model.code_version,
        source=task.source,
        trainer=fitted.trainer,
        regularisation=fitted.regularisation,
        losses=fitted.losses,
        threshold=evidence.threshold,
        left_out=examples.left_out,
        parts=parts_of(examples, parts, timed=task.timed),
        largest_error=LARGEST_ERROR,
        checks=tuple(checks),
        model=figures(evidence),
        majority=figures(evidence, _always(evidence)),
        live=None if evidence.live_score is None else figures(evidence, evidence.live_score),
        live_version=None if live is None else live.version,
        coefficients=tuple(
            Coefficient(feature=name, scaled=number, mean=mean, scale=scale)
            for name, number, mean, scale in zip(
                model.features, model.coefficients, model.mean, model.scale, strict=True
            )
        ),
        worths=tuple(worth),
        calibration=tuple(measures.calibration(evidence.clicked, evidence.score)),
        roc=_roc(evidence, evidence.score),
        live_roc=() if evidence.live_score is None else _roc(evidence, evidence.live_score),
    )


def _always(evidence: Evidence) -> np.ndarray:
    """The scores of who always says the majority class, at the base rate of the test part."""
    base = float(evidence.clicked.mean()) if len(evidence.clicked) else 0.0
    side = max(base, evidence.threshold) if evidence.majority else min(base, evidence.threshold / 2)
    return np.full(len(evidence.clicked), side)


def _roc(evidence: Evidence, score: np.ndarray) -> tuple[tuple[float, float], ...]:
    return tuple(measures.roc(evidence.clicked, score)) if len(score) else ()
