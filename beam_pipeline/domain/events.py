"""Events on the wire, version 1: what a valid line is, and why another one is not.

Only msgspec and the standard library: the ingest function imports this module and nothing
heavier. `decode_line` is the rule for one line; `decode.decode` applies the same rule to
whole messages in columns and comes back here for every line that is not plainly good.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.reasons import InvalidEvent, Reason

MAX_LINE_BYTES = 64 * 1024
MAX_AGE = timedelta(days=30)
MAX_SKEW = timedelta(minutes=5)
LATE_AFTER = timedelta(hours=2)
MAX_ID = 2**63 - 1

MAX_AGE_MS = MAX_AGE // timedelta(milliseconds=1)
MAX_SKEW_MS = MAX_SKEW // timedelta(milliseconds=1)
LATE_AFTER_MS = LATE_AFTER // timedelta(milliseconds=1)

ACTIONS = ("shown", "clicked", "upgraded")


Id = Annotated[int, Meta(ge=0, le=MAX_ID)]
EventId = Annotated[str, Meta(min_length=1, max_length=64)]


class Play(Struct, gc=False):
    """A play as sent. `played_at` is RFC 3339 text still; `Instant.parse` reads it."""

    event_id: EventId
    customer_id: Id
    track_id: Id
    played_at: str
    is_mobile: bool
    zip: Annotated[str, Meta(min_length=5, max_length=5)]


class FilePlay(Play, gc=False):
    """A play in a file, which says itself when it was published."""

    published_at: str | None = None


class AdEvent(Struct, gc=False):
    """An ad event as sent. `at` is RFC 3339 text still."""

    event_id: EventId
    customer_id: Id
    ad: Annotated[str, Meta(min_length=1, max_length=64)]
    action: Literal["shown", "clicked", "upgraded"]
    at: str
    offer_id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None


class FileAdEvent(AdEvent, gc=False):
    """An ad event in a file, which says itself when it was published."""

    published_at: str | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a kind of event looks like: decoders, rules by field, which field is its time."""

    name: str
    decoder: msgspec.json.Decoder
    """Of a line whose message says when it was published."""
    file_decoder: msgspec.json.Decoder
    """Of a line that says so itself."""
    fields: Mapping[str, Callable[[Any], None]]
    optional: frozenset[str]
    time_field: str
    quotes: int
    """Quotation marks in a line with every required field and nothing else."""


def _text(low: int, high: int) -> Callable[[Any], None]:
    def check(value: object) -> None:
        if not isinstance(value, str):
            raise InvalidEvent(Reason.WRONG_TYPE, f"expected a string, got {_type_name(value)}")
        if not low <= len(value) <= high:
            raise InvalidEvent(
                Reason.OUT_OF_RANGE, f"expected {low} to {high} characters, got {len(value)}"
            )

    return check


def _id(value: object) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidEvent(Reason.WRONG_TYPE, f"expected an integer, got {_type_name(value)}")
    if not 0 <= value <= MAX_ID:
        raise InvalidEvent(Reason.OUT_OF_RANGE, "expected an integer from 0 to 2^63-1")


def _flag(value: object) -> None:
    if not isinstance(value, bool):
        raise InvalidEvent(Reason.WRONG_TYPE, f"expected true or false, got {_type_name(value)}")


def _zip(value: object) -> None:
    _text(0, MAX_LINE_BYTES)(value)
    assert isinstance(value, str)
    if not (len(value) == 5 and value.isascii() and value.isdigit()):
        raise InvalidEvent(Reason.OUT_OF_RANGE, f"expected 5 digits, got {value[:20]!r}")


def _action(value: object) -> None:
    _text(0, MAX_LINE_BYTES)(value)
    if value not in ACTIONS:
        raise InvalidEvent(Reason.OUT_OF_RANGE, "expected shown, clicked or upgraded")


def _time(value: object) -> None:
    _text(0, MAX_LINE_BYTES)(value)
    assert isinstance(value, str)
    Instant.parse(value)


def _or_null(check: Callable[[Any], None]) -> Callable[[Any], None]:
    return lambda value: None if value is None else check(value)


def _type_name(value: object) -> str:
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")


PLAY = Kind(
    name="play",
    decoder=msgspec.json.Decoder(Play),
    file_decoder=msgspec.json.Decoder(FilePlay),
    fields={
        "event_id": _text(1, 64),
        "customer_id": _id,
        "track_id": _id,
        "played_at": _time,
        "is_mobile": _flag,
        "zip": _zip,
        "published_at": _or_null(_time),
    },
    optional=frozenset({"published_at"}),
    time_field="played_at",
    quotes=18,
)

AD = Kind(
    name="ad",
    decoder=msgspec.json.Decoder(AdEvent),
    file_decoder=msgspec.json.Decoder(FileAdEvent),
    fields={
        "event_id": _text(1, 64),
        "customer_id": _id,
        "ad": _text(1, 64),
        "action": _action,
        "at": _time,
        "offer_id": _or_null(_text(1, 128)),
        "published_at": _or_null(_time),
    },
    optional=frozenset({"offer_id", "published_at"}),
    time_field="at",
    quotes=18,
)

SCHEMAS: Mapping[tuple[str, str], Kind] = {("play", "1"): PLAY, ("ad", "1"): AD}
"""Every version of every kind that can be decoded, by (kind, schema)."""


