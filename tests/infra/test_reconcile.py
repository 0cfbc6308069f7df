"""A demo's reconciliation sees everything that is missing, too many, or not conserved."""

import polars as pl
import pytest

from infra.local.reconcile import Held, Line, has_arrived, is_conserved
from infra.local.snapshots import Snapshot
from infra.local.stores import HEALTH

SUMMARY = {"received": 10, "plays": 6, "ad_events": 1, "interests": 2, "rejected": 1}
ALL_THERE = Snapshot(
    documents={"plays": 6, "ad_events": 1, "interests": 2},
    rows={"plays": 6, "ad_events": 1, "interests": 3, "dead_letters": 1},
    health={"received": 10},
)


@pytest.mark.parametrize(
    ("expected", "stored", "held"),
    [
        (["a", "b"], ["b", "a"], Held(2)),
        (["a", "b"], ["a"], Held(1, missing=1)),
        (["a"], ["a", "b"], Held(2, extra=1)),
        (["a", "b"], ["a", "c"], Held(2, missing=1, extra=1)),
        (["a"], ["a", "a"], Held(2, extra=1)),
        (["a", "a"], ["a"], Held(1)),
        ([], [], Held(0)),
        ([], ["a"], Held(1, extra=1)),
        (["a"], [], Held(0, missing=1)),
    ],
)
def test_identities_are_compared_one_by_one(
    expected: list[str], stored: list[str], held: Held
) -> None:
    texts = (pl.Series(values, dtype=pl.String) for values in (expected, stored))
    assert Held.of(*texts) == held


def test_counts_by_name_do_not_make_up_for_each_other() -> None:
    held = Held.counts_of({"not_json": 2, "too_old": 1}, {"not_json": 1, "clock_skew": 2})
    assert held == Held(3, missing=2, extra=2)
    assert not Line("dead letters", 3, {"BigQuery": held}).fits


def test_a_difference_is_told_in_words() -> None:
    assert str(Held(1200)) == "1,200"
    assert str(Held(7, missing=1, extra=2)) == "7 (1 missing, 2 too many)"


def health(**changed: int) -> list[Line]:
    """The health lines of a run with 10 received, but for what is changed in Elasticsearch."""
    sums = {**dict.fromkeys(HEALTH, 0), "received": 10, "accepted": 6, "duplicate": 3}
    sums["rejected"] = 1
    return [
        Line(
            name, count, {"Elasticsearch": Held(changed.get(name, count)), "BigQuery": Held(count)}
        )
        for name, count in sums.items()
    ]


def test_a_store_whose_own_counters_do_not_add_up_is_seen() -> None:
    assert is_conserved(health())
    assert is_conserved(health(late=3))
    for part in ("received", "accepted", "duplicate", "rejected"):
        assert not is_conserved(health(**{part: 5}))


def test_all_has_arrived_only_when_every_store_has_its_share() -> None:
    assert has_arrived(SUMMARY, ALL_THERE)
    assert not has_arrived(SUMMARY, Snapshot())
    for lacking in (
        Snapshot(ALL_THERE.documents, ALL_THERE.rows, {"received": 9}),
        Snapshot({**ALL_THERE.documents, "plays": 5}, ALL_THERE.rows, ALL_THERE.health),
        Snapshot({**ALL_THERE.documents, "interests": 1}, ALL_THERE.rows, ALL_THERE.health),
        Snapshot(ALL_THERE.documents, {**ALL_THERE.rows, "ad_events": 0}, ALL_THERE.health),
        Snapshot(ALL_THERE.documents, {**ALL_THERE.rows, "dead_letters": 0}, ALL_THERE.health),
    ):
        assert not has_arrived(SUMMARY, lacking)
