"""From bodies to lines, and which of them are good: the door's answer is the pipeline's."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from beam_pipeline.domain.events import decode_line
from beam_pipeline.domain.reasons import InvalidEvent, Reason
from functions.ingest.lines import judge, split
from functions.ingest.plain import plainly_good
from functions.shared.http import Refusal

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NOON_MS = int(NOON.timestamp() * 1000)
EDGES = (timedelta(days=30), timedelta(minutes=-5), timedelta(0), timedelta(hours=3))
NEAR = (-1001, -1000, -999, -2, -1, 0, 1, 2, 999, 1000, 1001)


def moments() -> st.SearchStrategy[str]:
    """Times at and around the limits, on any clock, and texts that are nearly times."""

    def text(edge: timedelta, ms: int, minutes: int, form: str) -> str:
        at = NOON - edge + timedelta(milliseconds=ms)
        iso = at.astimezone(timezone(timedelta(minutes=minutes))).isoformat(timespec="milliseconds")
        return {"T": iso, " ": iso.replace("T", " "), "Z": iso[:-6] + "Z", "z": iso[:-6] + "z"}[
            form
        ]

    near = st.builds(
        text,
        st.sampled_from(EDGES),
        st.sampled_from(NEAR),
        st.sampled_from([0, 540, -300, 345, 1439, -1439]),
        st.sampled_from(["T", "T", "Z", "z", " "]),
    )
    odd = st.sampled_from(
        [
            "2026-03-01T12:00:00",
            "2026-03-01T12:00Z",
            "2026-03-01",
            "20260301T120000Z",
            "2026-W09-7T12:00:00Z",
            "2026-060T12:00:00Z",
            "2026-03-01T12:00:60Z",
            "2026-03-01T24:00:00Z",
            "2026-02-30T12:00:00Z",
            "2026-03-01T12:00:00.Z",
            "2026-03-01T12:00:00,5Z",
            "2026-03-01T12:00:00.1234567890Z",
            "2026-03-01T12:00:00+24:00",
            "2026-03-01T12:00:00+09:60",
            "2026-03-01T12:00:00+09",
            "2026-03-01T12:00:00+0900",
            "2026-03-01T12:00:00-00:00",
            "2026-03-01T12:00:00+09:00:30",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+23:59",
            "9999-12-31T23:59:59-23:59",
            "2026-03-01T12:00:00Z\n",
            "٢٠٢٦-03-01T12:00:00Z",
        ]
    )
    return near | odd


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "event_id": st.sampled_from(["e1", "", "x" * 64, "x" * 65, "é", 'q"', "q\\", 7, None]),
    "customer_id": st.sampled_from([0, 2**63 - 1, 2**63, 2**64, 10**30, -1, True, 1.0, "1", None]),
    "track_id": st.sampled_from([7, 2**63 - 1, 2**63]),
    "is_mobile": st.sampled_from([True, False, 1, "true", None]),
    "zip": st.sampled_from(["94107", "9410", "941077", "94 07", "٩٤١٠٧", "94107"[::-1], "", 1]),
    "ad": st.sampled_from(["ADV_REDUCED_1DAY", "", "x" * 64, "x" * 65]),
    "action": st.sampled_from(["shown", "clicked", "upgraded", "seen", ""]),
    "offer_id": st.sampled_from(["gold:1", "", "x" * 128, "x" * 129, None, 5]),
    "played_at": moments(),
    "at": moments(),
    "more": st.sampled_from([1, None, "x", {"a": [1]}, {"\u00e9": '"'}]),
}
FIELDS = {
    "play": ("event_id", "customer_id", "track_id", "played_at", "is_mobile", "zip"),
    "ad": ("event_id", "customer_id", "ad", "action", "at"),
}
GOOD: dict[str, Any] = {
    "event_id": "e1",
    "customer_id": 5,
    "track_id": 7,
    "played_at": "2026-03-01T21:00:00.123+09:00",
    "is_mobile": True,
    "zip": "94107",
    "ad": "ADV_REDUCED_1DAY",
    "action": "shown",
    "at": "2026-03-01T12:00:00Z",
}


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, bytes]:
    """A kind and a line: good but for a few changes, some of them beneath JSON's surface."""
    kind = draw(st.sampled_from(["play", "ad"]))
    pairs = [(name, GOOD[name]) for name in FIELDS[kind]]
    if kind == "ad" and draw(st.booleans()):
        pairs.append(("offer_id", draw(VALUES["offer_id"])))
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(pairs) - 1))
        name = pairs[place][0]
        match draw(st.sampled_from(["value", "value", "value", "twice", "extra", "gone", "swap"])):
            case "value":
                pairs[place] = (name, draw(VALUES[name]))
            case "twice":
                pairs.append((name, draw(VALUES[name])))
            case "extra":
                pairs.append(("more", draw(VALUES["more"])))
            case "gone" if len(pairs) > 1:
                del pairs[place]
            case _:
                pairs.append(pairs.pop(place))
    ascii_only = draw(st.booleans())
    parts = [
        f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=ascii_only)}" for name, value in pairs
    ]
    line = ("{" + ",".join(parts) + "}").encode()
    for _ in range(draw(st.integers(0, 2)) // 2):
        place = draw(st.integers(0, len(line)))
        junk = draw(
            st.sampled_from([b"", b'"', b"\\", b" ", b"\r", b"\x00", b"\xff", b"{", b"[", b","])
        )
        line = line[:place] + junk + line[place + draw(st.integers(0, 1)) :]
    return kind, line


def verdict(kind: str, line: bytes) -> Reason | None:
    """What the pipeline's rule says of a line."""
    try:
        decode_line(kind, line, NOON_MS)
    except InvalidEvent as why:
        return why.reason
    return None


@settings(max_examples=1500, deadline=None)
@given(cases())
@example(("play", b'{"event_id":"e","customer_id":1,"track_id":1,"is_mobile":true,"zip":"94107"}'))
@example(("play", b"[" * 60000))
@example(("play", b""))
def test_the_door_judges_a_line_as_the_pipeline_does(case: tuple[str, bytes]) -> None:
    kind, line = case
    expected = verdict(kind, line)
    if plainly_good(kind, "1", NOON_MS)(line):
        assert expected is None
    result = judge(kind, [line], NOON_MS)
    assert [each.why.reason for each in result.refused] == ([] if expected is None else [expected])
    assert len(result.good) == (expected is None)


def test_common_good_lines_are_told_at_a_glance() -> None:
    for kind in ("play", "ad"):
        line = json.dumps({name: GOOD[name] for name in FIELDS[kind]}).encode()
        assert plainly_good(kind, "1", NOON_MS)(line)
    offered = {name: GOOD[name] for name in FIELDS["ad"]} | {"offer_id": "gold-day:5"}
    assert plainly_good("ad", "1", NOON_MS)(json.dumps(offered).encode())


@given(st.lists(st.binary(max_size=30).filter(lambda line: b"\n" not in line), max_size=20))
def test_ndjson_is_split_at_newlines_and_nowhere_else(lines: list[bytes]) -> None:
    body = b"".join(line + b"\n" for line in lines)
    assert split("application/x-ndjson", "", body) == lines


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(json_values, max_size=10), st.sampled_from([None, 0, 2]))
def test_an_array_is_split_into_its_elements(values: list[Any], indent: int | None) -> None:
    body = b" \n" + json.dumps(values, indent=indent).encode() + b"\r\n"
    assert [json.loads(line) for line in split("application/json", "", body)] == values


@pytest.mark.parametrize("body", [b"[1", b"[1,]", b"[1] 2", b"[" * 5000, b'["\xff"', b"[,]"])
def test_a_broken_array_is_one_line_that_is_not_json(body: bytes) -> None:
    (line,) = split("application/json", "", body)
    assert verdict("play", line) in (Reason.NOT_JSON, Reason.NOT_UTF8)


def test_a_published_line_never_holds_a_newline() -> None:
    line = json.dumps({name: GOOD[name] for name in FIELDS["play"]}, indent=2).encode()
    (good,) = judge("play", [line], NOON_MS).good
    assert b"\n" not in good
    assert json.loads(good) == json.loads(line)
    broken = line.replace(b"e1", b"e\n1")
    assert judge("play", [broken], NOON_MS).refused[0].why.reason is Reason.NOT_JSON


def test_a_media_type_is_json_or_ndjson() -> None:
    for name in ("", "text/plain", "application/xml"):
        with pytest.raises(Refusal) as refusal:
            split(name, "", b"{}")
        assert refusal.value.status == 415
