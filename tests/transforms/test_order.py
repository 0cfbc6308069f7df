"""Parts of a shard in the order of their publication, and what carries them there."""

from __future__ import annotations

import polars as pl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beam_pipeline.domain.schemas import RAW_AD_EVENTS, RAW_PLAYS, TIMESTAMP
from beam_pipeline.transforms import order
from beam_pipeline.transforms.frames import Events, EventsCoder
from beam_pipeline.transforms.order import in_order

Moments = list[int]


def frame(schema: pl.Schema, part: int, moments: Moments) -> pl.DataFrame:
    """Events at these times, each with a name of its own."""
    ids = [f"{part}-{row}" for row in range(len(moments))]
    named = pl.DataFrame({"event_id": pl.Series(ids, dtype=pl.String)})
    at = pl.Series("published_at", moments, pl.Int64).cast(TIMESTAMP)
    columns = [pl.lit(None, dtype).alias(name) for name, dtype in schema.items()]
    return named.select(pl.col("event_id"), *columns[1:]).with_columns(at)


def events(part: int, plays: Moments, ads: Moments) -> Events:
    return Events(frame(RAW_PLAYS, part, plays), frame(RAW_AD_EVENTS, part, ads))


moments = st.lists(st.integers(0, 40), max_size=25)
parts_of = st.lists(st.tuples(moments, moments).filter(any), min_size=1, max_size=8)


@given(parts=parts_of, size=st.integers(1, 30))
@example(parts=[([], [0, 0]), ([1], [0, 0, 0])], size=2)
@settings(deadline=None)
def test_parts_come_in_the_order_of_publication_and_then_in_their_own(
    parts: list[tuple[Moments, Moments]], size: int
) -> None:
    made = [events(number, *each) for number, each in enumerate(parts)]
    usual = order.SLICE
    order.SLICE = size
    try:
        slices = list(in_order(made))
    finally:
        order.SLICE = usual
    times = [pl.concat([f["published_at"] for f in pair]).to_physical() for pair in slices]
    assert all(len(each) for each in times)
    latest = [int(each.to_numpy().max()) for each in times]
    assert latest == sorted(latest)
    for kind, schema in enumerate((RAW_PLAYS, RAW_AD_EVENTS)):
        whole = pl.concat([each.frames()[kind] for each in made])
        assert whole.schema == schema
        got = pl.concat([pair[kind] for pair in slices])
        assert got.equals(whole.sort("published_at", maintain_order=True))
        assert all(pair[kind].height <= 2 * size for pair in slices)


def test_of_parts_that_follow_each_other_few_are_in_hand_at_a_time() -> None:
    looked_at: list[int] = []

    class Watched(Events):
        __slots__ = ()

        def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
            looked_at.append(self.oldest_ms)
            return super().frames()

    size = 4_000
    made = [
        Watched(frame(RAW_PLAYS, 0, list(range(start, start + size))), frame(RAW_AD_EVENTS, 0, []))
        for start in range(0, 20 * size, size)
    ]
    given_so_far, most = 0, 0
    for plays, _ in in_order(made):
        given_so_far += plays.height
        most = max(most, len(looked_at) * size - given_so_far)
    assert given_so_far == 20 * size
    assert most <= order.SLICE


def test_events_that_are_only_carried_are_carried_as_they_came() -> None:
    coder = EventsCoder()
    sent = events(0, [5, 3], [4])
    wire = coder.encode(sent)
    received = coder.decode(wire)
    assert coder.encode(received) is wire
    assert received.oldest_ms == sent.oldest_ms == 3
    assert all(
        ours.equals(theirs) for ours, theirs in zip(sent.frames(), received.frames(), strict=True)
    )
    assert coder.estimate_size(received) == len(wire)
