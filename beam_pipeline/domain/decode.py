"""Messages in, frames out: every line becomes a row or a dead letter, and is counted.

The rule for a line is `events.decode_line`. Here it is applied to thousands of lines at once:
msgspec decodes the joined payloads, times and zips are checked in columns, and only a line that
is not plainly good is looked at alone, by `decode_line` itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain import events, schemas
from beam_pipeline.domain.compiled import BYTES, TRUTH, compiled
from beam_pipeline.domain.events import Kind
from beam_pipeline.domain.health import rejected_health
from beam_pipeline.domain.lines import Block, Lines, is_utf8
from beam_pipeline.domain.outcomes import MessageOutcome, outcomes_frame, read_outcome
from beam_pipeline.domain.ratio import verdicts
from beam_pipeline.domain.reasons import InvalidEvent, Reason
from beam_pipeline.domain.refused import (
    RefusedLine,
    all_refused,
    already_refused,
    dead_letters,
    refuse,
)
from beam_pipeline.domain.times import parse_times

HEARTBEAT = "heartbeat"
"""A kind of message that carries nothing: it keeps a local runner's timers moving."""

_ZERO = np.uint8(ord("0"))
_OF_A_FIELD = 4
"""Quotation marks around a name and a string."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What a batch of blocks held; every line of it is in exactly one of the first four frames."""

    plays: pl.DataFrame
    """RAW_PLAYS."""
    ad_events: pl.DataFrame
    """RAW_AD_EVENTS."""
    messages: pl.DataFrame
    """MESSAGES: outcomes that sms has published; no events, so health does not count them."""
    dead_letters: pl.DataFrame
    """DEAD_LETTERS."""
    health: pl.DataFrame
    """HEALTH of the rejected events alone: what is accepted is counted when it is written."""
    verdicts: pl.DataFrame
    """VERDICTS of all lines that are to be events."""


def decode(blocks: Sequence[Block]) -> Decoded:
    """Decode blocks of any kinds. Order is kept; nothing is lost; nothing raises."""
    plays: list[pl.DataFrame] = []
    ad_events: list[pl.DataFrame] = []
    refused: list[RefusedLine] = []
    outcomes: list[tuple[MessageOutcome, int]] = []
    unread: list[RefusedLine] = []
    for (kind, schema, own), group in groupby(blocks, lambda b: (b.kind, b.schema, b.own_times)):
        if kind == HEARTBEAT:
            continue
        lines = Lines(list(group))
        if kind == "message":
            _read_outcomes(lines, schema, outcomes, unread)
            continue
        if kind == "rejected":
            refused += already_refused(lines)
            continue
        try:
            rules = events.kind_of(kind, schema)
        except InvalidEvent as unknown:
            refused += all_refused(lines, unknown)
            continue
        found, rows = _structs(rules, lines, own, refused)
        build = _play_frame if rules is events.PLAY else _ad_frame
        target = plays if rules is events.PLAY else ad_events
        target.append(build(rules, lines, found, rows, refused))
    good_plays = _concat(plays) if plays else _no_plays()
    good_ads = _concat(ad_events) if ad_events else _no_ad_events()
    return Decoded(
        plays=good_plays,
        ad_events=good_ads,
        messages=outcomes_frame(outcomes),
        dead_letters=dead_letters([*refused, *unread]),
        health=rejected_health([line.published_ms for line in refused]),
        verdicts=verdicts(
            [good_plays["published_at"], good_ads["published_at"]],
            [(line.published_ms, line.refusal.reason) for line in refused],
        ),
    )


def _concat(frames: list[pl.DataFrame]) -> pl.DataFrame:
    return frames[0] if len(frames) == 1 else pl.concat([f for f in frames if f.height] or frames)


@cache
def _no_plays() -> pl.DataFrame:
    return schemas.RAW_PLAYS.to_frame()


@cache
def _no_ad_events() -> pl.DataFrame:
    return schemas.RAW_AD_EVENTS.to_frame()


def _read_outcomes(
    lines: Lines, schema: str, outcomes: list[tuple[MessageOutcome, int]], unread: list[RefusedLine]
) -> None:
    for row in range(len(lines)):
        try:
            outcomes.append(read_outcome(lines.line(row), schema))
        except InvalidEvent as reason:
            unread.append(refuse(lines, row, reason))


def _structs(
    rules: Kind, lines: Lines, own_times: bool, refused: list[RefusedLine]
) -> tuple[list[Any], NDArray[np.int64]]:
    """Decode every line; give the structs and their row numbers, and refuse the others."""
    decoder = rules.file_decoder if own_times else rules.decoder
    rows = np.arange(len(lines))
    found: list[Any] | None = None
    if lines.plain():
        try:
            found = decoder.decode_lines(lines.joined)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            found = None
    suspects = np.zeros(len(lines), np.bool_)
    if found is None or len(found) != len(lines):
        found, suspects = _structs_one_by_one(decoder, lines)
    plain = rules.quotes + _stated(found) if own_times else np.full(len(lines), rules.quotes)
    if lines.count_quotes() != plain.sum():
        suspects |= lines.quotes() > plain
    if not suspects.any():
        return found, rows
    for row in np.flatnonzero(suspects).tolist():
        if found[row] is not None and events.is_plainly_unique(lines.line(row)):
            suspects[row] = False
            continue
        reason = _verdict(rules, lines, row, own_times)
        if reason is None:
            suspects[row] = False
        else:
            refused.append(refuse(lines, row, reason))
    rows = np.flatnonzero(~suspects)
    return [found[row] for row in rows], rows