def kind_of(kind: str, schema: str) -> Kind:
    """The rules for a message's attributes.

    Raises:
        InvalidEvent: UNKNOWN_KIND or UNKNOWN_SCHEMA.
    """
    found = SCHEMAS.get((kind, schema))
    if found is not None:
        return found
    if any(name == kind for name, _ in SCHEMAS):
        raise InvalidEvent(Reason.UNKNOWN_SCHEMA, f"no version {schema[:20]!r} of {kind} is known")
    raise InvalidEvent(Reason.UNKNOWN_KIND, f"no kind {kind[:20]!r} is known")


def decode_line(
    kind: str, line: bytes, published_ms: int | None, schema: str = "1"
) -> Play | AdEvent:
    """Decode one line and hold it against every rule.

    Args:
        kind: "play" or "ad", the message's attribute.
        line: what stands between two newlines.
        published_ms: when it was published, ms since the epoch; None in a file, where the
            line's own `published_at` counts and, where that is absent, its event time.
        schema: the version, the message's attribute.

    Raises:
        InvalidEvent: with the first reason that holds and what was wrong.
    """
    if len(line) > MAX_LINE_BYTES:
        raise InvalidEvent(Reason.TOO_LARGE, f"{len(line)} bytes in a line, at most 65536")
    rules = kind_of(kind, schema)
    if not line.isascii():
        _utf8(line)
    decoder = rules.file_decoder if published_ms is None else rules.decoder
    try:
        event: Play | AdEvent = decoder.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise explain(rules, line, own_time=published_ms is None) from None
    if line.count(b'"') > rules.quotes and not is_plainly_unique(line):
        _object(line)
    at = Instant.parse(getattr(event, rules.time_field)).ms
    if isinstance(event, Play):
        _zip(event.zip)
    if isinstance(event, FilePlay | FileAdEvent):
        published_ms = (
            Instant.parse(event.published_at).ms if event.published_at is not None else at
        )
    assert published_ms is not None
    check_time(at, published_ms)
    return event


def check_time(at_ms: int, published_ms: int) -> None:
    """Hold an event's time against its publication, both in ms since the epoch.

    Raises:
        InvalidEvent: TOO_OLD or CLOCK_SKEW.
    """
    if published_ms - at_ms > MAX_AGE_MS:
        raise InvalidEvent(Reason.TOO_OLD, "more than 30 days before it was published")
    if at_ms - published_ms > MAX_SKEW_MS:
        raise InvalidEvent(Reason.CLOCK_SKEW, "more than 5 minutes after it was published")


def explain(rules: Kind, line: bytes, *, own_time: bool) -> InvalidEvent:
    """Why `line` is no event of this kind: the first reason that holds, in `Reason`'s order."""
    try:
        _utf8(line)
        value = _object(line)
        names = [name for name in rules.fields if own_time or name != "published_at"]
        for name in names:
            if name not in value and name not in rules.optional:
                raise InvalidEvent(Reason.MISSING_FIELD, name)
        _check_fields(rules, {name: value[name] for name in names if name in value})
    except InvalidEvent as reason:
        return reason
    return InvalidEvent(Reason.WRONG_TYPE, "not an event of this kind")


def _check_fields(rules: Kind, value: Mapping[str, Any]) -> None:
    found: list[InvalidEvent] = []
    for name, part in value.items():
        try:
            rules.fields[name](part)
        except InvalidEvent as reason:
            found.append(InvalidEvent(reason.reason, f"{name}: {reason.detail}"))
    if found:
        order = list(Reason)
        raise min(found, key=lambda reason: order.index(reason.reason))


def _utf8(line: bytes) -> None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8") from None


def _object(line: bytes) -> dict[str, Any]:
    """The line as a JSON object (RFC 8259) whose names are unique (I-JSON, RFC 7493)."""
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
        value = json.loads(line, object_pairs_hook=_unique, parse_int=_integer)
    except RecursionError:
        raise InvalidEvent(Reason.NOT_JSON, "nested too deeply") from None
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidEvent(Reason.NOT_JSON, str(error)) from None
    if not isinstance(value, dict):
        raise InvalidEvent(Reason.NOT_OBJECT, f"expected an object, got {_type_name(value)}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:40]!r} stands twice in an object")
    return value


def _integer(digits: str) -> int:
    """An int64, or for a longer number one that is out of range in the same direction."""
    if len(digits) <= 20:
        return int(digits)
    return -1 if digits[0] == "-" else MAX_ID + 1


def is_plainly_unique(line: bytes) -> bool:
    """Whether a glance tells that no name stands twice in this JSON object.

    Its quotation marks are those of its names and strings, each counted once: a name that stands
    twice would leave two over. Nested values and escapes take more than a glance.
    """
    if b"\\" in line:
        return False
    try:
        values = msgspec.json.decode(line).values()
    except (msgspec.MsgspecError, RecursionError):
        return False
    marks = 0
    for value in values:
        if isinstance(value, dict | list):
            return False
        marks += 4 if isinstance(value, str) else 2
    return marks == line.count(b'"')


def stated_time(line: bytes) -> int | None:
    """When a line of a file says that it was published, in ms; None where that cannot be read."""
    try:
        value = _object(line)
        text = next(value[name] for name in ("published_at", "played_at", "at") if name in value)
        return Instant.parse(str(text)).ms
    except (InvalidEvent, StopIteration):
        return None
