"""The times of a view: whole buckets, and no longer than there were data."""

from __future__ import annotations

import pytest

from functions.board.units import HOUR_MS, MINUTE_MS, milliseconds
from functions.board.view import Times, View

NOW = 1_772_412_450_000
"""2026-03-02 00:47:30 UTC."""


@pytest.mark.parametrize(
    ("name", "bucket_ms"), [("1h", MINUTE_MS), ("24h", 10 * MINUTE_MS), ("7d", 2 * HOUR_MS)]
)
def test_a_range_begins_with_a_whole_bucket_and_is_never_shorter_than_it_says(
    name: str, bucket_ms: int
) -> None:
    view = View(name)
    times = Times.of(view, NOW, 0)
    assert times.bucket_ms == bucket_ms
    assert times.from_ms % bucket_ms == 0
    assert view.range_ms <= NOW - times.from_ms < view.range_ms + bucket_ms


def test_the_axis_ends_with_the_last_bucket_that_is_over() -> None:
    times = Times.of(View("24h"), NOW, 0)
    assert times.axis_to_ms <= NOW < times.axis_to_ms + times.bucket_ms
    assert times.buckets()[-1] + times.bucket_ms == times.axis_to_ms


def test_the_axis_begins_with_the_data_and_its_buckets_fit_it() -> None:
    times = Times.of(View("7d"), NOW, NOW - 100 * MINUTE_MS)
    assert times.bucket_ms == MINUTE_MS
    assert times.axis_from_ms == (NOW - 100 * MINUTE_MS) // MINUTE_MS * MINUTE_MS
    assert NOW - times.from_ms >= 7 * 24 * HOUR_MS


def test_the_axis_is_never_shorter_than_an_hour() -> None:
    times = Times.of(View("24h"), NOW, NOW - MINUTE_MS)
    assert NOW - times.axis_from_ms >= HOUR_MS


def test_the_newest_window_is_over_and_ends_on_five_minutes() -> None:
    begin, end = Times.of(View(), NOW, 0).window(30 * MINUTE_MS)
    assert end <= NOW < end + 5 * MINUTE_MS
    assert (end % (5 * MINUTE_MS), end - begin) == (0, 30 * MINUTE_MS)


@pytest.mark.parametrize("length", ["", "1", "h", "1w", "-1h", "1.5h", "9999h", "1h ", "１h"])
def test_a_length_of_time_is_a_number_and_a_unit(length: str) -> None:
    with pytest.raises(ValueError, match="no length of time"):
        milliseconds(length)