def _stated(found: list[Any]) -> NDArray[np.int64]:
    """Quotation marks that a line of a file has more if it says when it was published."""
    return np.array(
        [0 if event is None or event.published_at is None else _OF_A_FIELD for event in found],
        np.int64,
    )


def _structs_one_by_one(
    decoder: msgspec.json.Decoder, lines: Lines
) -> tuple[list[Any], NDArray[np.bool_]]:
    found: list[Any] = []
    failed = np.zeros(len(lines), np.bool_)
    for row in range(len(lines)):
        line = lines.line(row)
        try:
            if len(line) > events.MAX_LINE_BYTES or not (line.isascii() or is_utf8(line)):
                raise InvalidEvent(Reason.TOO_LARGE, "or not UTF-8")
            found.append(decoder.decode(line))
        except (InvalidEvent, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            failed[row] = True
            found.append(None)
    return found, failed


def _verdict(rules: Kind, lines: Lines, row: int, own_times: bool) -> InvalidEvent | None:
    published_ms = None if own_times else lines.of_block(row).published_ms
    schema = lines.of_block(row).schema
    try:
        events.decode_line(rules.name, lines.line(row), published_ms, schema)
    except InvalidEvent as reason:
        return reason
    return None


def _play_frame(
    rules: Kind, lines: Lines, found: list[Any], rows: NDArray[np.int64], refused: list[RefusedLine]
) -> pl.DataFrame:
    zips = [event.zip for event in found]
    times = parse_times([event.played_at for event in found])
    published = _published_column(lines, found, rows, times.ms)
    good = times.valid & published.valid & _digits(zips) & _in_time(times.ms, published.ms)
    frame = _frame(
        schemas.RAW_PLAYS,
        [event.event_id for event in found],
        [event.customer_id for event in found],
        [event.track_id for event in found],
        times.ms,
        times.local_hour,
        [event.is_mobile for event in found],
        zips,
        published.ms,
        _publish_times(lines, rows),
    )
    return _keep(rules, lines, rows, frame, good, refused)


def _ad_frame(
    rules: Kind, lines: Lines, found: list[Any], rows: NDArray[np.int64], refused: list[RefusedLine]
) -> pl.DataFrame:
    times = parse_times([event.at for event in found])
    published = _published_column(lines, found, rows, times.ms)
    good = times.valid & published.valid & _in_time(times.ms, published.ms)
    frame = _frame(
        schemas.RAW_AD_EVENTS,
        [event.event_id for event in found],
        [event.customer_id for event in found],
        [event.ad for event in found],
        [event.action for event in found],
        [event.offer_id for event in found],
        times.ms,
        published.ms,
        published.ms - times.ms > events.LATE_AFTER_MS,
        _publish_times(lines, rows),
    )
    return _keep(rules, lines, rows, frame, good, refused)


def _frame(schema: pl.Schema, *columns: list[Any] | NDArray[Any]) -> pl.DataFrame:
    """Columns in the order of a schema; times are in ms since the epoch."""
    return pl.DataFrame(
        [
            pl.Series(name, column, pl.Int64).cast(dtype)
            if dtype == schemas.TIMESTAMP
            else pl.Series(name, column, dtype)
            for (name, dtype), column in zip(schema.items(), columns, strict=True)
        ]
    )


def _keep(
    rules: Kind,
    lines: Lines,
    rows: NDArray[np.int64],
    frame: pl.DataFrame,
    good: NDArray[np.bool_],
    refused: list[RefusedLine],
) -> pl.DataFrame:
    """The good rows; each of the others is refused with the verdict of `decode_line`."""
    if good.all():
        return frame
    for row in rows[~good]:
        reason = _verdict(rules, lines, int(row), lines.of_block(row).own_times)
        assert reason is not None, "columns and lines disagree about an event"
        refused.append(refuse(lines, int(row), reason))
    return frame.filter(pl.Series(good))


@dataclass(frozen=True, slots=True)
class _Published:
    ms: NDArray[np.int64]
    valid: NDArray[np.bool_]


def _published_column(
    lines: Lines, found: list[Any], rows: NDArray[np.int64], at_ms: NDArray[np.int64]
) -> _Published:
    if not lines.blocks[0].own_times:
        by_block = np.array([block.published_ms for block in lines.blocks], np.int64)
        return _Published(by_block[lines.block[rows]], np.ones(len(rows), np.bool_))
    own = [event.published_at for event in found]
    ms, valid = at_ms.copy(), np.ones(len(rows), np.bool_)
    stated = np.flatnonzero(np.fromiter((text is not None for text in own), np.bool_, len(own)))
    if len(stated):
        times = parse_times([own[row] for row in stated])
        ms[stated], valid[stated] = times.ms, times.valid
    return _Published(ms, valid)


def _publish_times(lines: Lines, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    by_block = np.array([block.publish_time_ms for block in lines.blocks], np.int64)
    return by_block[lines.block[rows]]


def _in_time(at_ms: NDArray[np.int64], published_ms: NDArray[np.int64]) -> NDArray[np.bool_]:
    age = published_ms - at_ms
    return (age <= events.MAX_AGE_MS) & (age >= -events.MAX_SKEW_MS)


def _digits(zips: list[str]) -> NDArray[np.bool_]:
    """Which of these strings are ASCII digits."""
    if _are_digits(np.frombuffer("".join(zips).encode(errors="replace"), np.uint8)):
        return np.ones(len(zips), np.bool_)
    return np.fromiter((z.isascii() and z.isdigit() for z in zips), np.bool_, len(zips))


@compiled(TRUTH, BYTES, allocates=False)
def _are_digits(text: NDArray[np.uint8]) -> bool:
    other = np.uint8(0)
    for byte in text:
        other = np.uint8(other | (byte - _ZERO > 9))
    return other == 0
