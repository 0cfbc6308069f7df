"""What a line is: the corpus, line by line, in blocks, and against the oracle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from beam_pipeline.domain.decode import decode
from beam_pipeline.domain.events import decode_line
from beam_pipeline.domain.lines import Lines, is_utf8
from beam_pipeline.domain.reasons import InvalidEvent, Reason
from tests.domain.corpus import CASES, FINE, REFUSED, Case, text_of
from tests.domain.corpus_values import PUBLISHED
from tests.domain.harness import block_of, rows_of
from tests.oracle import Message
from tests.oracle_lines import Refused, event_of


def verdict(case: Case) -> str | None:
    """Why the line is refused; None where it is not."""
    try:
        decode_line(case.kind, case.line, PUBLISHED)
    except InvalidEvent as refused:
        return str(refused.reason) if refused.detail else "no detail"
    return None


def test_the_corpus_has_hundreds_of_lines_and_every_reason_that_a_line_can_have() -> None:
    assert len(REFUSED) > 800
    assert len(FINE) > 100
    of_messages = {Reason.UNKNOWN_KIND, Reason.UNKNOWN_SCHEMA}
    assert {case.reason for case in REFUSED} == set(Reason) - of_messages


def oracle_verdict(case: Case) -> str | None:
    """Why the oracle refuses the line; None where it does not."""
    try:
        event_of(case.kind, case.line, PUBLISHED)
    except Refused as refused:
        return refused.reason
    return None


@pytest.mark.parametrize("read", [verdict, oracle_verdict])
def test_a_line_is_refused_for_the_first_reason_that_holds(
    read: Callable[[Case], str | None],
) -> None:
    given = {case.name: read(case) for case in CASES}
    assert given == {case.name: case.reason for case in CASES}


def among_neighbours(case: Case) -> object:
    """What becomes of a line between two good ones: its reason, or the event it is."""
    before, after = text_of(case.kind, event_id="a"), text_of(case.kind, event_id="b")
    payload = before.encode() + b"\n" + case.line + b"\n" + after.encode() + b"\n"
    decoded = decode([block_of(Message(case.kind, PUBLISHED, payload), "m")])
    accepted = rows_of(decoded.plays if case.kind == "play" else decoded.ad_events)
    letters = rows_of(decoded.dead_letters)
    if [row["event_id"] for row in (accepted[0], accepted[-1])] != ["a", "b"]:
        return "lost a neighbour"
    inside = accepted[1:-1] + [f"{row['id']}: {row['reason']}" for row in letters]
    return inside[0] if len(inside) == 1 else inside


def test_in_a_block_a_line_gets_the_same_verdict_and_its_neighbours_are_not_lost() -> None:
    given = {case.name: among_neighbours(case) for case in CASES}
    assert given == {case.name: event_or_reason(case) for case in CASES}


def event_or_reason(case: Case) -> object:
    """The oracle's event, or where the refused line stood and why it was refused."""
    if case.reason is not None:
        return f"m:1: {case.reason}"
    event = event_of(case.kind, case.line, PUBLISHED)
    if case.kind == "play":
        del event["is_late"]
    return event


def test_the_whole_corpus_in_one_batch_of_blocks_keeps_every_line_and_every_reason() -> None:
    messages = [
        Message(kind, PUBLISHED, b"\n".join(case.line for case in CASES if case.kind == kind))
        for kind in ("play", "ad")
    ]
    decoded = decode([block_of(message, message.kind) for message in messages])
    assert decoded.plays.height + decoded.ad_events.height == len(FINE)
    expected = {
        f"{kind}:{number}": case.reason
        for kind in ("play", "ad")
        for number, case in enumerate(c for c in CASES if c.kind == kind)
        if case.reason is not None
    }
    assert {row["id"]: row["reason"] for row in rows_of(decoded.dead_letters)} == expected
    assert decoded.health["rejected"].sum() == decoded.health["received"].sum() == len(REFUSED)


def test_the_corpus_a_line_a_message_gives_the_same_reasons_as_in_one_block() -> None:
    messages = [Message(case.kind, PUBLISHED, case.line) for case in CASES]
    decoded = decode([block_of(message, str(n)) for n, message in enumerate(messages)])
    expected = {f"{n}:0": case.reason for n, case in enumerate(CASES) if case.reason is not None}
    assert {row["id"]: row["reason"] for row in rows_of(decoded.dead_letters)} == expected


