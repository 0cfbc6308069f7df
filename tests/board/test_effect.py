"""The interval of a difference of shares, against published values."""

from __future__ import annotations

import pytest

from functions.board.effect import Arm, difference, rows


@pytest.mark.parametrize(
    ("one", "other", "low", "high"),
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((5, 56), (0, 29), -0.0381, 0.1926),
        ((10, 10), (0, 10), 0.6075, 1.0),
        ((0, 10), (0, 20), -0.1611, 0.2775),
    ],
)
def test_the_interval_is_newcombes_method_10(
    one: tuple[int, int], other: tuple[int, int], low: float, high: float
) -> None:
    """The values of the paper's table II."""
    found = difference(Arm(one[1], one[0]), Arm(other[1], other[0]))
    assert found == pytest.approx((low, high), abs=1e-4)


def test_there_is_no_interval_without_both_arms() -> None:
    assert difference(Arm(10, 3), Arm()) is None


def hits(*documents: dict[str, object]) -> dict[str, object]:
    return {"hits": {"hits": [{"_source": document} for document in documents]}}


def test_only_an_upgrade_within_24_hours_of_the_decision_counts() -> None:
    decided = "2026-03-02T12:00:00.000Z"
    moments = {
        1: "2026-03-02T11:59:59.999Z",
        2: "2026-03-02T12:00:00.000Z",
        3: "2026-03-03T11:59:59.999Z",
        4: "2026-03-03T12:00:00.000Z",
    }
    targets = [
        {"customer_id": number, "offer": "GOLD_1DAY", "channel": "sms", "decided_at": decided}
        for number in range(1, 6)
    ]
    upgrades = [{"customer_id": number, "at": at} for number, at in moments.items()]
    (row,) = rows([hits(*targets), hits(*upgrades)])
    assert (row["offered"], row["rate_offered"]) == (5, 0.4)
    assert (row["holdout"], row["rate_held"], row["uplift"], row["low"]) == (0, None, None, None)


def test_each_tenth_of_the_score_has_a_row_below_that_of_all() -> None:
    """Two offers; of the larger one, some have no score, and 1.0 lies in the last tenth."""
    decided = "2026-03-02T12:00:00.000Z"
    scores = (None, 0.05, 0.0999, 0.1, 0.95, 1.0)
    targets: list[dict[str, object]] = [
        {"offer": "A", "customer_id": n, "channel": "sms", "decided_at": decided, "score": score}
        for n, score in enumerate(scores)
    ]
    targets += [
        {"offer": "A", "customer_id": 9, "channel": "holdout", "decided_at": decided, "score": 0.1},
        {"offer": "B", "customer_id": 1, "channel": "sms", "decided_at": decided},
    ]
    found = rows([hits(*targets), hits({"customer_id": 3, "at": decided})])
    assert [(row["offer"], row["band"], row["offered"]) for row in found] == [
        *(("A", None, 6), ("A", 0, 2), ("A", 1, 1), ("A", 9, 2)),
        ("B", None, 1),
    ]
    by_band = {row["band"]: row for row in found if row["offer"] == "A"}
    assert (by_band[1]["rate_offered"], by_band[1]["holdout"], by_band[1]["uplift"]) == (1, 1, 1)
