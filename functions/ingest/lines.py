"""From a body to lines, and from lines to what is good and what is not."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from beam_pipeline.domain.events import decode_line
from beam_pipeline.domain.reasons import InvalidEvent
from functions.ingest.plain import plainly_good
from functions.ingest.settings import MAX_EVENTS
from functions.shared.http import Refusal

SCHEMA = "1"
"""The version of the events that this door takes."""

MAX_PAYLOAD_BYTES = 4096
"""How much of a refused line is kept for whoever looks into it."""

JSON_TYPES = frozenset({"application/json"})
NDJSON_TYPES = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)


class _Named(msgspec.Struct):
    event_id: str | None = None


_NAMED = msgspec.json.Decoder(_Named)
_ELEMENTS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class Refused:
    """A line that is no event."""

    index: int
    """Where it stood in the request, from 0."""
    line: bytes
    why: InvalidEvent

    def for_caller(self) -> dict[str, Any]:
        """What the answer says about it."""
        return {
            "index": self.index,
            "event_id": _event_id(self.line),
            "reason": self.why.reason,
            "detail": self.why.detail,
        }

    def for_pipeline(self, kind: str) -> bytes:
        """What the message of kind=rejected says about it, one JSON object."""
        record: dict[str, Any] = {
            "reason": self.why.reason,
            "detail": self.why.detail,
            "payload_b64": base64.b64encode(self.line[:MAX_PAYLOAD_BYTES]).decode(),
            "kind": kind,
            "index": self.index,
        }
        if len(self.line) > MAX_PAYLOAD_BYTES:
            record["cut"] = True
        return msgspec.json.encode(record)


@dataclass(frozen=True, slots=True)
class Sorted:
    """A request's lines, told apart."""

    good: Sequence[bytes]
    refused: Sequence[Refused]


def split(content_type: str, charset: str, body: bytes) -> list[bytes]:
    """The body's events as one line each, no more than MAX_EVENTS, unjudged.

    NDJSON lines stay exactly as they were sent; so does a single object or an element of an
    array, except that line breaks between its tokens become spaces.

    Raises:
        Refusal: 415 for another media type, 413 for too many events.
    """
    if charset.lower() not in ("", "utf-8", "utf8"):
        raise Refusal(415, "unsupported_charset", "JSON is UTF-8")
    if content_type in NDJSON_TYPES:
        lines = body.split(b"\n")
        if not lines[-1]:
            lines.pop()
    elif content_type in JSON_TYPES:
        lines = _elements(body)
    else:
        raise Refusal(
            415, "unsupported_type", "Content-Type is application/json or application/x-ndjson"
        )
    if len(lines) > MAX_EVENTS:
        raise Refusal(413, "too_many_events", f"a request holds at most {MAX_EVENTS} events")
    return lines


def judge(kind: str, lines: Sequence[bytes], published_ms: int) -> Sorted:
    """Hold every line against the pipeline's own rules."""
    refused: list[Refused] = []
    plain = plainly_good(kind, SCHEMA, published_ms)
    for index, line in enumerate(lines):
        if plain(line):
            continue
        try:
            decode_line(kind, line, published_ms, SCHEMA)
        except InvalidEvent as why:
            refused.append(Refused(index, line, why))
    bad = {line.index for line in refused}
    good = [one_line(line) for index, line in enumerate(lines) if index not in bad]
    return Sorted(good, refused)


def one_line(line: bytes) -> bytes:
    """Valid JSON without a line break: where one stands in it, it stands between tokens."""
    return line.replace(b"\n", b" ") if b"\n" in line else line


def _elements(body: bytes) -> list[bytes]:
    """The elements of a JSON array, or the whole body when it is something else."""
    text = body.strip(b" \t\r\n")
    if not text.startswith(b"["):
        return [text] if text else []
    try:
        return [bytes(element) for element in _ELEMENTS.decode(body)]
    except (msgspec.MsgspecError, RecursionError):
        return [body]


def _event_id(line: bytes) -> str | None:
    try:
        name = _NAMED.decode(line).event_id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return None if name is None else name[:64]
