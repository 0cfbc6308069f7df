"""Any bytes at all: nothing raises, nothing is lost, and a block is its lines one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import given
from hypothesis import strategies as st

from beam_pipeline.domain.decode import decode
from beam_pipeline.domain.events import decode_line
from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.reasons import InvalidEvent
from beam_pipeline.domain.times import parse_times
from tests.domain.harness import block_of, rows_of
from tests.oracle import Message, lines_of
from tests.oracle_lines import Refused, event_of, moment_of
from tests.strategies import JSON_TEXTS, NOON, TIME_TEXTS, WIRE_LINES

KINDS = st.sampled_from(["play", "ad", "rejected", "message", "heartbeat", "", "pl\u00e4y"])
PAYLOADS = st.lists(WIRE_LINES.map(lambda pair: pair[1]), max_size=8).map(b"\n".join)
MESSAGES = st.builds(
    Message,
    kind=KINDS,
    published_ms=st.sampled_from([NOON, NOON + 1, NOON + 3_600_000, 0, -1, 253_402_300_799_999]),
    payload=st.one_of(PAYLOADS, PAYLOADS, st.binary(max_size=60)),
    schema=st.sampled_from(["1", "1", "1", "2", ""]),
    own_times=st.booleans(),
)


def count_lines(messages: list[Message]) -> int:
    return sum(len(lines_of(message.payload)) for message in messages)


@given(st.lists(MESSAGES, max_size=4))
def test_every_line_is_accepted_or_rejected_whatever_the_bytes(messages: list[Message]) -> None:
    decoded = decode([block_of(message, str(n)) for n, message in enumerate(messages)])
    outcomes = [m for m in messages if m.kind == "message"]
    events = [m for m in messages if m.kind not in ("message", "heartbeat")]
    letters = decoded.dead_letters.height
    rejected = decoded.health["rejected"].sum()
    assert decoded.plays.height + decoded.ad_events.height + rejected == count_lines(events)
    assert decoded.messages.height + letters - rejected == count_lines(outcomes)
    assert decoded.dead_letters["id"].n_unique() == letters
    assert decoded.health["received"].sum() == rejected
    assert (decoded.health["minute"].to_physical() % 60_000 == 0).all()


def verdict(kind: str, line: bytes, published_ms: int | None) -> str | None:
    try:
        decode_line(kind, line, published_ms)
    except InvalidEvent as refused:
        return str(refused.reason)
    return None


def expected(kind: str, line: bytes, published_ms: int | None) -> str | None:
    try:
        event_of(kind, line, published_ms)
    except Refused as refused:
        return refused.reason
    return None


@given(WIRE_LINES, st.sampled_from([NOON, NOON, None]))
def test_a_line_gets_the_verdict_of_the_oracle(
    wire: tuple[str, bytes], published_ms: int | None
) -> None:
    kind, payload = wire
    for line in lines_of(payload):
        assert verdict(kind, line, published_ms) == expected(kind, line, published_ms)


def rows_expected(message: Message) -> tuple[list[dict[str, object]], list[str]]:
    """The accepted events and the refused lines' reasons, a line at a time."""
    accepted, reasons = [], []
    published_ms = None if message.own_times else message.published_ms
    for line in lines_of(message.payload):
        reason = verdict(message.kind, line, published_ms)
        if reason is None:
            event = event_of(message.kind, line, published_ms)
            if message.kind == "play":
                event.pop("is_late")
            accepted.append(event)
        else:
            reasons.append(reason)
    return accepted, reasons


@given(
    st.sampled_from(["play", "ad"]),
    st.lists(st.lists(WIRE_LINES, min_size=1, max_size=6), min_size=1, max_size=3),
    st.booleans(),
)
def test_a_batch_of_blocks_is_its_lines_decoded_one_by_one(
    kind: str, blocks: Sequence[Sequence[tuple[str, bytes]]], own_times: bool
) -> None:
    messages = [
        Message(kind, NOON + n, b"\n".join(line for _, line in block), own_times=own_times)
        for n, block in enumerate(blocks)
    ]
    decoded = decode([block_of(message, str(n)) for n, message in enumerate(messages)])
    parts = [rows_expected(message) for message in messages]
    accepted = rows_of(decoded.plays if kind == "play" else decoded.ad_events)
    assert accepted == [event for events, _ in parts for event in events]
    letters = {row["id"]: row["reason"] for row in rows_of(decoded.dead_letters)}
    by_place = sorted(letters, key=lambda name: tuple(map(int, name.split(":"))))
    assert [letters[name] for name in by_place] == [r for _, reasons in parts for r in reasons]


@given(st.lists(TIME_TEXTS, min_size=1, max_size=6))
def test_a_column_of_times_is_read_as_each_text_alone(texts: list[str]) -> None:
    column = parse_times(texts)
    for row, text in enumerate(texts):
        wanted = read_time(text, moment_of)
        assert read_time(text, Instant.parse) == wanted
        assert column.valid[row] == (not isinstance(wanted, str))
        if column.valid[row]:
            assert (column.ms[row], column.local_hour[row]) == wanted


def read_time(text: str, parse: Callable[[str], tuple[int, int]]) -> tuple[int, int] | str:
    """The moment and its hour, or why there is none."""
    try:
        return parse(text)
    except (Refused, InvalidEvent) as refused:
        return str(refused.reason)


@given(st.lists(st.one_of(JSON_TEXTS, st.text(max_size=20)), min_size=1, max_size=5))
def test_a_line_of_refusals_that_is_none_is_a_dead_letter_all_the_same(lines: list[str]) -> None:
    payload = "\n".join(lines).encode(errors="replace")
    decoded = decode([block_of(Message("rejected", NOON, payload), "m")])
    assert decoded.dead_letters.height == len(lines_of(payload))
    assert decoded.health["rejected"].sum() == decoded.dead_letters.height
