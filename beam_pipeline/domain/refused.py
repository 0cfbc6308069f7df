"""Lines that are no events: what is kept of each, and the dead letter that it becomes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import polars as pl
from msgspec import Struct

from beam_pipeline.domain import events, schemas
from beam_pipeline.domain.lines import Block, Lines
from beam_pipeline.domain.reasons import InvalidEvent, Reason

KEPT_BYTES = 4 * 1024
"""How much of a line that is too large a dead letter keeps."""

LOOK_BACK = 100
"""Lines before an unreadable one of a file that may tell when it was published."""


class Refusal(Struct, frozen=True):
    """Why a line is no event, and the line itself."""

    reason: str
    detail: str
    payload: bytes
    cut: bool = False
    """The payload is only the line's beginning: it cannot be replayed."""
    kind: str | None = None
    """What the line was meant to be, where that is not the message's kind."""


@dataclass(frozen=True, slots=True)
class RefusedLine:
    """One line that is no event."""

    id: str
    block: Block
    published_ms: int
    refusal: Refusal


class _Wire(Struct):
    """A line of a message of kind `rejected`, as ingest writes it."""

    reason: Reason
    detail: str
    payload_b64: str
    kind: str
    cut: bool = False


_DECODER = msgspec.json.Decoder(_Wire)


def refuse(lines: Lines, row: int, reason: InvalidEvent) -> RefusedLine:
    """A line for its own sake, kept whole unless it is too large."""
    line = lines.line(row)
    kept = line[:KEPT_BYTES] if reason.reason is Reason.TOO_LARGE else line
    return _refused(lines, row, Refusal(reason.reason, reason.detail, kept, len(kept) < len(line)))


def all_refused(lines: Lines, unknown: InvalidEvent) -> list[RefusedLine]:
    """Every line, for its message is of no known kind; one that is too large, for that."""
    refused = []
    for row in range(len(lines)):
        size = int(lines.ends[row] - lines.starts[row])
        reason = unknown if size <= events.MAX_LINE_BYTES else _too_large(size)
        refused.append(refuse(lines, row, reason))
    return refused


def already_refused(lines: Lines) -> list[RefusedLine]:
    """Every line as ingest has refused it."""
    return [_refused(lines, row, _read_refusal(lines.line(row))) for row in range(len(lines))]


def dead_letters(refused: Sequence[RefusedLine]) -> pl.DataFrame:
    """DEAD_LETTERS of these lines."""
    if not refused:
        return schemas.no_rows("dead_letters")
    return pl.DataFrame(
        {
            "id": [r.id for r in refused],
            "received_at": [r.published_ms for r in refused],
            "source": [r.block.source for r in refused],
            "reason": [r.refusal.reason for r in refused],
            "detail": [r.refusal.detail for r in refused],
            "payload": [r.refusal.payload for r in refused],
            "attributes": [_attributes(r) for r in refused],
        },
        schema=_physical(schemas.DEAD_LETTERS),
    ).cast(schemas.DEAD_LETTERS)


def _refused(lines: Lines, row: int, refusal: Refusal) -> RefusedLine:
    block = lines.of_block(row)
    published_ms = block.published_ms
    if block.own_times:
        published_ms = _stated_nearby(lines, row, block.published_ms)
    return RefusedLine(f"{block.id}:{lines.number(row)}", block, published_ms, refusal)


def _stated_nearby(lines: Lines, row: int, otherwise_ms: int) -> int:
    """When a line of a file was published, as it says itself, or else a line shortly before it."""
    for near in range(row, max(row - LOOK_BACK, -1), -1):
        stated = events.stated_time(lines.line(near))
        if stated is not None:
            return stated
    return otherwise_ms


def _too_large(size: int) -> InvalidEvent:
    return InvalidEvent(Reason.TOO_LARGE, f"{size} bytes in a line, at most 65536")


def _attributes(refused: RefusedLine) -> str:
    """What a replay needs beside the payload: the message's attributes, the kind of the line."""
    block, refusal = refused.block, refused.refusal
    attributes = {"kind": block.kind, "schema": block.schema, **block.attributes}
    if refusal.kind is not None:
        attributes["kind"] = refusal.kind
    if refusal.cut:
        attributes["cut"] = "true"
    return json.dumps(attributes, sort_keys=True)


def _physical(schema: pl.Schema) -> dict[str, pl.DataType]:
    return {
        name: pl.Int64() if dtype == schemas.TIMESTAMP else dtype for name, dtype in schema.items()
    }


def _read_refusal(line: bytes) -> Refusal:
    """Read one line of a `rejected` message; a line that is none becomes a refusal itself."""
    try:
        wire = _DECODER.decode(line)
        payload = base64.b64decode(wire.payload_b64, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError):
        return Refusal(
            Reason.NOT_JSON, "not a refusal as ingest writes it", line[: events.MAX_LINE_BYTES]
        )
    return Refusal(wire.reason, wire.detail, payload, wire.cut, wire.kind)