@pytest.mark.parametrize("kind", ["", "Play", "plays", "click", "PLAY", "play ", "unknown"])
def test_every_line_of_an_unknown_kind_is_a_dead_letter(kind: str) -> None:
    payload = text_of("play").encode() + b"\n\n" + b"x" * 70_000 + b"\n\xff"
    decoded = decode([block_of(Message(kind, PUBLISHED, payload), "m")])
    reasons = Counter(decoded.dead_letters["reason"].to_list())
    assert reasons == {"unknown_kind": 3, "too_large": 1}
    assert decoded.plays.is_empty()


@pytest.mark.parametrize("kind", ["play", "ad"])
@pytest.mark.parametrize("schema", ["", "0", "2", "1.0", "v1", " 1", "latest"])
def test_every_line_of_an_unknown_schema_is_a_dead_letter(kind: str, schema: str) -> None:
    payload = text_of(kind).encode() + b"\n\n" + b"x" * 70_000 + b"\n\xff"
    decoded = decode([block_of(Message(kind, PUBLISHED, payload, schema), "m")])
    reasons = Counter(decoded.dead_letters["reason"].to_list())
    assert reasons == {"unknown_schema": 3, "too_large": 1}


@pytest.mark.parametrize("payload", [b"", b"{}", b"not json\n\xff\n"])
def test_a_heartbeat_is_neither_counted_nor_refused(payload: bytes) -> None:
    decoded = decode([block_of(Message("heartbeat", PUBLISHED, payload), "m")])
    assert all(frame.is_empty() for frame in (decoded.plays, decoded.ad_events, decoded.health))
    assert decoded.dead_letters.is_empty()


def test_an_object_broken_over_two_lines_is_two_lines_that_are_no_json() -> None:
    whole = text_of("play", extra=[{}, {}])
    for cut in range(1, len(whole)):
        payload = (whole[:cut] + "\n" + whole[cut:]).encode()
        decoded = decode([block_of(Message("play", PUBLISHED, payload), "m")])
        assert decoded.plays.is_empty()
        assert decoded.dead_letters["reason"].to_list() == ["not_json"] * 2


def test_two_objects_on_one_line_beside_an_empty_line_do_not_pass_for_two_lines() -> None:
    line = text_of("play").encode()
    for payload in (line + line + b"\n\n", line + b" " + line + b"\n\n" + line, b"\n" + line * 2):
        decoded = decode([block_of(Message("play", PUBLISHED, payload), "m")])
        assert decoded.plays.height + decoded.dead_letters.height == payload.rstrip(b"\n").count(
            b"\n"
        ) + 1 + payload.endswith(b"\n\n")
        assert decoded.dead_letters["reason"].to_list() == ["not_json"] * 2


WHOLE = st.sampled_from([b"{}", b"{x}", b"{", b"}", b"{x", b"x}", b"}{", b"x", b"", b'"' * 300])
WIDE = st.sampled_from([b"{}", "{é}".encode(), b"{\xff}"])
PAYLOADS = st.lists(
    st.one_of(st.lists(WHOLE, max_size=6), st.lists(WIDE, max_size=6)).map(b"\n".join),
    min_size=1,
    max_size=5,
)


@example([b"x}", b"{}"])
@example([b"{x", b"{}"])
@example([b"{}", b"x}"])
@example([b"{}", b"{x"])
@given(PAYLOADS)
def test_blocks_are_cut_into_lines_at_newlines_and_between_blocks(payloads: list[bytes]) -> None:
    lines = Lines([block_of(Message("play", PUBLISHED, text), "m") for text in payloads])
    by_block = [text.removesuffix(b"\n").split(b"\n") for text in payloads]
    every = [line for block in by_block for line in block]
    assert len(lines) == len(every)
    assert [lines.line(row) for row in range(len(every))] == every
    assert bytes(lines.joined) == b"\n".join(every)
    assert lines.quotes().tolist() == [line.count(b'"') for line in every]
    assert lines.count_quotes() == sum(line.count(b'"') for line in every)
    numbers = [(n, row) for n, block in enumerate(by_block) for row in range(len(block))]
    assert [(lines.block[r], lines.number(r)) for r in range(len(every))] == numbers
    objects = all(line.startswith(b"{") and line.endswith(b"}") for line in every)
    assert lines.plain() == (objects and is_utf8(b"".join(every)))


