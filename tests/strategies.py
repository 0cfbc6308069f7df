"""Hypothesis strategies: events, copies, disorder, batches and damaged lines.

Alphabets are small and stand on the boundaries of the rules (30 minutes, 2 hours, 5 minutes,
6 hours, each exactly and a millisecond off), so that collisions and exact hits are common.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import groupby, pairwise
from typing import Any

from hypothesis import strategies as st

from tests.oracle import Customer, Message, Place, Reference, Track
from tests.oracle_lines import CLOCK_SKEW, DAY, HOUR, MINUTE, SECOND, TOO_LATE

NOON = 1_772_366_400_000
"""2026-03-01T12:00:00Z in ms: the start of a window of every length."""

DISORDER = 30 * MINUTE
"""How far behind the newest event one may come, in published_at, however long the stream is:
what a history keeps beyond the dedup horizon."""

SPAN = 6 * HOUR
"""Events published within the dedup horizon of each other come in any order at all."""

REFERENCE = Reference(
    customers={
        1: Customer("male", 17, "free", "NONE"),
        2: Customer("female", 18, "silver", "SUPERBOWL"),
        3: Customer("female", 65, "gold", "WEBOFFER"),
        4: Customer(None, None, None, None),
        5: Customer("male", 0, "free", "30DAYFREE"),
    },
    tracks={
        10: Track("Blue Hour", "The Invented", 215),
        11: Track("Red Hour", "The Invented", 180),
        12: Track("Nameless", None, None),
        13: Track("\ub178\ub798", "\uac00\uc218", 1),
    },
    places={"10001": Place("NY", "40.75,-73.99"), "94103": Place("CA", "37.77,-122.41")},
)
CUSTOMERS = (*REFERENCE.customers, 0, 2**63 - 1)
TRACKS = (*REFERENCE.tracks, 0, 2**63 - 1)
ZIPS = ("10001", "94103", "00000", "99999")
OFFSETS = (0, -300, 540, 330, -1439, 1439)
"""Minutes east of UTC."""


@dataclass(frozen=True)
class Sent:
    """An event as a listener's device sends it, and when it was published."""

    kind: str
    event_id: str
    customer_id: int
    at: int
    published_ms: int
    track_id: int = 10
    is_mobile: bool = True
    zip: str = "10001"
    offset: int = 0
    action: str = "shown"
    offer_id: str | None = None

    @property
    def identity(self) -> tuple[str, int, str]:
        """What makes two of these copies of one event."""
        return self.kind, self.customer_id, self.event_id

    @property
    def is_late(self) -> bool:
        """Whether it is too late for windows and interests."""
        return self.published_ms - self.at > TOO_LATE

    def line(self) -> bytes:
        """The event on the wire."""
        event: dict[str, Any] = {"event_id": self.event_id, "customer_id": self.customer_id}
        if self.kind == "play":
            event |= {"track_id": self.track_id, "played_at": rfc3339(self.at, self.offset)}
            event |= {"is_mobile": self.is_mobile, "zip": self.zip}
        else:
            event |= {"ad": "ADV_REDUCED_1DAY", "action": self.action}
            event |= {"at": rfc3339(self.at, self.offset)}
            event |= {} if self.offer_id is None else {"offer_id": self.offer_id}
        return json.dumps(event).encode()


