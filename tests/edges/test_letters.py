"""The days that dead letters are read by."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from beam_pipeline.edges.letters import days

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_span_is_cut_at_midnights_and_nothing_of_it_is_left_out_or_twice() -> None:
    since, until = MIDNIGHT + timedelta(hours=9), MIDNIGHT + timedelta(days=2, seconds=1)
    cut = list(days(since, until))
    assert cut == [
        (since, MIDNIGHT + timedelta(days=1)),
        (MIDNIGHT + timedelta(days=1), MIDNIGHT + timedelta(days=2)),
        (MIDNIGHT + timedelta(days=2), until),
    ]


def test_whole_days_and_parts_of_one_are_what_they_are() -> None:
    day = timedelta(days=1)
    assert list(days(MIDNIGHT, MIDNIGHT + day)) == [(MIDNIGHT, MIDNIGHT + day)]
    hour = (MIDNIGHT + timedelta(hours=1), MIDNIGHT + timedelta(hours=2))
    assert list(days(*hour)) == [hour]
    assert list(days(MIDNIGHT, MIDNIGHT)) == []
