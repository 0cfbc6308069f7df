"""Frames on their way through a shuffle: the same afterwards, and small meanwhile."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from beam_pipeline.domain.schemas import RAW_PLAYS, TIMESTAMP
from beam_pipeline.transforms.frames import FrameCoder
from beam_pipeline.transforms.narrow import narrow, widen
from tests.strategies import NOON

SCHEMA = pl.Schema(
    {
        "id": pl.Int64(),
        "at": TIMESTAMP,
        "hour": pl.Int8(),
        "flag": pl.Boolean(),
        "text": pl.String(),
    }
)
REACHES = [1, 255, 256, 65_535, 65_536, (1 << 32) - 1, 1 << 32, (1 << 64) - 1]
"""From the lowest to the highest number of a column, on either side of each width."""


@st.composite
def columns(draw: st.DrawFn) -> list[int | None]:
    reach = draw(st.sampled_from(REACHES))
    base = draw(st.integers(-(1 << 63), (1 << 63) - 1 - reach))
    between = st.integers(base, base + reach)
    return draw(st.permutations([base, base + reach, draw(between), draw(st.none() | between)]))


rest = st.tuples(st.integers(0, 23), st.booleans(), st.none() | st.text(max_size=20))


@given(ids=columns(), times=columns(), others=st.lists(rest, min_size=4, max_size=4))
@settings(deadline=None)
def test_a_frame_is_the_same_after_the_way_whatever_its_numbers(
    ids: list[int | None], times: list[int | None], others: list[tuple[int, bool, str | None]]
) -> None:
    wide = pl.Schema({**SCHEMA, "at": pl.Int64()})
    rows = [(*numbers, *other) for *numbers, other in zip(ids, times, others, strict=True)]
    frame = pl.DataFrame(rows, schema=wide, orient="row").cast(SCHEMA)
    for some in (frame, frame[:0], frame[:1]):
        received = widen(narrow(some), SCHEMA)
        assert received.schema == SCHEMA
        assert received.equals(some)


def test_a_decoded_play_takes_two_thirds_of_what_arrow_needs_at_most() -> None:
    count = 5_000
    ids = pl.Series("event_id", [f"1.69a57bc0.{1772450940 + row}-14690-8" for row in range(count)])
    number = pl.int_range(count, dtype=pl.Int64)
    at = (pl.lit(NOON) + number * 2).cast(TIMESTAMP)
    frame = ids.to_frame().select(
        "event_id",
        customer_id=number * 7919 % 50_000,
        track_id=number * 104_729 % 20_000,
        played_at=at,
        local_hour=pl.lit(12, pl.Int8),
        is_mobile=number % 2 == 0,
        zip=pl.lit("72132"),
        published_at=at,
        publish_time=pl.lit(0, pl.Int64).cast(TIMESTAMP),
    )
    assert frame.schema == RAW_PLAYS
    assert 3 * len(narrow(frame)) < 2 * len(FrameCoder().encode(frame))
