"""What ingest answers, one status after the other, and what it publishes."""

from __future__ import annotations

import base64
import gzip
import json
import time
from pathlib import Path

import pytest

from infra.local.stack import Stack
from tests.functions.conftest import ingest_environ
from tests.functions.events import ad_event, ndjson, play
from tests.functions.inbox import Inbox
from tests.functions.process import KEYS, Function, running, signature, signed

MIB = 1024 * 1024


def test_good_plays_are_accepted_and_published_as_they_were_sent(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    body = b'{"x": 1.50,' + ndjson(play())[1:] + b"\r\n" + ndjson(play()) + b"\n"
    with running("ingest", ingest_environ(stack, inbox), logs) as ingest:
        answer = ingest.post("/v1/plays", body)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 2, "rejected": []})
    (message,) = inbox.wait(1)
    assert message.data == body.removesuffix(b"\n")
    assert dict(message.attributes) == {
        "kind": "play",
        "schema": "1",
        "source": "ingest",
        "count": "2",
    }


def test_good_and_bad_lines_are_told_apart_and_both_published(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    good, long = ndjson(ad_event()), b'"' + b"x" * 5000 + b'"'
    body = b"\n".join([long, good, ndjson(ad_event(event_id="odd", action="eaten")), b""]) + b"\n"
    with running("ingest", ingest_environ(stack, inbox), logs) as ingest:
        answer = ingest.post("/v1/ad-events", body)
    assert answer.status_code == 202
    assert answer.json()["accepted"] == 1
    assert [
        (line["index"], line["event_id"], line["reason"]) for line in answer.json()["rejected"]
    ] == [(0, None, "not_object"), (2, "odd", "out_of_range"), (3, None, "not_json")]
    published = {message.attributes["kind"]: message for message in inbox.wait(2)}
    assert published["ad"].data == good
    assert published["ad"].attributes["count"] == "1"
    assert published["rejected"].attributes["count"] == "3"
    first, second, third = inbox.lines("rejected")
    assert base64.b64decode(first["payload_b64"]) == long[:4096]
    assert (first["cut"], first["kind"], first["index"]) == (True, "ad", 0)
    assert json.loads(base64.b64decode(second["payload_b64"]))["action"] == "eaten"
    assert "cut" not in second
    assert second["detail"] == answer.json()["rejected"][1]["detail"]
    assert third["payload_b64"] == ""


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_becomes_one_line_each(
    stack: Stack, inbox: Inbox, logs: Path, indent: int | None
) -> None:
    events = [play(), play(customer_id="no"), play()]
    with running("ingest", ingest_environ(stack, inbox), logs) as ingest:
        answer = ingest.post(
            "/v1/plays", json.dumps(events, indent=indent).encode(), "application/json"
        )
    assert answer.json()["accepted"] == 2
    assert [line["index"] for line in answer.json()["rejected"]] == [1]
    inbox.wait(2)
    assert inbox.lines("play") == [events[0], events[2]]


def test_an_object_alone_is_an_event(ingest: Function) -> None:
    body = json.dumps(play(), indent=1).encode()
    answer = ingest.post("/v1/plays", body, "application/json; charset=UTF-8")
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1)


def test_gzip_is_unpacked_after_the_signature_was_checked(ingest: Function) -> None:
    body = gzip.compress(ndjson(play())) + gzip.compress(b"\n" + ndjson(play()))
    answer = ingest.post("/v1/plays", body, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)


