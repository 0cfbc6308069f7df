import pickle
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis

from beam_pipeline.domain.schemas import INTERESTS, PLAYS
from beam_pipeline.edges.redis import Progress, ProgressConfig, RedisConfig, RedisSink, connect
from beam_pipeline.edges.retry import Outage
from infra.local.stack import Stack
from tests.edges.gate import Gate, gate
from tests.edges.rows import NOON, interests

NOON_MS = int(NOON.timestamp() * 1000)


def minutes(client: Redis, customer: int) -> dict[int, float]:
    """An interest list: minutes after noon by track."""
    pairs: Any = client.zrange(f"interests:{customer}", 0, -1, withscores=True)
    return {int(track): (score - NOON_MS) / 60_000 for track, score in pairs}


def test_an_interest_list_has_each_track_by_its_latest_play(redis: Redis) -> None:
    sink = RedisSink(redis)
    rows = interests([(1, 7, "A", 0, 9, 3), (1, 8, None, 0, 4, 3), (2**62, 7, "A", 1, 2, 3)])
    assert sink.write("interests", rows).is_empty()
    assert minutes(redis, 1) == {7: 9, 8: 4}
    assert minutes(redis, 2**62) == {7: 2}


def test_a_list_only_grows_whatever_is_written_again_and_in_any_order(redis: Redis) -> None:
    sink = RedisSink(redis)
    parts = [
        interests([(1, 7, "A", 0, 9, 3), (1, 7, "A", 0, 12, 3), (1, 7, "A", 0, 3, 3)]),
        interests([(1, 8, "B", 0, 1, 3)]),
        interests([(1, 7, "A", 0, 10, 4), (1, 8, "B", 0, 0, 3)]),
    ]
    for number in (2, 0, 1, 0, 1, 2):
        sink.write("interests", parts[number])
    assert minutes(redis, 1) == {7: 12, 8: 1}


def test_many_customers_are_written_in_a_few_round_trips(redis: Redis) -> None:
    sink = RedisSink(redis)
    sink.write("interests", interests([(n, n % 7, "A", 0, n % 50, 3) for n in range(5_001)]))
    assert redis.dbsize() == 5_001
    assert minutes(redis, 5_000) == {2: 0}


def test_an_empty_frame_asks_nothing() -> None:
    sink = RedisConfig("redis://127.0.0.1:9").open()
    assert sink.write("interests", INTERESTS.to_frame()).is_empty()


def test_a_dataset_that_redis_does_not_keep_is_a_mistake() -> None:
    sink = RedisConfig("redis://127.0.0.1:9").open()
    with pytest.raises(ValueError, match="plays"):
        sink.write("plays", PLAYS.to_frame())


def outage(door: Gate) -> Outage:
    """An outage that ends at the third try."""
    tries = iter([lambda: None, lambda: None, door.open])
    return Outage("Redis", lambda _: next(tries, lambda: None)())


def test_an_outage_is_waited_out(redis: Redis, stack: Stack) -> None:
    with gate("127.0.0.1", urlsplit(stack.redis).port or 0) as door:
        url = f"redis://127.0.0.1:{door.port}/0"
        sink, progress = RedisSink(connect(url), outage(door)), Progress(connect(url), outage(door))
        sink.write("interests", interests([(1, 1, "A", 0, 1, 3)]))
        door.close()
        assert sink.write("interests", interests([(1, 2, "A", 0, 2, 3)])).is_empty()
        door.close()
        progress.record("elasticsearch", 5, 6)
        assert progress.reached(["elasticsearch"]) == 6
        sink.close()
        progress.close()
    assert minutes(redis, 1) == {1: 1, 2: 2}


def test_a_full_memory_is_an_outage_and_not_a_mistake(redis: Redis) -> None:
    def make_room(_: float) -> None:
        redis.config_set("maxmemory", "0")

    redis.config_set("maxmemory", "1")
    try:
        RedisSink(redis, Outage("Redis", make_room)).write(
            "interests", interests([(1, 1, "A", 0, 1, 3)])
        )
    finally:
        make_room(0)
    assert minutes(redis, 1) == {1: 1}


def test_progress_is_what_every_store_has_reached(redis: Redis) -> None:
    progress = Progress(redis)
    progress.record("elasticsearch", 100, 1_000)
    assert progress.reached(["elasticsearch"]) == 1_000
    assert progress.complete_to(["elasticsearch"]) == 100
    assert progress.reached(["elasticsearch", "bigquery"]) is None
    progress.record("bigquery", 90, 2_000)
    assert progress.reached(["elasticsearch", "bigquery"]) == 1_000
    assert progress.complete_to(["elasticsearch", "bigquery"]) == 90
    assert progress.reached([]) is None


def test_progress_never_goes_back(redis: Redis) -> None:
    progress = Progress(redis)
    progress.record("bigquery", 100, 50)
    progress.record("bigquery", 60, 90)
    assert (progress.complete_to(["bigquery"]), progress.reached(["bigquery"])) == (100, 90)


def test_progress_is_a_sorted_set_by_store_and_clock(redis: Redis) -> None:
    Progress(redis).record("elasticsearch", 1_790_000_000_123, 1_790_000_000_456)
    assert redis.zrange("progress", 0, -1, withscores=True) == [
        (b"elasticsearch:published_at", 1_790_000_000_123.0),
        (b"elasticsearch:publish_time", 1_790_000_000_456.0),
    ]


def test_configurations_travel_and_compare_by_value() -> None:
    for config in (RedisConfig("redis://h:1/0"), ProgressConfig("redis://h:1/0")):
        assert pickle.loads(pickle.dumps(config)) == config
        assert hash(config) == hash(type(config)("redis://h:1/0"))
