"""What becomes of a dead letter that is to come back."""

from __future__ import annotations

import json

import pytest

from beam_pipeline.domain.replay import Fate, Judged, Letter, attributes_of, home_of, judge, line_of
from tests.oracle_lines import CLOCK_SKEW, DAY, MINUTE, TOO_OLD
from tests.strategies import NOON, rfc3339

KIND = {"kind": "play", "schema": "1", "source": "ingest"}


def play(at: int = NOON, **fields: object) -> bytes:
    event = {"event_id": "a", "customer_id": 1, "track_id": 2, "is_mobile": False, "zip": "10001"}
    return json.dumps(event | {"played_at": rfc3339(at)} | fields).encode()


def judged(payload: bytes, now_ms: int = NOON, /, **attributes: str) -> Judged:
    return judge(Letter("m:3", payload, KIND | attributes), now_ms)


def test_a_line_that_is_an_event_by_now_is_replayed() -> None:
    one = judged(play())
    assert one.fate is Fate.REPLAYED
    assert one.identity is not None
    assert (one.identity.kind, one.identity.customer_id, one.identity.event_id) == ("play", 1, "a")
    assert one.identity.at_ms == NOON


def test_a_clock_that_was_ahead_is_right_once_its_time_has_come() -> None:
    assert judged(play(NOON + CLOCK_SKEW + 1)).fate is Fate.REFUSED
    assert judged(play(NOON + CLOCK_SKEW + 1), NOON + 1).fate is Fate.REPLAYED


@pytest.mark.parametrize(
    ("payload", "attributes", "why"),
    [
        (b"{", {}, "not_json"),
        (play(zip="1"), {}, "out_of_range"),
        (play(), {"schema": "2"}, "unknown_schema"),
        (play(), {"kind": "plays"}, "unknown_kind"),
        (play(), {"kind": "rejected"}, "unknown_kind"),
        (play(NOON - TOO_OLD - 1), {}, "too_old"),
        (b"", {}, "not_json"),
    ],
)
def test_what_would_be_refused_again_stays_and_says_why(
    payload: bytes, attributes: dict[str, str], why: str
) -> None:
    one = judged(payload, **attributes)
    assert one.fate is Fate.REFUSED
    assert one.why.startswith(why)
    assert one.identity is None


def test_what_has_become_of_a_message_comes_back_as_that() -> None:
    outcome = {"message_id": "m", "customer_id": 1, "offer": "o", "status": "sent", "attempts": 1}
    line = json.dumps(outcome | {"at": rfc3339(NOON)}).encode()
    one = judged(line, kind="message")
    assert (one.fate, one.identity) == (Fate.REPLAYED, None)
    assert judged(line, kind="message", schema="2").fate is Fate.REFUSED


def test_a_line_of_which_only_the_beginning_was_kept_stays() -> None:
    assert judged(play(), cut="true").fate is Fate.CUT


@pytest.mark.parametrize("attributes", ['{"dataset":"plays","store":"x"}', "", "[]", "{", None])
def test_a_row_that_a_store_refused_was_no_message(attributes: str | None) -> None:
    assert judge(Letter.read("x/plays/1", play(), attributes), NOON).fate is Fate.NO_EVENT


def test_an_event_over_several_lines_comes_back_in_one() -> None:
    letter = Letter("m:0", play().replace(b", ", b",\n"), KIND)
    assert judge(letter, NOON).fate is Fate.REPLAYED
    assert line_of(letter) == play()


def test_a_replayed_message_has_a_time_of_its_own_and_nothing_that_nobody_asked_for() -> None:
    published = {"published_at": rfc3339(NOON - DAY), "trace": "x" * 20}
    letter = Letter("m:3", play(), KIND | published)
    assert attributes_of(letter) == {**KIND, "replay_of": "m:3"}
    assert attributes_of(Letter("m:3", play(), {"kind": "ad"})) == {
        "kind": "ad",
        "replay_of": "m:3",
    }


@pytest.mark.parametrize(
    ("letter", "home"),
    [
        ("123:0", ("123", 0)),
        ("123:41", ("123", 41)),
        ("gs://bucket/a:b.ndjson:7", ("gs://bucket/a:b.ndjson", 7)),
        ("", ("", 0)),
        (":5", (":5", 0)),
        ("m:", ("m:", 0)),
        ("m:x", ("m:x", 0)),
        ("m:\u0663", ("m:\u0663", 0)),
        ("m:-1", ("m:-1", 0)),
    ],
)
def test_a_letter_that_is_refused_again_keeps_its_id(letter: str, home: tuple[str, int]) -> None:
    assert home_of(letter) == home


def test_late_is_judged_by_the_stream_not_here() -> None:
    assert judged(play(NOON - 300 * MINUTE)).fate is Fate.REPLAYED
