"""State does not grow without bound, and losing the index loses nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from beam_pipeline.domain.counts import RING, Counts
from beam_pipeline.domain.deltas import DELTA
from beam_pipeline.domain.readers import Reader
from tests.domain.harness import Domain
from tests.oracle import DEDUP_HORIZON, account
from tests.oracle_lines import DAY, HOUR, MINUTE
from tests.strategies import NOON, REFERENCE, Sent, messages_of


def half_hour(number: int) -> list[Sent]:
    """Twenty plays and two ad events, half an hour after the last twenty."""
    at = NOON + number * 30 * MINUTE
    plays = [
        Sent("play", f"{number}-{n}", n % 7, at, at + n * MINUTE, track_id=10 + n % 3)
        for n in range(20)
    ]
    return [*plays, Sent("ad", f"{number}", 1, at, at), Sent("ad", f"{number}", 2, at, at)]


@pytest.mark.parametrize("shards", [1, 2])
def test_what_is_kept_is_bounded_by_the_horizon_however_long_the_stream(shards: int) -> None:
    domain = Domain(REFERENCE, shards)
    halves = 3 * 24 * 2
    for number in range(halves):
        domain.feed(messages_of(half_hour(number)))
        remembered = sum(len(history.shard) for history in domain.histories)
        assert domain.kept_rows() == remembered
        assert min(number, 12) * 22 < remembered <= 22 * 2 * 10
    assert domain.finish().plays.keys() == {
        (n % 7, f"{number}-{n}") for number in range(halves) for n in range(20)
    }


def test_sums_are_bounded_by_a_budget_and_what_is_forgotten_takes_nothing_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    budget = 2_000
    monkeypatch.setattr("beam_pipeline.domain.settled.MOST_ROWS", budget)
    domain = Domain(REFERENCE)
    events = [event for number in range(3 * 24 * 2) for event in half_hour(number)]
    for start in range(0, len(events), 200):
        domain.feed(messages_of(events[start : start + 200]))
        assert domain.counts.snapshot()[0].height <= budget + 19 * 128
    expected = account(messages_of(events), REFERENCE).listening()
    assert domain.finish().listening == expected
    assert domain.counts.too_late == 0
    everyone = domain.counts.snapshot()[0].filter(pl.col("dimension") == 0).head(1)
    long_ago = everyone.with_columns(bucket=pl.lit(NOON // (5 * MINUTE), pl.Int64))
    plays = int(everyone["plays"][0])
    assert domain.counts.add(long_ago)["plays"].to_list() == [plays] * 7
    assert domain.counts.too_late == plays


def test_pruning_never_takes_what_a_copy_within_the_horizon_still_needs() -> None:
    for prune_always in (False, True):
        domain = Domain(REFERENCE, prune_always=prune_always)
        events = [Sent("play", "a", 1, NOON, NOON)]
        for number in range(1, 40):
            at = NOON + number * 10 * MINUTE
            events.append(Sent("play", f"{number}", 2, at, at))
        events.append(Sent("play", "a", 1, NOON, NOON + DEDUP_HORIZON))
        for event in events:
            domain.feed(messages_of([event]))
        assert domain.finish().plays == account(messages_of(events), REFERENCE).plays
        assert sum(row["duplicate"] for row in domain.held.health.values()) == 1


def test_a_quiet_customer_is_pruned_by_the_time_of_the_others() -> None:
    domain = Domain(REFERENCE)
    domain.feed(messages_of([Sent("play", "quiet", 1, NOON, NOON)]))
    for hour in range(24):
        at = NOON + hour * HOUR
        domain.feed(messages_of([Sent("play", f"{hour}", 2, at, at)]))
    assert domain.kept_rows() < 15
    copy = Sent("play", "quiet", 1, NOON, NOON + DAY)
    domain.feed(messages_of([copy]))
    held = domain.finish()
    assert held.plays[(1, "quiet")]["published_at"] == NOON
    assert sum(row["duplicate"] for row in held.health.values()) == 0


def _shifted(event: Sent, at: int = 0, published: int = 0) -> Sent:
    return replace(event, at=event.at + at, published_ms=event.published_ms + published)


@pytest.mark.parametrize("ahead", [8 * HOUR, 2 * DAY, 300 * DAY, 2_000_000 * DAY])
@pytest.mark.parametrize("first", [True, False])
def test_events_from_ahead_take_nothing_from_the_others(ahead: int, first: bool) -> None:
    domain = Domain(REFERENCE)
    early = messages_of([Sent("play", "ahead", 2, NOON + ahead, NOON + ahead)])
    domain.feed(early if first else [])
    for number in range(40):
        domain.feed(messages_of(half_hour(number)))
        domain.feed(early if number == 20 else [])
        of_before = half_hour(number - 10) if number >= 10 else []
        domain.feed(messages_of([_shifted(each, published=5 * HOUR) for each in of_before]))
    duplicates = sum(row["duplicate"] for row in domain.held.health.values())
    assert duplicates == 22 * 30 + first
    assert domain.kept_rows() < 22 * 25


@pytest.mark.parametrize("apart", [15 * HOUR, 300 * DAY])
def test_two_times_at_once_are_bounded_too(apart: int) -> None:
    domain = Domain(REFERENCE)
    for number in range(200):
        domain.feed(messages_of(half_hour(number)))
        domain.feed(messages_of([_shifted(each, -apart, -apart) for each in half_hour(number)]))
    assert domain.kept_rows() < 22 * 2 * 25


def test_a_clock_that_is_a_day_ahead_all_the_time_takes_nothing_from_the_others() -> None:
    domain = Domain(REFERENCE)
    for number in range(150):
        domain.feed(messages_of(half_hour(number)))
        if number % 3 == 0:
            ahead = NOON + number * 30 * MINUTE + DAY
            domain.feed(messages_of([Sent("play", f"ahead {number}", 5, ahead, ahead)]))
        of_before = half_hour(number - 10) if number >= 10 else []
        domain.feed(messages_of([_shifted(each, published=5 * HOUR) for each in of_before]))
    assert sum(row["duplicate"] for row in domain.held.health.values()) == 22 * 140
    assert domain.kept_rows() < 22 * 25


def test_an_index_that_is_always_lost_is_pruned_too() -> None:
    domain = Domain(REFERENCE)
    for number in range(100):
        domain.feed(messages_of(half_hour(number)))
        domain.rebuild()
    assert domain.kept_rows() < 22 * 25


def test_a_pause_of_weeks_leaves_little_behind() -> None:
    domain = Domain(REFERENCE)
    for number in range(10):
        domain.feed(messages_of(half_hour(number)))
    for number in range(48 * 30, 48 * 30 + 20):
        domain.feed(messages_of(half_hour(number)))
    assert domain.kept_rows() <= 20 * 22


def test_a_pause_of_weeks_leaves_little_behind_when_events_come_one_by_one() -> None:
    domain = Domain(REFERENCE)
    for number in range(140):
        at = NOON + number * MINUTE + (30 * DAY if number >= 100 else 0)
        domain.feed(messages_of([Sent("play", f"{number}", 1, at, at)]))
    assert domain.kept_rows() == 40


def test_a_rebuilt_index_answers_as_the_lost_one_would_have() -> None:
    events = [event for number in range(30) for event in half_hour(number)]
    lost, kept = Domain(REFERENCE, 2), Domain(REFERENCE, 2)
    for start in range(0, len(events), 50):
        messages = messages_of(events[max(0, start - 30) : start + 50])
        lost.feed(messages)
        lost.rebuild()
        lost.write_ledger()
        lost.restore_counts()
        kept.feed(messages)
    assert lost.finish() == kept.finish()


def test_an_empty_batch_changes_nothing() -> None:
    domain = Domain(REFERENCE, 2)
    domain.feed([])
    domain.feed(messages_of([Sent("play", "a", 1, NOON, NOON)]))
    domain.feed([])
    domain.rebuild()
    domain.feed([])
    assert domain.finish().plays.keys() == {(1, "a")}


def test_sums_hold_on_after_their_keys_were_compacted() -> None:
    """Many tracks of long ago leave the ring with their keys; what is added then is not lost."""

    def delta(bucket: int, tracks: int) -> pl.DataFrame:
        rows = [(7, number, None, bucket, *[1] * 8) for number in range(tracks)]
        return pl.DataFrame(rows, DELTA, orient="row")

    counts = Counts()
    counts.add(delta(0, 6_000))
    for bucket in (RING // 2, RING + 20):
        counts.add(delta(bucket, 3))
    counts.changed(Reader.LIVE)
    counts.add(delta(RING + 20, 3))
    fixed = counts.changed(Reader.LIVE)[0].filter(
        pl.col("window_end") - pl.col("window_start") == timedelta(minutes=5)
    )
    assert fixed.select("key", "plays").sort("key").rows() == [("0", 2), ("1", 2), ("2", 2)]
