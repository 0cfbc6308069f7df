"""Lines that ingest has refused already: messages of kind `rejected`."""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from beam_pipeline.domain.events import MAX_LINE_BYTES
from beam_pipeline.domain.reasons import Reason


class Refusal(Struct, frozen=True):
    """Why a line is no event, and the line itself."""

    reason: str
    detail: str
    payload: bytes
    cut: bool = False
    """The payload is only the line's beginning: it cannot be replayed."""
    kind: str | None = None
    """What the line was meant to be, where that is not the message's kind."""


class _Wire(Struct):
    reason: Reason
    detail: str
    payload_b64: str
    kind: str
    cut: bool = False


_DECODER = msgspec.json.Decoder(_Wire)


def read_refusal(line: bytes) -> Refusal:
    """Read one line of a `rejected` message; a line that is none becomes a refusal itself."""
    try:
        wire = _DECODER.decode(line)
        payload = base64.b64decode(wire.payload_b64, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, binascii.Error, ValueError):
        return Refusal(Reason.NOT_JSON, "not a refusal as ingest writes it", line[:MAX_LINE_BYTES])
    return Refusal(wire.reason, wire.detail, payload, wire.cut, wire.kind)
