"""Frames larger, or longer, than any that a stream sends."""

from __future__ import annotations

import numpy as np
import polars as pl

from beam_pipeline.domain import schemas
from beam_pipeline.domain.counts import Counts
from beam_pipeline.domain.readers import Reader
from beam_pipeline.domain.shard import Shard
from tests.domain.harness import Domain, KnownReferences, places_of
from tests.oracle import Reference
from tests.oracle_lines import MINUTE
from tests.strategies import NOON, REFERENCE, Sent, messages_of


def test_a_batch_with_more_listeners_than_any_that_a_stream_sends_is_counted_exactly() -> None:
    n = 140_000
    row = {"event_id": "e", "track_id": 10, "played_at": NOON, "local_hour": 12}
    row |= {"is_mobile": True, "zip": "10001", "published_at": NOON, schemas.PUBLISH_TIME: NOON}
    plays = pl.DataFrame({"customer_id": np.arange(n)}).with_columns(
        pl.lit(value).alias(name) for name, value in row.items()
    )
    plays = plays.select(list(schemas.RAW_PLAYS)).cast(schemas.RAW_PLAYS)
    shard = Shard(KnownReferences(Reference()), places_of(Reference()))
    counts = Counts()
    counts.add(shard.process(plays, schemas.RAW_AD_EVENTS.to_frame()).delta)
    listening, _ = counts.changed(Reader.LIVE)
    assert listening.height == 7 * 8
    assert listening["plays"].unique().to_list() == [n]
    assert listening["listeners"].unique().to_list() == [n]


def test_a_ledger_that_reads_seldom_is_told_of_every_minute() -> None:
    minutes = 5_000
    times = [NOON + number * MINUTE for number in range(minutes)]
    domain = Domain(REFERENCE)
    domain.feed(messages_of([Sent("play", str(at), 1, at, at) for at in times]))
    assert domain.held.health.keys() == set(times)
    _, health = domain.counts.changed(Reader.LEDGER)
    assert sorted(health["minute"].to_physical()) == times
    assert health["received"].sum() == minutes
