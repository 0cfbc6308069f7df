"""What ingest does while Pub/Sub or Redis does not answer, and when it is told to stop."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import Ports, Stack
from tests.functions.conftest import ingest_environ
from tests.functions.events import ndjson, play
from tests.functions.inbox import Inbox
from tests.functions.process import eventually, running, signed
from tests.functions.proxy import silent_port, wire


def test_what_pubsub_did_not_take_is_503_and_counts_as_nothing(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    nobody = {"PUBSUB_EMULATOR_HOST": f"127.0.0.1:{Ports.free().pubsub}"}
    short = {"ENCORE_PUBLISH_DEADLINE_S": "0.5"}
    with running("ingest", ingest_environ(stack, inbox) | nobody | short, logs) as ingest:
        answer = ingest.post("/v1/plays", ndjson(play(), {"bad": 1}))
    assert (answer.status_code, answer.json()["error"]) == (503, "not_published")
    assert int(answer.headers["Retry-After"]) > 0
    assert "accepted" not in answer.json()


def test_a_topic_that_is_not_there_is_503(stack: Stack, inbox: Inbox, logs: Path) -> None:
    wrong = {"ENCORE_TOPIC": "no-such-topic"}
    with running("ingest", ingest_environ(stack, inbox) | wrong, logs) as ingest:
        assert ingest.post("/v1/plays", ndjson(play())).status_code == 503


def test_a_request_that_was_not_carried_out_may_be_sent_again_as_it_is(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    body = ndjson(play())
    headers = signed(body)
    with wire(inbox.address) as pubsub:
        environ = ingest_environ(stack, inbox) | {
            "PUBSUB_EMULATOR_HOST": pubsub.address,
            "ENCORE_PUBLISH_DEADLINE_S": "1",
        }
        with running("ingest", environ, logs) as ingest:
            pubsub.hold()
            assert ingest.post("/v1/plays", body, headers=headers).status_code == 503
            pubsub.release()
            again = eventually(
                lambda: (
                    (answer := ingest.post("/v1/plays", body, headers=headers)).status_code != 503
                    and answer
                )
            )
            assert again.status_code == 202
            assert ingest.post("/v1/plays", body, headers=headers).status_code == 403


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_without_redis_events_are_taken_unlimited_and_replays_still_refused(
    stack: Stack, inbox: Inbox, logs: Path, silent: bool
) -> None:
    listener, port = silent_port()
    if not silent:
        listener.close()
    environ = ingest_environ(stack, inbox) | {
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "ENCORE_RATE_EVENTS": "0.1",
        "ENCORE_RATE_BURST": "1000",
    }
    with running("ingest", environ, logs) as ingest:
        for _ in range(3):
            body = b"\n".join([ndjson(play())] * 700)
            headers = signed(body)
            assert ingest.post("/v1/plays", body, headers=headers).status_code == 202
            assert ingest.post("/v1/plays", body, headers=headers).status_code == 403
        assert ingest.log.read_text().count('"metric":"redis_down"') == 1
    listener.close()


def test_when_redis_comes_back_the_rate_is_limited_again(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    with wire(stack.redis.removeprefix("redis://").removesuffix("/0")) as redis:
        environ = ingest_environ(stack, inbox) | {
            "REDIS_URL": f"redis://{redis.address}/0",
            "ENCORE_RATE_EVENTS": "0.001",
            "ENCORE_RATE_BURST": "1000",
        }
        body = b"\n".join([ndjson(play())] * 700)
        with running("ingest", environ, logs) as ingest:
            redis.hold()
            assert ingest.post("/v1/plays", body).status_code == 202
            redis.release()
            eventually(lambda: ingest.post("/v1/plays", body).status_code == 429)
            assert '"metric":"redis_up"' in ingest.log.read_text()


def test_a_signature_is_good_once_for_all_instances_together(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    environ = ingest_environ(stack, inbox)
    body = ndjson(play())
    headers = signed(body)
    with running("ingest", environ, logs) as one, running("ingest", environ, logs) as other:
        assert one.post("/v1/plays", body, headers=headers).status_code == 202
        assert other.post("/v1/plays", body, headers=headers).status_code == 403


def test_without_redis_in_the_settings_one_process_refuses_replays(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    environ = ingest_environ(stack, inbox) | {"REDIS_URL": ""}
    body = ndjson(play())
    headers = signed(body)
    with running("ingest", environ, logs) as ingest:
        assert ingest.post("/v1/plays", body, headers=headers).status_code == 202
        assert ingest.post("/v1/plays", body, headers=headers).status_code == 403


@pytest.mark.parametrize(
    "missing",
    [
        {"ENCORE_KEYS": ""},
        {"ENCORE_KEYS": "{}"},
        {"ENCORE_KEYS": '{"key": "short"}'},
        {"ENCORE_KEYS": "not json, but a secret of somebody"},
        {"ENCORE_KEYS": "", "ENCORE_KEYS_FILE": "/no/such/file"},
        {"ENCORE_AUTH": "maybe"},
        {"ENCORE_PROJECT": ""},
        {"ENCORE_PUBLISH_DEADLINE_S": "soon"},
        {"ENCORE_RATE_BURST": "10"},
    ],
)
def test_without_what_it_needs_the_door_stays_shut(
    stack: Stack, inbox: Inbox, logs: Path, missing: dict[str, str]
) -> None:
    with running("ingest", ingest_environ(stack, inbox) | missing, logs) as ingest:
        assert ingest.post("/v1/plays", ndjson(play())).status_code == 503
        answer = ingest.get("/healthz")
        assert (answer.status_code, answer.json()["error"]) == (503, "not_configured")
        written = ingest.log.read_text()
    assert '"severity":"CRITICAL"' in written
    assert "secret of somebody" not in written


def test_keys_may_lie_in_a_file(stack: Stack, inbox: Inbox, logs: Path, tmp_path: Path) -> None:
    environ = ingest_environ(stack, inbox)
    file = tmp_path / "keys.json"
    file.write_text(environ.pop("ENCORE_KEYS"))
    with running("ingest", environ | {"ENCORE_KEYS_FILE": str(file)}, logs) as ingest:
        assert ingest.post("/v1/plays", ndjson(play())).status_code == 202
        assert ingest.post("/v1/plays", ndjson(play()), sign=False).status_code == 401


@pytest.mark.parametrize("mode", ["none", "iam"])
def test_only_when_told_to_it_takes_unsigned_events(
    stack: Stack, inbox: Inbox, logs: Path, mode: str
) -> None:
    environ = ingest_environ(stack, inbox) | {"ENCORE_KEYS": "", "ENCORE_AUTH": mode}
    with running("ingest", environ, logs) as ingest:
        body = ndjson(play())
        for _ in range(2):
            assert ingest.post("/v1/plays", body, sign=False).status_code == 202


def test_the_header_published_at_counts_in_simulated_time_alone(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    body = ndjson(play(played_at="2020-02-03T04:05:06Z"))
    header = {"Encore-Published-At": "2020-02-03T04:06:00.5+00:00"}
    environ = ingest_environ(stack, inbox)
    with running("ingest", environ | {"ENCORE_SIMULATED_TIME": "1"}, logs) as simulated:
        assert simulated.post("/v1/plays", body, headers=header).status_code == 202
        assert simulated.post("/v1/plays", body).json()["rejected"][0]["reason"] == "too_old"
        early = {"Encore-Published-At": "2020-02-03T03:06:00Z"}
        skewed = simulated.post("/v1/plays", body, headers=early)
        assert skewed.json()["rejected"][0]["reason"] == "clock_skew"
        wrong = simulated.post("/v1/plays", body, headers={"Encore-Published-At": "yesterday"})
        assert (wrong.status_code, wrong.json()["error"]) == (400, "bad_published_at")
    with running("ingest", environ, logs) as real:
        assert real.post("/v1/plays", body, headers=header).status_code == 400
    published = [message.attributes.get("published_at") for message in inbox.wait(4)]
    assert published == [header["Encore-Published-At"], None, early["Encore-Published-At"], None]


def test_sigterm_finishes_what_is_in_flight(stack: Stack, inbox: Inbox, logs: Path) -> None:
    answers: list[Any] = []
    with wire(inbox.address) as pubsub:
        environ = ingest_environ(stack, inbox) | {"PUBSUB_EMULATOR_HOST": pubsub.address}
        with running("ingest", environ, logs) as ingest:
            assert ingest.post("/v1/plays", ndjson(play())).status_code == 202
            pubsub.hold()
            post = threading.Thread(
                target=lambda: answers.append(ingest.post("/v1/plays", ndjson(play())))
            )
            post.start()
            assert pubsub.waiting.wait(10)
            ingest.process.terminate()
            time.sleep(0.3)
            assert ingest.process.poll() is None
            pubsub.release()
            post.join(20)
            assert ingest.process.wait(20) == 0
    assert [answer.status_code for answer in answers] == [202]
    assert len(inbox.wait(2)) == 2
