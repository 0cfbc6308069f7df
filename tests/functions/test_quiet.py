"""Quiet hours, by the listener's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.sms.quiet import EVERYWHERE, next_open, zones_of

moments = st.integers(0, 6 * 366 * 24 * 3600).map(
    lambda seconds: datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


@given(moments, st.lists(st.sampled_from(EVERYWHERE), min_size=1, unique=True))
def test_it_is_day_in_every_zone_then_and_was_not_before(now: datetime, zones: list[str]) -> None:
    opens = next_open(now, zones)
    assert opens >= now
    assert all(8 <= opens.astimezone(ZoneInfo(zone)).hour < 21 for zone in zones)
    assert opens - now <= timedelta(hours=24)
    before = now
    while before < opens:
        assert not all(8 <= before.astimezone(ZoneInfo(zone)).hour < 21 for zone in zones)
        before += timedelta(minutes=7)


@pytest.mark.parametrize(
    ("zip_code", "zones"),
    [
        ("94107", ("America/Los_Angeles",)),
        ("10001", ("America/New_York",)),
        ("99999", EVERYWHERE),
        ("", EVERYWHERE),
        (None, EVERYWHERE),
    ],
)
def test_the_zip_says_where(zip_code: str | None, zones: tuple[str, ...]) -> None:
    assert zones_of(zip_code) == zones


def test_every_zip_of_the_country_says_something_that_can_be_reckoned_with() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for zone in {zones_of(f"{number:05d}") for number in range(100_000)}:
        assert next_open(now, zone) >= now
    assert zones_of("99634") == EVERYWHERE, "the package says Napakiak, which is no zone"
