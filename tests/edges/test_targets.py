"""Decisions on a real Redis: one for each offer and customer, whoever races and whatever dies."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import polars as pl
import pytest
from redis import Redis

from beam_pipeline.domain.features import FEATURE_HASH, FEATURE_ROWS, FEATURES
from beam_pipeline.domain.offers import HOLDOUT, OFFERS, SCREEN, SMS, Offer, read_entry
from beam_pipeline.domain.schemas import TARGETS
from beam_pipeline.edges.features import FeaturesConfig
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.targets import FRESH_SECONDS, LOOK_AGAIN_SECONDS, Targets, TargetsConfig
from infra.local.stack import Stack
from tests.edges.gate import gate
from tests.functions.process import eventually

AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
GOLD_DAY = "gold-1day"
THREE_DAYS_MS = 3 * 24 * 3_600_000


def proposals(
    customers: Sequence[int],
    *,
    channel: str = SMS,
    score: float | None = 0.75,
    version: str | None = "v1",
    offer: str = GOLD_DAY,
    after: timedelta = timedelta(0),
) -> pl.DataFrame:
    """TARGETS as somebody might propose them."""
    rows = [(n, offer, score, version, AT + after, channel, score is None) for n in customers]
    return pl.DataFrame(rows, schema=TARGETS, orient="row")


def outbox(redis: Redis) -> list[dict[str, str]]:
    """What lies in the outbox."""
    entries: Any = redis.xrange("sms:outbox")
    return [
        {name.decode(): value.decode() for name, value in fields.items()} for _, fields in entries
    ]


def look(targets: Targets, customers: Sequence[int], ms: int = AT_MS) -> pl.DataFrame:
    """Candidates among customers who each had a play published at `ms`."""
    return targets.candidates(np.array(customers, np.int64), np.full(len(customers), ms))


def test_a_decision_takes_guard_target_and_outbox_together(redis: Redis) -> None:
    decided = Targets(redis).decide(proposals([7]))
    assert decided.equals(proposals([7]))
    assert json.loads(redis.get("decision:gold-1day:7") or b"") == {
        "decided_at": AT_MS,
        "channel": "sms",
        "explore": False,
        "score": 0.75,
        "model_version": "v1",
    }
    target = json.loads(redis.hget("target:7", GOLD_DAY) or b"")
    assert target == {"until": AT_MS + THREE_DAYS_MS, "channel": "sms"}
    (entry,) = outbox(redis)
    assert read_entry(entry).fields() == entry
    assert entry["until"] == str(AT_MS + THREE_DAYS_MS)
    assert redis.ttl("decision:gold-1day:7") == -1


def test_the_held_out_get_a_decision_and_nothing_else(redis: Redis) -> None:
    assert Targets(redis).decide(proposals([7], channel=HOLDOUT))["channel"].to_list() == [HOLDOUT]
    assert redis.keys() == [b"decision:gold-1day:7"]


def test_a_channel_without_messages_puts_none_into_the_outbox(redis: Redis) -> None:
    Targets(redis).decide(proposals([7], channel=SCREEN))
    assert set(redis.keys()) == {b"decision:gold-1day:7", b"target:7"}


def test_the_first_decision_stands_whatever_is_proposed_later(redis: Redis) -> None:
    first = Targets(redis).decide(proposals([7, 8], score=1 / 3))
    later = proposals([8, 7], channel=HOLDOUT, score=None, version=None, after=timedelta(days=9))
    for worker in (Targets(redis), Targets(redis)):
        assert worker.decide(later).sort("customer_id").equals(first)
    assert len(outbox(redis)) == 2


def test_thousands_are_decided_in_a_few_calls(redis: Redis) -> None:
    many = proposals(range(1_001))
    assert Targets(redis).decide(many).equals(many)
    assert len(outbox(redis)) == 1_001
    assert Targets(redis).decide(TARGETS.to_frame()).is_empty()


def test_an_offer_of_its_own_is_decided_by_itself(redis: Redis) -> None:
    second = Offer("silver", "ADV", OFFERS[GOLD_DAY].words, timedelta(hours=1), 1, 0, by_sms=False)
    targets = Targets(redis, {**OFFERS, second.id: second})
    targets.decide(proposals([7]))
    assert look(targets, [7], AT_MS + 1)["offer"].to_list() == ["silver"]
    targets.decide(proposals([7], offer="silver", channel=SCREEN))
    held: Any = redis.hgetall("target:7")
    assert json.loads(held[b"silver"])["until"] == AT_MS + 3_600_000
    assert set(held) == {b"gold-1day", b"silver"}
    assert look(targets, [7], AT_MS + 1).is_empty()


def test_candidates_come_with_their_features_and_the_play_that_may_decide(redis: Redis) -> None:
    rows = [(n, AT.date(), *(n / 10 + i for i in range(len(FEATURES)))) for n in (1, 2)]
    known = pl.DataFrame([(*row, FEATURE_HASH) for row in rows], schema=FEATURE_ROWS, orient="row")
    FeaturesConfig(_url(redis)).open().write("features", known)
    redis.set("features:3", json.dumps({"as_of": "2026-03-02", "feature_hash": "another"}))
    redis.set("features:4", b"[]")
    customers = np.array([2, 1, 2, 3, 4, 1])
    found = Targets(redis).candidates(customers, AT_MS + np.arange(6))
    assert found["customer_id"].to_list() == [2, 1, 3, 4]
    assert found["published_at"].dt.epoch("ms").to_list() == [AT_MS + n for n in (0, 1, 3, 4)]
    assert found.select(FEATURES).head(2).rows() == [rows[1][2:], rows[0][2:]]
    assert found.select(FEATURES).tail(2).fill_nan(None).null_count().row(0) == (2,) * len(FEATURES)


def test_who_is_decided_is_no_candidate_but_for_the_play_that_decided(redis: Redis) -> None:
    targets = Targets(redis)
    assert not look(targets, [7])["again"].any()
    targets.decide(proposals([7]))
    assert look(targets, [7], AT_MS + 5_000).is_empty()
    assert look(targets, [7])["again"].to_list() == [True]


def test_a_new_process_writes_once_what_it_finds_decided(redis: Redis) -> None:
    Targets(redis).decide(proposals([7]))
    fresh = Targets(redis)
    found = look(fresh, [7, 8], AT_MS + 9_000)
    assert found.select("customer_id", "again").rows() == [(7, True), (8, False)]
    later = proposals([7], score=None, version=None, after=timedelta(seconds=9))
    assert fresh.decide(later).equals(proposals([7]))
    assert look(fresh, [7], AT_MS + 9_000).is_empty()


def test_who_was_looked_at_is_left_alone_for_a_while_but_for_the_same_play(redis: Redis) -> None:
    seconds = [0.0]
    targets = Targets(redis, now=lambda: seconds[0])
    assert look(targets, [7, 8]).height == 2
    assert look(targets, [7, 8, 9], AT_MS + 1)["customer_id"].to_list() == [9]
    assert look(targets, [7, 8])["customer_id"].to_list() == [7, 8]
    seconds[0] = LOOK_AGAIN_SECONDS + 1
    assert look(targets, [7, 8, 9], AT_MS + 2)["customer_id"].to_list() == [7, 8, 9]


def test_what_another_worker_decides_is_noticed_after_a_while(redis: Redis) -> None:
    seconds = [0.0]
    targets = Targets(redis, now=lambda: seconds[0])
    look(targets, [7])
    Targets(redis).decide(proposals([7]))
    seconds[0] = LOOK_AGAIN_SECONDS + 1
    assert look(targets, [7], AT_MS + 1)["again"].to_list() == [False]
    seconds[0] = FRESH_SECONDS + 1
    assert look(targets, [7], AT_MS + 1)["again"].all()


def test_a_guard_that_cannot_be_read_still_guards(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    redis.set("decision:gold-1day:7", b"taken")
    targets = Targets(redis)
    assert look(targets, [7])["again"].all()
    assert targets.decide(proposals([7, 8]))["customer_id"].to_list() == [8]
    assert "cannot be read" in caplog.text
    assert look(targets, [7], AT_MS + 1).is_empty()
    assert [entry["customer_id"] for entry in outbox(redis)] == ["8"]


def test_an_outage_is_waited_out(redis: Redis, stack: Stack) -> None:
    with gate("127.0.0.1", urlsplit(stack.redis).port or 0) as door:
        tries = iter([None, None, door.open, None, None, door.open])

        def sleep(_: float) -> None:
            action = next(tries)
            if action:
                action()

        targets = Targets(connect(f"redis://127.0.0.1:{door.port}/0"), outage=Outage("R", sleep))
        door.close()
        assert look(targets, [7]).height == 1
        door.close()
        assert targets.decide(proposals([7])).height == 1
        targets.close()
    assert len(outbox(redis)) == 1


def _url(redis: Redis) -> str:
    place = redis.connection_pool.connection_kwargs
    return f"redis://{place['host']}:{place['port']}/{place.get('db', 0)}"


def _decide_all(url: str, worker: int, count: int, workers: int) -> list[tuple[Any, ...]]:
    """What one of `workers`, who begin together, is told when it proposes everyone."""
    targets = TargetsConfig(url).open()
    customers = np.random.default_rng(worker).permutation(count).tolist()
    with connect(url) as redis:
        redis.incr("ready")
        eventually(lambda: int(redis.get("ready") or b"0") == workers, 60)
    parts = [customers[at : at + 50] for at in range(0, count, 50)]
    channels = (SMS, HOLDOUT, SCREEN, SMS)
    told = [
        targets.decide(
            proposals(part, score=worker / 10, version=f"v{worker}", channel=channels[worker])
        )
        for part in parts
    ]
    return pl.concat(told).sort("customer_id").rows()


def test_workers_that_race_are_told_the_same(redis: Redis, stack: Stack) -> None:
    count = 4_000
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=spawn) as workers:
        told = list(workers.map(_decide_all, [stack.redis] * 4, range(4), [count] * 4, [4] * 4))
    assert told[0] == told[1] == told[2] == told[3]
    by_channel = dict.fromkeys((SMS, HOLDOUT, SCREEN), 0)
    for row in told[0]:
        by_channel[row[5]] += 1
    assert len({row[3] for row in told[0]}) > 1, "one worker was first everywhere: no race"
    assert len(told[0]) == len(redis.keys("decision:*")) == count
    assert len(outbox(redis)) == by_channel[SMS]
    assert len(redis.keys("target:*")) == count - by_channel[HOLDOUT]


def test_a_worker_killed_in_the_middle_leaves_whole_decisions(redis: Redis, stack: Stack) -> None:
    count = 20_000
    spawn = multiprocessing.get_context("spawn")
    worker = spawn.Process(target=_decide_all, args=(stack.redis, 3, count, 1))
    worker.start()
    eventually(lambda: redis.xlen("sms:outbox") > 500 or None)
    worker.kill()
    worker.join()
    decided = {int(key.split(b":")[-1]) for key in redis.scan_iter("decision:*", 10_000)}
    assert 500 < len(decided) < count
    assert {int(key.split(b":")[-1]) for key in redis.scan_iter("target:*", 10_000)} == decided
    assert sorted(int(entry["customer_id"]) for entry in outbox(redis)) == sorted(decided)
    after = Targets(redis)
    found = look(after, range(count), AT_MS + 1)
    assert set(found.filter("again")["customer_id"]) == decided
    told = after.decide(proposals(found["customer_id"].to_list(), score=0.9, version="v9"))
    assert set(told.filter(pl.col("model_version") == "v3")["customer_id"]) == decided
    assert len(outbox(redis)) == count


def test_the_configuration_travels_and_compares_by_value() -> None:
    config = TargetsConfig("redis://h:1/0")
    assert pickle.loads(pickle.dumps(config)) == config
    assert hash(config) == hash(TargetsConfig("redis://h:1/0"))