def test_a_request_without_a_good_event_is_400_and_says_what_is_wrong(ingest: Function) -> None:
    answer = ingest.post("/v1/plays", ndjson(play(zip="no"), {"event_id": "half"}))
    assert answer.status_code == 400
    assert answer.json()["accepted"] == 0
    assert [line["reason"] for line in answer.json()["rejected"]] == [
        "out_of_range",
        "missing_field",
    ]


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"", "application/x-ndjson", "no_events"),
        (b" \n ", "application/json", "no_events"),
        (b"[]", "application/json", "no_events"),
    ],
)
def test_a_request_without_events_is_400(
    ingest: Function, body: bytes, content_type: str, error: str
) -> None:
    answer = ingest.post("/v1/plays", body, content_type)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_body_that_is_no_gzip_is_400(ingest: Function) -> None:
    for body in (b"plain", gzip.compress(ndjson(play()))[:-1]):
        answer = ingest.post("/v1/plays", body, headers={"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json()["error"]) == (400, "not_gzip")


def test_either_of_the_two_keys_signs(ingest: Function) -> None:
    for key in KEYS:
        body = ndjson(play())
        assert ingest.post("/v1/plays", body, headers=signed(body, key)).status_code == 202


@pytest.mark.parametrize("missing", ["Encore-Key-Id", "Encore-Timestamp", "Encore-Signature"])
def test_an_unsigned_request_is_401(ingest: Function, missing: str) -> None:
    answer = ingest.post("/v1/plays", ndjson(play()), headers={missing: ""})
    assert (answer.status_code, answer.json()["error"]) == (401, "unsigned")
    assert answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "change",
    [
        {"Encore-Signature": "0" * 64},
        {"Encore-Signature": "not hexadecimal"},
        {"Encore-Key-Id": "key-three"},
        {"Encore-Key-Id": "key-two"},
    ],
)
def test_a_signature_that_no_live_key_made_is_401(ingest: Function, change: dict[str, str]) -> None:
    answer = ingest.post("/v1/plays", ndjson(play()), headers=change)
    assert (answer.status_code, answer.json()["error"]) == (401, "bad_signature")


def test_a_signature_covers_body_and_timestamp(ingest: Function) -> None:
    body = ndjson(play())
    headers = signed(body)
    assert ingest.post("/v1/plays", body + b"\n", headers=headers).status_code == 401
    later = headers | {"Encore-Timestamp": headers["Encore-Timestamp"] + "1"}
    assert ingest.post("/v1/plays", body, headers=later).status_code == 401
    assert ingest.post("/v1/plays", body, headers=headers).status_code == 202


@pytest.mark.parametrize("away", [-310, 310])
def test_a_timestamp_outside_the_window_is_401(ingest: Function, away: int) -> None:
    body = ndjson(play())
    answer = ingest.post("/v1/plays", body, headers=signed(body, at=time.time() + away))
    assert (answer.status_code, answer.json()["error"]) == (401, "stale_signature")


@pytest.mark.parametrize("timestamp", ["now", "-1", "1e9", "1" * 12, "١٢٣", "17 s"])
def test_a_timestamp_that_is_none_is_401(ingest: Function, timestamp: str) -> None:
    body = ndjson(play())
    headers = {
        b"Encore-Key-Id": b"key-one",
        b"Encore-Timestamp": timestamp.encode(),
        b"Encore-Signature": signature(KEYS["key-one"], timestamp, body).encode(),
    }
    answer = ingest.client.post(ingest.url + "/v1/plays", content=body, headers=headers)
    assert answer.status_code == 401


def test_a_signature_is_good_once(ingest: Function) -> None:
    body = ndjson(play())
    headers = signed(body)
    assert ingest.post("/v1/plays", body, headers=headers).status_code == 202
    answer = ingest.post("/v1/plays", body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "replayed")


def test_a_body_over_a_mebibyte_is_413_packed_or_not(ingest: Function) -> None:
    fat = ndjson(play()) + b" " * MIB
    assert ingest.post("/v1/plays", fat).status_code == 413
    bomb = gzip.compress(b"\n" * (64 * MIB))
    assert len(bomb) < MIB
    answer = ingest.post("/v1/plays", bomb, headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")


def test_a_body_over_a_mebibyte_is_413_when_sent_in_chunks(ingest: Function) -> None:
    answer = ingest.client.post(ingest.url + "/v1/plays", content=(b" " * 65536 for _ in range(40)))
    assert answer.status_code == 413


def test_exactly_a_mebibyte_and_a_thousand_events_are_taken(ingest: Function) -> None:
    lines = [ndjson(play()) for _ in range(1000)]
    room = MIB - len(b"\n".join(lines))
    spread, rest = divmod(room, 1000)
    padded = [line + b" " * (spread + (number < rest)) for number, line in enumerate(lines)]
    body = b"\n".join(padded)
    assert len(body) == MIB
    answer = ingest.post("/v1/plays", body)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 1000)


def test_a_thousand_and_one_events_are_413(ingest: Function) -> None:
    answer = ingest.post("/v1/plays", b"{}\n" * 1001)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_many_events")
    assert ingest.post("/v1/plays", b"{}\n" * 1000).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Encoding": "br"},
        {"Content-Encoding": "gzip, gzip"},
    ],
)
def test_another_media_type_is_415(ingest: Function, headers: dict[str, str]) -> None:
    assert ingest.post("/v1/plays", ndjson(play()), headers=headers).status_code == 415


def test_over_its_rate_a_key_gets_429_and_the_other_key_does_not(
    stack: Stack, inbox: Inbox, logs: Path
) -> None:
    slow = {"ENCORE_RATE_EVENTS": "0.5", "ENCORE_RATE_BURST": "1000"}
    names = {"ENCORE_KEYS": json.dumps({"slow-one": KEYS["key-one"], "slow-two": KEYS["key-two"]})}
    body = b"\n".join([ndjson(play())] * 600)

    def post(key: str) -> tuple[int, str | None]:
        headers = signed(body, key) | {"Encore-Key-Id": key.replace("key", "slow")}
        answer = ingest.post("/v1/plays", body, headers=headers)
        return answer.status_code, answer.headers.get("Retry-After")

    with running("ingest", ingest_environ(stack, inbox) | slow | names, logs) as ingest:
        assert post("key-one") == (202, None)
        status, wait = post("key-one")
        assert status == 429
        assert wait is not None
        assert 300 < int(wait) <= 400
        assert post("key-two") == (202, None)
    assert len(inbox.wait(2)) == 2


def test_other_paths_are_404_and_other_methods_405(ingest: Function) -> None:
    assert ingest.get("/").status_code == 404
    assert ingest.post("/v1/plays/1", b"").status_code == 404
    answer = ingest.get("/v1/plays")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert ingest.post("/healthz", b"").status_code == 405


def test_healthz_says_ok(ingest: Function) -> None:
    answer = ingest.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_no_secret_and_no_payload_is_logged(ingest: Function) -> None:
    body = ndjson(play(zip="remarkable"))
    headers = signed(body)
    ingest.post("/v1/plays", body, headers=headers)
    ingest.post("/v1/plays", body, headers=headers)
    written = ingest.log.read_text()
    for secret in (*KEYS.values(), headers["Encore-Signature"], "remarkable"):
        assert secret not in written
