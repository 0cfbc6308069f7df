"""Dead letters come back: through BigQuery, the topic and the pipeline, all real."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from beam_pipeline import replay
from beam_pipeline.domain import events
from beam_pipeline.edges.publishing import Outgoing, Topic
from infra.local.stack import Stack
from tests.e2e.release import UPGRADE, Rules
from tests.e2e.stores import differences
from tests.e2e.system import System, new_system, wait_until
from tests.e2e.traffic import reference
from tests.oracle import Message, Stores, account


def line(event_id: str, played: datetime, **fields: object) -> bytes:
    event = {"event_id": event_id, "customer_id": 7, "track_id": 3, "is_mobile": True}
    event |= {"played_at": played.isoformat(timespec="milliseconds"), "zip": "90210"}
    return json.dumps(event | fields).encode()


def replayed(
    system: System, capsys: pytest.CaptureFixture[str], reasons: list[str], *more: str
) -> str:
    """The last line of a replay of everything since yesterday."""
    ends, now = system.stack.endpoints, datetime.now(UTC)
    flags = ["--reason", *reasons, "--since", f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"]
    flags += ["--bigquery", f"{ends.project}.{system.dataset}"]
    flags += ["--bigquery-endpoint", ends.bigquery, "--bigquery-grpc-endpoint", ends.bigquery_grpc]
    flags += ["--topic", f"projects/{ends.project}/topics/{system.topic}", *more]
    code, told = replay.main(flags, now), capsys.readouterr()
    assert code == 0, told.err
    assert "letters found" in told.err
    return told.out.splitlines()[-1]


def test_dead_letters_that_are_events_by_now_come_back_once(
    stack: Stack,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = datetime.now(UTC)
    now_ms = int(now.timestamp() * 1000)
    plays = [line(f"p{n}", now - timedelta(minutes=9 - n)) for n in range(4)]
    broken = [line("b", now, zip="1"), b"{"]
    skewed = line("skewed", now - timedelta(minutes=6), track_id=4)
    hour_ago = now - timedelta(hours=1)
    first = [
        Message("play", now_ms, b"\n".join([*plays, *broken]), schema="2"),
        Message("play", now_ms, line("old", now)),
        Message("play", int(hour_ago.timestamp() * 1000), skewed),
    ]
    upgrade = tmp_path / "upgraded"
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", stack.pubsub)
    monkeypatch.setenv(UPGRADE, str(upgrade))
    monkeypatch.setattr(events, "SCHEMAS", Rules(upgrade))
    both = ["unknown_schema", "clock_skew"]

    def settled(expected: Stores) -> None:
        wait_until(lambda: differences(system, expected, by_minute=False), system.say)

    with new_system(stack, tmp_path) as system:
        system.start_pipeline(module="tests.e2e.release")
        topic = Topic(f"projects/{stack.endpoints.project}/topics/{system.topic}")
        sent = [
            Outgoing(first[0].payload, {"kind": "play", "schema": "2", "source": "ingest"}),
            Outgoing(first[1].payload, {"kind": "play"}),
            Outgoing(first[2].payload, {"kind": "play", "published_at": hour_ago.isoformat()}),
        ]
        assert [*topic.publish(sent)] == [3]
        before = account(first, reference())
        assert before.dead_letters == {"unknown_schema": 6, "clock_skew": 1}
        settled(before)

        told = replayed(system, capsys, both, "--dry-run")
        assert told.startswith("found=7 replayed=1 stored=0 refused=6 cut=0 no_event=0; a dry run")

        with monkeypatch.context() as hasty:
            hasty.setattr(events, "SCHEMAS", {**events.SCHEMAS, ("play", "2"): events.PLAY})
            told = replayed(system, capsys, ["unknown_schema"])
        assert told == "found=6 replayed=4 stored=0 refused=2 cut=0 no_event=0"
        again = [Message("play", now_ms, play, schema="2") for play in plays]
        still = account([*first, *again], reference())
        still.dead_letters["unknown_schema"] = 6
        settled(still)

        upgrade.touch()
        assert replayed(system, capsys, both) == (
            "found=7 replayed=5 stored=0 refused=2 cut=0 no_event=0"
        )
        back = [Message("play", now_ms, play) for play in (*plays, skewed)]
        after = account([*first, *again, *back], reference())
        after.dead_letters["unknown_schema"] = 6
        assert after.interests().keys() == {(7, 3)}
        settled(after)

        assert replayed(system, capsys, both) == (
            "found=7 replayed=0 stored=5 refused=2 cut=0 no_event=0"
        )
        monkeypatch.setattr(replay, "stored", lambda *_: set())
        assert replayed(system, capsys, both).startswith("found=7 replayed=5")
        twice = account([*first, *again, *back, *back], reference())
        twice.dead_letters["unknown_schema"] = 6
        settled(twice)