def rfc3339(ms: int, offset: int = 0) -> str:
    """A moment in ms as a clock `offset` minutes east of UTC writes it."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)
    local = moment.astimezone(timezone(timedelta(minutes=offset)))
    return local.isoformat(timespec="milliseconds")


def messages_of(events: Iterable[Sent]) -> list[Message]:
    """One message for each run of events of one kind that were published together."""
    return [
        Message(kind, published_ms, b"\n".join(event.line() for event in run))
        for (kind, published_ms), run in groupby(events, lambda e: (e.kind, e.published_ms))
    ]


MOMENTS = st.one_of(
    st.builds(
        lambda base, nudge: NOON + base + nudge,
        st.sampled_from([0, 5, 10, 15, 20, 29, 30, 31, 45, 60, 90, -5, -30]).map(
            lambda minutes: minutes * MINUTE
        ),
        st.sampled_from([0, 0, 0, -1, 1, 30 * SECOND]),
    ),
    st.integers(-12, 60).map(lambda buckets: NOON + buckets * 5 * MINUTE),
)
LAGS = st.sampled_from(
    [0, 0, SECOND, 61 * SECOND, -CLOCK_SKEW, TOO_LATE, TOO_LATE + 1, 3 * HOUR, HOUR]
)


@st.composite
def sent(
    draw: st.DrawFn,
    moments: st.SearchStrategy[int] = MOMENTS,
    customers: Sequence[int] = CUSTOMERS,
    tracks: Sequence[int] = TRACKS,
) -> Sent:
    """One valid event."""
    at = draw(moments)
    return Sent(
        kind=draw(st.sampled_from(["play"] * 7 + ["ad"])),
        event_id=draw(st.sampled_from([f"e{n}" for n in range(40)] + ["\u266b", "x" * 64])),
        customer_id=draw(st.sampled_from(customers)),
        at=at,
        published_ms=at + draw(LAGS),
        track_id=draw(st.sampled_from(tracks)),
        is_mobile=draw(st.booleans()),
        zip=draw(st.sampled_from(ZIPS)),
        offset=draw(st.sampled_from(OFFSETS)),
        action=draw(st.sampled_from(["shown", "clicked", "upgraded"])),
        offer_id=draw(st.sampled_from([None, "gold:1"])),
    )


@st.composite
def distinct_events(draw: st.DrawFn, moments: st.SearchStrategy[int], most: int) -> list[Sent]:
    """Events of different identities: of a crowd, or of a few who repeat themselves."""
    event = sent(
        moments,
        draw(st.sampled_from([CUSTOMERS[:1], CUSTOMERS[:2], CUSTOMERS])),
        draw(st.sampled_from([TRACKS[:1], TRACKS[:2], TRACKS])),
    )
    least = draw(st.sampled_from([0, 1, 5, most // 2]))
    return draw(
        st.lists(event, min_size=least, max_size=most, unique_by=lambda event: event.identity)
    )


@st.composite
def copies_of(draw: st.DrawFn, event: Sent, earliest: int, latest: int) -> Sent:
    """A copy, equal apart from published_at, on the same side of the lateness limit."""
    low, high = max(earliest, event.at - CLOCK_SKEW), latest
    if event.is_late:
        low = max(low, event.at + TOO_LATE + 1)
    else:
        high = min(high, event.at + TOO_LATE)
    chosen = draw(
        st.one_of(
            st.sampled_from([event.published_ms, low, high]),
            st.integers(low // SECOND, high // SECOND).map(lambda s: s * SECOND),
        )
    )
    return replace(event, published_ms=min(max(chosen, low), high))


@st.composite
def sets_of_events(draw: st.DrawFn, max_size: int = 30) -> list[Sent]:
    """Distinct events and copies of them, all published within the dedup horizon, in any order."""
    events = draw(distinct_events(MOMENTS, max_size))
    if not events:
        return []
    start = draw(st.sampled_from(events)).published_ms
    events = [event for event in events if start <= event.published_ms <= start + SPAN]
    again = draw(st.lists(st.sampled_from(events), max_size=max_size // 2))
    events += [draw(copies_of(event, start, start + SPAN)) for event in again]
    return draw(st.permutations(events))


@st.composite
def long_streams(draw: st.DrawFn, days: int = 3, max_size: int = 40) -> list[Sent]:
    """Events of several days with copies within the horizon, at most DISORDER out of order."""
    starts = st.builds(
        lambda burst, moment: moment + burst,
        st.sampled_from([n * DAY // 8 for n in range(8 * days)]),
        MOMENTS,
    )
    events = draw(distinct_events(starts, max_size))
    if not events:
        return []
    for event in draw(st.lists(st.sampled_from(events), max_size=max_size // 3)):
        first, last = event.published_ms - 3 * HOUR, event.published_ms + 3 * HOUR
        events.append(draw(copies_of(event, first, last)))
    delays = draw(
        st.lists(
            st.sampled_from([0, 0, SECOND, MINUTE, 10 * MINUTE, DISORDER]),
            min_size=len(events),
            max_size=len(events),
        )
    )
    arriving = sorted(
        zip(events, delays, strict=True), key=lambda pair: pair[0].published_ms + pair[1]
    )
    return [event for event, _ in arriving]


@st.composite
def batches_of(draw: st.DrawFn, messages: Sequence[Message]) -> list[list[Message]]:
    """Any split of messages into batches, some of them empty."""
    cuts = sorted(draw(st.lists(st.integers(0, len(messages)), max_size=6)))
    edges = [0, *cuts, len(messages)]
    return [list(messages[a:b]) for a, b in pairwise(edges)]


JSON_TEXTS = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_nan=True),
        st.text(max_size=8),
        st.sampled_from(["2026-03-01T11:00:00Z", "10001", "shown", "2026-13-01T11:00:00Z"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
).map(json.dumps)


@st.composite
def damaged(draw: st.DrawFn, line: bytes) -> bytes:
    """A line with a few bytes changed, left out, doubled or put in."""
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(line)))
        piece = draw(
            st.one_of(
                st.binary(max_size=3),
                st.sampled_from([b'"', b"{", b"}", b",", b":", b"\\", b"0", b"-", b"\n", b"\xff"]),
                st.sampled_from([b"\r", b" ", b"\0", b"\\u", b"\\ud800", b"e9", b'"zip":1,']),
            )
        )
        line = line[:at] + piece + line[at + draw(st.integers(0, 3)) :]
    return line


@st.composite
def field_soup(draw: st.DrawFn, line: bytes) -> bytes:
    """A valid line with some fields given other JSON values, left out, repeated or added."""
    fields = [(name, json.dumps(value)) for name, value in json.loads(line).items()]
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(fields) - 1)) if fields else 0
        change = draw(st.sampled_from(["value", "value", "value", "leave out", "repeat", "add"]))
        if change == "add" or not fields:
            fields.insert(at, (draw(st.text(max_size=4)), draw(JSON_TEXTS)))
        elif change == "value":
            fields[at] = (fields[at][0], draw(JSON_TEXTS))
        elif change == "leave out":
            del fields[at]
        else:
            fields.append(fields[at])
    return ("{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in fields) + "}").encode()


_VALID = sent().map(lambda event: (event.kind, event.line()))

WIRE_LINES = st.one_of(
    _VALID,
    _VALID.flatmap(lambda pair: st.tuples(st.just(pair[0]), damaged(pair[1]))),
    _VALID.flatmap(lambda pair: st.tuples(st.just(pair[0]), field_soup(pair[1]))),
    st.tuples(st.sampled_from(["play", "ad"]), st.binary(max_size=40)),
    st.tuples(st.sampled_from(["play", "ad"]), JSON_TEXTS.map(str.encode)),
)
"""(kind, bytes of a line): valid, damaged, of other types, or noise; may hold newlines."""

TIME_TEXTS = st.one_of(
    st.builds(
        "{:04d}-{:02d}-{:02d}{}{:02d}:{:02d}:{:02d}{}{}".format,
        st.one_of(
            st.sampled_from([0, 1, 1900, 1969, 1970, 2000, 2026, 9999]), st.integers(0, 9999)
        ),
        st.integers(0, 13),
        st.integers(0, 32),
        st.sampled_from(["T", "t", "T", " ", "_"]),
        st.integers(0, 25),
        st.integers(0, 60),
        st.integers(0, 61),
        st.one_of(st.just(""), st.from_regex(r"\A\.[0-9]{0,10}\Z"), st.just(".")),
        st.one_of(
            st.sampled_from(["Z", "z", "", "+00:00", "-00:00", "+24:00", "+0100", "+23:59"]),
            st.builds(
                "{}{:02d}:{:02d}".format,
                st.sampled_from("+-"),
                st.integers(0, 25),
                st.integers(0, 61),
            ),
        ),
    ),
    st.text(max_size=30),
    st.text("0123456789-:.TZ+", min_size=18, max_size=30),
)
"""Texts that are RFC 3339 times, or nearly."""
