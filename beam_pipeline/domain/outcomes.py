"""What has become of messages to customers: lines of kind `message`, written by sms alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, get_args

import msgspec
import polars as pl
from msgspec import Meta, Struct

from beam_pipeline.domain.events import MAX_LINE_BYTES, Id
from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.reasons import InvalidEvent, Reason
from beam_pipeline.domain.schemas import MESSAGES, TIMESTAMP, no_rows

VERSION = "1"

Status = Literal["sent", "failed", "refused", "expired", "unknown", "aside"]
STATUSES: tuple[str, ...] = get_args(Status)
"""What may become of a message."""

_Text = Annotated[str, Meta(min_length=1, max_length=128)]


class MessageOutcome(Struct, frozen=True):
    """One message's state at a moment; a later one replaces it."""

    message_id: _Text
    customer_id: Id
    offer: _Text
    status: Status
    attempts: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    at: str
    reason: Annotated[str, Meta(max_length=1024)] | None = None


_DECODER = msgspec.json.Decoder(MessageOutcome)


def read_outcome(line: bytes, schema: str) -> tuple[MessageOutcome, int]:
    """Read one line: the outcome and its moment, ms since the epoch.

    Raises:
        InvalidEvent: TOO_LARGE, UNKNOWN_SCHEMA, NOT_UTF8, NOT_JSON, WRONG_TYPE, or OUT_OF_RANGE
            for the moment.
    """
    if len(line) > MAX_LINE_BYTES:
        raise InvalidEvent(Reason.TOO_LARGE, f"{len(line)} bytes in a line, at most 65536")
    if schema != VERSION:
        raise InvalidEvent(Reason.UNKNOWN_SCHEMA, f"no version {schema[:20]!r} of message is known")
    try:
        outcome = _DECODER.decode(line.decode())
    except UnicodeDecodeError as error:
        raise InvalidEvent(Reason.NOT_UTF8, f"byte {error.start} is not UTF-8") from None
    except msgspec.ValidationError as error:
        raise InvalidEvent(Reason.WRONG_TYPE, str(error)) from None
    except (msgspec.DecodeError, RecursionError):
        raise InvalidEvent(Reason.NOT_JSON, "not a JSON object on one line") from None
    return outcome, Instant.parse(outcome.at).ms


def outcomes_frame(found: Sequence[tuple[MessageOutcome, int]]) -> pl.DataFrame:
    """MESSAGES: one row an outcome, in the given order."""
    if not found:
        return no_rows("messages")
    rows = [
        (o.message_id, o.customer_id, o.offer, o.status, o.reason, o.attempts, at)
        for o, at in found
    ]
    physical = {**MESSAGES, "at": pl.Int64()}
    return pl.DataFrame(rows, schema=physical, orient="row").with_columns(
        pl.col("at").cast(TIMESTAMP)
    )
