"""Redis lost and had again: from an export, and what is younger than it from BigQuery."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from beam_pipeline.domain.schemas import MESSAGES, TARGETS
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.tables import create_tables
from beam_pipeline.edges.targets import Targets
from functions.sms.ledger import SENT, UNKNOWN, Ledger
from infra.dataflow import guards
from infra.local.services import _redis_server
from infra.local.stack import Ports, Stack

AT = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


@contextmanager
def server(folder: Path) -> Iterator[Redis]:
    """A Redis of its own whose data is `folder`, which saves only when it is told to."""
    port = Ports.free().redis
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([_redis_server(), *words], stdout=subprocess.DEVNULL)
    client = Redis(port=port)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                client.ping()
                break
            except RedisConnectionError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.02)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(30)


def proposal(customer: int, channel: str = "sms") -> pl.DataFrame:
    row = (customer, "gold-1day", 0.8, "v1", AT, channel, False)
    return pl.DataFrame([row], schema=TARGETS, orient="row")


def everything(client: Redis) -> dict[str, tuple[bytes, bool]]:
    """All keys with their content, and whether they pass."""
    return {key: (client.dump(key) or b"", client.pttl(key) > 0) for key in names(client, "*")}


def names(client: Redis, pattern: str) -> list[str]:
    """The keys of a pattern, sorted."""
    return sorted(str(key, "utf-8") for key in client.keys(pattern) if isinstance(key, bytes))


def test_an_export_brings_back_every_key_and_what_had_not_been_sent(tmp_path: Path) -> None:
    with server(tmp_path) as client:
        Targets(client).decide(proposal(1))
        client.zadd("interests:1", {"10": 1_790_000_000_123})
        client.zadd("progress", {"elasticsearch:published_at": 1_790_000_000_123})
        client.hset("customer:1", mapping={"level": 0})
        client.set("shows:1:2026-03-14", "1", ex=172_800)
        client.xgroup_create("sms:outbox", "sms", id="0")
        client.xreadgroup("sms", "one", {"sms:outbox": ">"})
        before = everything(client)
        client.save()
    assert (tmp_path / "dump.rdb").stat().st_size > 100
    with server(tmp_path) as restored:
        assert everything(restored) == before
        assert len(before) == 7
        assert restored.xpending("sms:outbox", "sms")["pending"] == 1


def test_after_the_guards_are_rebuilt_nobody_is_chosen_or_written_to_twice(
    tmp_path: Path,
) -> None:
    targets = pl.concat([proposal(1), proposal(2), proposal(3, "holdout"), proposal(4, "screen")])
    sent = ("gold-1day:1", 1, "gold-1day", SENT, None, 1, AT + timedelta(minutes=1))
    messages = pl.DataFrame([sent], schema=MESSAGES, orient="row")
    with server(tmp_path) as client:
        assert guards.rebuild(client, targets, messages) == (4, 2)
        ledger = Ledger(client, cap=4)
        assert ledger.read("gold-1day:1").status == SENT
        assert (ledger.read("gold-1day:2").status, ledger.read("gold-1day:2").reason) == (
            UNKNOWN,
            guards.LOST,
        )
        assert ledger.begin("gold-1day:2", 2, "+1", True, 0, 0) == UNKNOWN
        later = proposal(1).with_columns(decided_at=pl.lit(AT + timedelta(days=1)), score=0.1)
        assert Targets(client).decide(later).equals(proposal(1))
        assert client.xlen("sms:outbox") == 0
        assert names(client, "target:*") == ["target:1", "target:2", "target:4"]
        held = everything(client)
        assert guards.rebuild(client, targets.with_columns(score=0.5), messages) == (0, 0)
        assert everything(client) == held


def test_a_message_whose_target_is_lost_guards_as_well(tmp_path: Path) -> None:
    lost = [
        (f"gold-1day:{n}", n, "gold-1day", status, None, 1, AT + timedelta(minutes=n))
        for n, status in ((1, SENT), (7, SENT), (8, "refused"))
    ]
    messages = pl.DataFrame(lost, schema=MESSAGES, orient="row")
    with server(tmp_path) as client:
        assert guards.rebuild(client, proposal(1), messages) == (3, 3)
        targets = Targets(client)
        decided = targets.decide(pl.concat([proposal(n) for n in (1, 7, 8, 9)]))
        assert decided["decided_at"].to_list() == [
            *(AT, AT + timedelta(minutes=7), AT + timedelta(minutes=8)),
            AT,
        ]
        assert client.xlen("sms:outbox") == 1
        assert Ledger(client, cap=4).read("gold-1day:7").status == SENT


@pytest.mark.slow
def test_the_guards_come_from_what_bigquery_holds(
    stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = stack.endpoints
    config = BigQueryConfig(ends.project, "guards", stack.bigquery, ends.bigquery_grpc)
    client = config.client()
    create_tables(client, "guards")
    sink = config.open()
    sink.write("targets", pl.concat([proposal(1), proposal(1), proposal(3, "holdout")]))
    sent = ("gold-1day:1", 1, "gold-1day", SENT, None, 1, AT)
    sink.write("messages", pl.DataFrame([sent], schema=MESSAGES, orient="row"))
    sink.close()
    with server(tmp_path) as redis:
        port = redis.connection_pool.connection_kwargs["port"]
        words = [f"--redis=redis://127.0.0.1:{port}/0", f"--bigquery={ends.project}.guards"]
        emulator = [
            f"--bigquery-endpoint={stack.bigquery}",
            f"--bigquery-grpc-endpoint={ends.bigquery_grpc}",
        ]
        assert guards.main([*words, *emulator]) == 0
        assert names(redis, "*") == [
            "decision:gold-1day:1",
            "decision:gold-1day:3",
            "sms:message:gold-1day:1",
            "target:1",
        ]
        assert redis.hget("sms:message:gold-1day:1", "status") == SENT.encode()
    assert "2 of 2 decisions put back, 1 records of messages" in capsys.readouterr().out


def test_a_store_that_cannot_be_asked_is_one_line(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--redis=redis://127.0.0.1:1/0", f"--bigquery={stack.endpoints.project}.nowhere"]
    ends = [f"--bigquery-endpoint={stack.bigquery}"]
    assert guards.main([*words, *ends]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Cannot rebuild: ")
