"""The figures, against what their definitions give by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from beam_pipeline.training import measures

CLICKED = np.array([True, False, True, False, False, True])
SCORE = np.array([0.9, 0.8, 0.8, 0.3, 0.1, 0.2])


def test_the_error_counts_a_score_at_the_threshold_as_a_click() -> None:
    assert measures.error(CLICKED, SCORE, 0.8) == pytest.approx(2 / 6)
    assert measures.error(CLICKED, SCORE, 0.85) == pytest.approx(2 / 6)
    assert measures.error(CLICKED, SCORE, 0.2) == pytest.approx(2 / 6)


@pytest.mark.parametrize(("wrong", "n"), [(0, 50), (6, 100), (70, 1000), (100, 100)])
def test_the_upper_bound_solves_the_score_equation_of_wilson(wrong: int, n: int) -> None:
    upper = measures.wilson_upper(wrong, n)
    distance = (upper - wrong / n) / math.sqrt(upper * (1 - upper) / n) if upper < 1 else None
    assert distance is None or distance == pytest.approx(measures.ONE_SIDED_95)
    assert wrong / n <= upper <= 1


def test_the_auc_is_the_share_of_pairs_in_order_with_ties_half() -> None:
    rng = np.random.default_rng(1)
    clicked, score = rng.random(200) < 0.3, rng.integers(0, 12, 200) / 12
    pairs = [
        1.0 if p > n else 0.5 if p == n else 0.0 for p in score[clicked] for n in score[~clicked]
    ]
    assert measures.auc(clicked, score) == pytest.approx(np.mean(pairs))
    assert measures.auc(np.ones(3, bool), np.ones(3)) is None


def test_the_area_under_the_roc_line_is_the_auc() -> None:
    line = np.array(measures.roc(CLICKED, SCORE))
    area = np.trapezoid(line[:, 1], line[:, 0])
    assert area == pytest.approx(measures.auc(CLICKED, SCORE))
    assert line[0].tolist() == [0, 0]
    assert line[-1].tolist() == [1, 1]


def test_log_loss_brier_and_skill_are_their_formulas() -> None:
    by_hand = -np.mean([math.log(x) for x in (0.9, 0.2, 0.8, 0.7, 0.9, 0.2)])
    assert measures.log_losses(CLICKED, SCORE).mean() == pytest.approx(by_hand)
    squares = np.mean([0.01, 0.64, 0.04, 0.09, 0.01, 0.64])
    assert measures.brier(CLICKED, SCORE) == pytest.approx(squares)
    assert measures.brier_skill(CLICKED, SCORE) == pytest.approx(1 - squares / 0.25)
    assert measures.brier_skill(CLICKED, np.full(6, 0.5)) == pytest.approx(0)


def test_calibration_has_ten_even_bins_and_its_error_is_their_mean_distance() -> None:
    rng = np.random.default_rng(2)
    score = rng.random(1003)
    bins = measures.calibration(rng.random(1003) < score, score)
    assert sorted({b.examples for b in bins}) == [100, 101]
    assert [b.score for b in bins] == sorted(b.score for b in bins)
    expected = sum(b.examples / 1003 * abs(b.score - b.clicked) for b in bins)
    assert measures.calibration_error(bins) == pytest.approx(expected)
    assert expected < 0.05


def test_the_bootstrap_bound_is_that_of_resampled_customers() -> None:
    rng = np.random.default_rng(3)
    customer = np.repeat(np.arange(400), 5)
    values = np.repeat(rng.integers(-1, 2, 400), 5) + 0
    bound = measures.bootstrap_lower(values, customer, seed=1)
    plain = [values.reshape(400, 5)[rng.integers(0, 400, 400)].mean() for _ in range(2_000)]
    assert bound == pytest.approx(np.quantile(plain, 0.05), abs=0.01)
    assert bound == measures.bootstrap_lower(values, customer, seed=1)
    alone = measures.bootstrap_lower(values, np.arange(2_000), seed=1)
    assert alone > bound + 0.02


def test_the_upper_bound_of_a_mean_counts_a_customer_as_one_draw() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(0, 1, 900)
    single = measures.mean_upper(values, np.arange(900))
    textbook = values.mean() + measures.ONE_SIDED_95 * values.std(ddof=1) / 30
    assert single == pytest.approx(textbook, rel=1e-3)
    repeated = measures.mean_upper(np.repeat(values, 4), np.repeat(np.arange(900), 4))
    assert repeated == pytest.approx(single, rel=1e-6)
    assert measures.mean_upper(np.ones(3), np.zeros(3, np.int64)) == math.inf
