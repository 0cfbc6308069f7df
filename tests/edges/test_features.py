"""Features in Redis: written in its own protocol, whole or again."""

from __future__ import annotations

from datetime import date
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest
from redis import Redis

from beam_pipeline.domain.features import FEATURE_HASH, FEATURE_ROWS, FEATURES
from beam_pipeline.edges.features import ROWS_A_CALL, FeaturesSink, read_features
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.retry import Outage
from infra.local.stack import Stack
from tests.edges.gate import gate


def rows(count: int, seed: int = 1) -> pl.DataFrame:
    """FEATURE_ROWS of customers from 0 on, and one with the largest id there is."""
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "customer_id": [*range(count - 1), 2**63 - 1],
            "as_of": [date(2026, 3, 15)] * count,
            **{name: rng.random(count) for name in FEATURES},
            "feature_hash": [FEATURE_HASH] * count,
        },
        schema=FEATURE_ROWS,
    )


def test_every_row_of_many_calls_is_there_to_the_last_bit(redis: Redis) -> None:
    sent = rows(2 * ROWS_A_CALL + 7)
    FeaturesSink(redis).write("features", sent)
    assert redis.dbsize() == sent.height
    assert read_features(redis, sent["customer_id"].to_list()).equals(sent)


def test_a_connection_that_owes_replies_is_not_used_again(redis: Redis, stack: Stack) -> None:
    with gate("127.0.0.1", urlsplit(stack.redis).port or 0) as door:
        client = connect(f"redis://127.0.0.1:{door.port}/0")
        tries = iter([lambda: None, door.open])
        sink = FeaturesSink(client, Outage("Redis", lambda _: next(tries, lambda: None)()))
        sink.write("features", rows(10))
        door.close()
        sent = rows(ROWS_A_CALL + 1, seed=2)
        assert sink.write("features", sent).is_empty()
        assert read_features(client, sent["customer_id"].to_list()).equals(sent)
        sink.close()


def test_a_full_memory_is_an_outage_whose_replies_nobody_takes_for_others(redis: Redis) -> None:
    redis.config_set("maxmemory", "1")
    try:
        sink = FeaturesSink(redis, Outage("Redis", lambda _: _make_room(redis)))
        sink.write("features", rows(50))
    finally:
        _make_room(redis)
    assert read_features(redis, [0, 48]).height == 2


def _make_room(redis: Redis) -> None:
    assert redis.config_get("maxmemory") in ({"maxmemory": "1"}, {"maxmemory": "0"})
    redis.config_set("maxmemory", "0")


def test_a_dataset_that_is_not_features_is_a_mistake(redis: Redis) -> None:
    with pytest.raises(ValueError, match="No plays are kept"):
        FeaturesSink(redis).write("plays", rows(1))
