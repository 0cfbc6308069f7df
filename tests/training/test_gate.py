"""The gate: what it refuses, what it lets pass, each for the reason it names."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from beam_pipeline.training.gate import Check, Evidence, judge
from tests.training.synthetic import crowd


def evidence(n: int = 4_000, bayes_error: float = 0.06, click_rate: float = 0.25) -> Evidence:
    """The test part of somebody who knows the law."""
    known = crowd(n=n, seed=3, bayes_error=bayes_error, click_rate=click_rate)
    return Evidence(
        clicked=known.frame["clicked"].to_numpy(),
        score=known.propensity,
        customer=known.frame["customer_id"].to_numpy(),
        threshold=0.5,
        majority=False,
    )


def failing(found: Evidence) -> set[str]:
    """The names of the checks that do not hold."""
    return {check.name for check in judge(found) if not check.holds}


def check(found: Evidence, name: str) -> Check:
    """One check by its name."""
    (one,) = (check for check in judge(found) if check.name == name)
    return one


def scored(found: Evidence, score: NDArray[np.float64]) -> Evidence:
    """The same test part under other scores."""
    return replace(found, score=score)


def test_a_good_model_passes_every_check_and_each_has_its_figure() -> None:
    found = judge(evidence())
    assert [one.name for one in found if not one.holds] == []
    assert len(found) == 10
    assert all(one.figure is not None for one in found[:-1])


def test_a_constant_is_refused_although_its_error_is_6_percent() -> None:
    rare = evidence(n=20_000, bayes_error=0.02, click_rate=0.06)
    assert failing(rare) == set()
    constant = scored(rare, np.full(20_000, rare.clicked.mean()))
    assert failing(constant) == {
        "error saved over the majority class, lower bound",
        "Brier skill",
        "AUC",
    }
    assert check(constant, "error, upper bound").holds


def test_noise_is_refused() -> None:
    found = evidence()
    noise = np.random.default_rng(4).permutation(found.score)
    assert {"error, upper bound", "AUC", "Brier skill"} <= failing(scored(found, noise))


@pytest.mark.parametrize(("n", "click_rate", "missing"), [
    (990, 0.25, "test examples"),
    (1_500, 0.05, "test clicks"),
    (1_500, 0.95, "test non-clicks"),
])  # fmt: skip
def test_too_few_labels_are_refused(n: int, click_rate: float, missing: str) -> None:
    assert missing in failing(evidence(n=n, bayes_error=0.01, click_rate=click_rate))


def test_an_error_of_12_percent_is_refused_and_nothing_else_is_wrong_with_it() -> None:
    found = evidence(n=8_000, bayes_error=0.12)
    assert failing(found) == {"error, upper bound"}
    assert check(found, "error, upper bound").figure == pytest.approx(0.126, abs=0.012)


def test_an_error_just_below_the_limit_is_refused_while_so_few_examples_leave_doubt() -> None:
    assert failing(evidence(n=1_200, bayes_error=0.095)) == {"error, upper bound"}


def test_a_model_that_says_too_much_or_too_little_is_refused() -> None:
    found = evidence()
    too_little = scored(found, found.score * 0.7)
    assert {"mean score / base rate"} <= failing(replace(too_little, threshold=0.35))
    odds = (found.score / (1 - found.score)) ** 0.2
    blurred = failing(scored(found, odds / (1 + odds)))
    assert "calibration error" in blurred


def test_a_model_worse_than_the_live_one_is_refused_and_one_as_good_is_not() -> None:
    found = evidence()
    rng = np.random.default_rng(5)
    logit = np.log(found.score / (1 - found.score))
    worse = 1 / (1 + np.exp(-(logit + rng.normal(0, 0.6, len(logit)))))
    against = replace(scored(found, worse), live_score=found.score, live_note="the live model v1")
    assert failing(against) == {"log loss over the live model, upper bound"}
    assert failing(replace(against, score=found.score, live_score=worse)) == set()
    assert failing(replace(found, live_score=found.score)) == set()


def test_nothing_to_judge_by_is_refused_in_words() -> None:
    nothing = np.zeros(0)
    empty = Evidence(nothing.astype(bool), nothing, nothing.astype(np.int64), 0.5, majority=False)
    checks = judge(empty)
    assert [one.name for one in checks if one.holds] == [
        "log loss over the live model, upper bound"
    ]
    assert "AUC cannot be worked out (at least 0.7 is wanted)" in [c.sentence() for c in checks]
