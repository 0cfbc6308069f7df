"""Columns of times against `Instant.parse`, which reads one by a regular expression."""

from __future__ import annotations

import pytest

from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.reasons import InvalidEvent
from beam_pipeline.domain.times import parse_times

GOOD = (
    "2026-03-02T06:00:00.008-06:00",
    "2024-02-29T23:59:59Z",
    "1970-01-01t00:00:00.1234567890123456789012345678901234567890z",
    "0001-01-01T00:00:00+23:59",
)
MARKS = "0123456789-+:.TtZz ,/;\n\0\x7fñ١🎵"


def read(text: str) -> Instant | None:
    try:
        return Instant.parse(text)
    except InvalidEvent:
        return None


def read_together(texts: list[str]) -> list[Instant | None]:
    """What a column makes of these texts, each beside its neighbours."""
    column = parse_times(texts)
    rows = zip(column.ms.tolist(), column.local_hour.tolist(), column.valid.tolist(), strict=True)
    return [Instant(ms, hour) if valid else None for ms, hour, valid in rows]


@pytest.mark.parametrize("good", GOOD)
def test_a_text_with_one_character_changed_missing_or_too_many_is_read_as_it_is_alone(
    good: str,
) -> None:
    texts = [good]
    for place in range(len(good) + 1):
        before, after = good[:place], good[place:]
        texts += [before, before + after[1:], after]
        texts += [before + mark + rest for mark in MARKS for rest in (after, after[1:])]
    assert read_together(texts) == [read(text) for text in texts]


def test_every_day_that_a_month_may_have_is_there_in_its_years_alone() -> None:
    years = (0, 1, 4, 100, 400, 1600, 1900, 1999, 2000, 2024, 2026, 2100, 9996, 9999)
    texts = [
        f"{year:04}-{month:02}-{day:02}T12:30:15Z"
        for year in years
        for month in range(14)
        for day in range(34)
    ]
    assert read_together(texts) == [read(text) for text in texts]


@pytest.mark.parametrize("texts", [[], ["\n"], ["", ""], ["\n", GOOD[0], "\n\n", GOOD[1]]])
def test_a_text_of_newlines_does_not_move_its_neighbours(texts: list[str]) -> None:
    assert read_together(texts) == [read(text) for text in texts]
