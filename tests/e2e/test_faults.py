"""Everything that goes wrong around the pipeline: stores that stop, a long pause, poison."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from beam_pipeline.edges.publishing import Outgoing, Topic
from infra.local.stack import Stack
from tests.e2e.stores import differences
from tests.e2e.system import ingest_of, new_system, post_all, wait_until
from tests.e2e.traffic import START, Post, reference, traffic
from tests.functions.process import Function
from tests.oracle import Message, account, refuse

OUTAGE_S = 8.0
YEAR_ONE = -62_135_596_800_000


@contextmanager
def under_load(ingest: Function, posts: Sequence[Post], pause_s: float) -> Iterator[None]:
    """Post at a steady pace beside the block; all is posted when it ends, and answered well."""
    failed: list[BaseException] = []

    def load() -> None:
        try:
            for post in posts:
                post_all(ingest, [post])
                time.sleep(pause_s)
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=load)
    thread.start()
    yield
    thread.join()
    assert not failed, failed


def test_stores_that_stop_and_a_pause_beyond_the_horizon_leave_no_trace(
    stack: Stack, tmp_path: Path
) -> None:
    """Each store is away under load; then the pipeline is, for seven simulated hours."""
    first = traffic(seed=31, requests=100)
    later = traffic(seed=32, requests=10, start=START + timedelta(hours=12))
    copies = [
        Post(post.kind, post.moment + timedelta(hours=12), post.lines, post.good)
        for post in first[-10:]
        if post.kind == "play"
    ]
    posts = [*first, *copies, *later]
    expected = account([post.message() for post in posts], reference())
    assert sum(row.accepted for row in expected.health.values()) > len(expected.plays)
    with new_system(stack, tmp_path) as system, ingest_of(system) as ingest:
        system.start_pipeline()
        with under_load(ingest, first, pause_s=0.3):
            for store in ("elasticsearch", "redis", "bigquery"):
                assert stack.stop([store]) == [store]
                time.sleep(OUTAGE_S)
                stack.start([store])
        so_far = account([post.message() for post in first], reference())
        wait_until(lambda: differences(system, so_far), system.say)
        system.kill_pipeline()
        post_all(ingest, [*copies, *later[:5]])
        system.start_pipeline()
        post_all(ingest, later[5:])
        wait_until(lambda: differences(system, expected), system.say)


def line(event_id: str, played: datetime) -> bytes:
    event = {"event_id": event_id, "customer_id": 7, "track_id": 3, "is_mobile": True}
    event |= {"played_at": played.isoformat(timespec="milliseconds"), "zip": "90210"}
    return json.dumps(event).encode()


def test_poison_ends_as_dead_letters_and_its_neighbours_are_kept(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    now_ms = int(now.timestamp() * 1000)
    good = [line(f"p{n}", now - timedelta(minutes=n)) for n in range(6)]
    garbage = {"\u00e4" * 100 + str(n): "\U0001f4a5" * 250 for n in range(96)}
    play = {"kind": "play", "schema": "1"}
    poison = [
        (good[0], play | {"published_at": "9999-12-31T23:59:00Z"}),
        (b"x" * 9_900_000, play),
        (b"", play),
        (b"{}", {}),
        (good[0], {"kind": "click"}),
        (good[0], {"kind": "play", "schema": ""}),
        (good[1] + b"\n\0\n\xff\xfe\n" + good[2] + b"\n[]\n", play | garbage),
        (good[3], play | {"published_at": "yesterday"}),
        (good[4], play | {"published_at": "0001-01-01T00:00:00Z"}),
        (b"\0" * 1_000 + b"\n" * 3 + b"{" * 5_000, play | {"source": "", "replay_of": "\0:9:x"}),
        (b"[" * 60_000, {"kind": "ad"}),
        (good[5], {"kind": "heartbeat"}),
    ]
    messages = [
        Message(attributes.get("kind", ""), now_ms, data, attributes.get("schema", "1"))
        for data, attributes in poison
    ]
    for number, data, published_ms in ((0, good[0], 253_402_300_740_000), (8, good[4], YEAR_ONE)):
        messages[number] = Message("play", published_ms, data)
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", stack.pubsub)
    with new_system(stack, tmp_path) as system:
        system.start_pipeline()
        topic = Topic(f"projects/{stack.endpoints.project}/topics/{system.topic}")
        sent = [Outgoing(data, attributes) for data, attributes in poison]
        sent += [Outgoing(b"not a refusal", {"kind": "rejected"})]
        assert [*topic.publish(sent)][-1] == len(sent)
        time.sleep(3)
        more = line("more", now)
        assert [*topic.publish([Outgoing(more, play)])] == [1]
        expected = account([*messages, Message("play", now_ms, more)], reference())
        refuse(expected, "not_json", now_ms)
        wait_until(lambda: differences(system, expected, by_minute=False), system.say, 120)
        assert set(expected.plays) == {(7, f"p{n}") for n in (1, 2, 3)} | {(7, "more")}
        assert system.pipelines[-1].poll() is None