@pytest.mark.parametrize("size", [10, 32_000, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("before", [0, 1, 100, 127, 128, 129, 70_000])
def test_lines_that_may_be_too_large_are_never_plain(size: int, before: int) -> None:
    payload = b"{}\n" * before + b"{" + b"x" * (size - 2) + b"}" + b"\n{}" * before
    lines = Lines([block_of(Message("play", PUBLISHED, payload), "m")] * 2)
    assert lines.plain() == (size <= 32_000)


def test_only_a_newline_ends_a_line() -> None:
    line = text_of("play").encode()
    for separator in (b"\r", b"\x0b", b"\x0c", b"\x1c", b"\x85", b"\xe2\x80\xa8", b"\0"):
        decoded = decode([block_of(Message("play", PUBLISHED, line + separator + line), "m")])
        assert decoded.plays.is_empty()
        assert decoded.dead_letters.height == 1
    decoded = decode([block_of(Message("play", PUBLISHED, line + b"\r\n" + line + b"\r\n"), "m")])
    assert decoded.plays.height == 2


def test_a_dead_letter_keeps_the_line_and_says_where_it_stood() -> None:
    bad = b'{"event_id": \xff}'
    payload = text_of("play").encode() + b"\n" + bad
    letters = rows_of(decode([block_of(Message("play", PUBLISHED, payload), "m7")]).dead_letters)
    assert [letter["id"] for letter in letters] == ["m7:1"]
    assert letters[0]["payload"] == bad
    assert letters[0]["source"] == "ingest"
    assert letters[0]["received_at"] == PUBLISHED
    assert letters[0]["detail"]


@pytest.mark.parametrize("fraction", range(0, 1000, 7))
def test_times_are_cut_to_milliseconds_not_rounded(fraction: int) -> None:
    texts = [
        f"2026-03-01T11:59:30.{fraction:03d}{tail}{offset}"
        for tail in ("", "0", "5", "9", "999", "9999", "9995", "999999", "9" * 20)
        for offset in ("Z", "+00:00", "-00:00")
    ]
    payload = "\n".join(text_of("play", played_at=text) for text in texts).encode()
    decoded = decode([block_of(Message("play", PUBLISHED, payload), "m")])
    played = decoded.plays["played_at"].to_physical().to_list()
    assert played == [PUBLISHED - 30_000 + fraction] * len(texts)


def test_a_line_of_a_file_that_says_when_it_was_published_is_taken_at_its_word() -> None:
    lines = [
        text_of("play", event_id="a", published_at="2026-03-01T12:00:00.5Z"),
        text_of("play", event_id="b"),
        text_of("play", event_id="c", published_at=None),
        text_of("play", event_id="d", published_at="2026-03-01T21:00:00.0019+09:00"),
        text_of("play", event_id="e", published_at="2014-01-01T00:00:00Z"),
        text_of("play", event_id="f", published_at="2026-04-30T00:00:00Z"),
        text_of("play", event_id="g", published_at="soon"),
        text_of("play", event_id="h", published_at=1),
        text_of("play", event_id="i", published_at="2026-02-30T00:00:00Z"),
    ]
    message = Message("play", 0, "\n".join(lines).encode(), own_times=True)
    decoded = decode([block_of(message, "file")])
    published = dict(
        zip(
            decoded.plays["event_id"].to_list(),
            decoded.plays["published_at"].to_physical().to_list(),
            strict=True,
        )
    )
    happened = PUBLISHED - 30_000
    assert published == {"a": PUBLISHED + 500, "b": happened, "c": happened, "d": PUBLISHED + 1}
    assert {row["id"]: row["reason"] for row in rows_of(decoded.dead_letters)} == {
        "file:4": "clock_skew",
        "file:5": "too_old",
        "file:6": "wrong_type",
        "file:7": "wrong_type",
        "file:8": "out_of_range",
    }
