"""Telling at a glance that a line is good, in a third of the time that the whole rule takes.

Nothing is decided here that `decode_line` would decide otherwise: a line that is not plainly
good is left to it. Tests hold the two against each other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from beam_pipeline.domain.events import (
    MAX_AGE,
    MAX_LINE_BYTES,
    MAX_SKEW,
    SCHEMAS,
    AdEvent,
    Play,
)

_TIME = re.compile(
    r"\d{4}-\d\d-\d\dT[0-2]\d:[0-5]\d:[0-5]\d(?:\.\d{1,6})?(?:Z|[+-][01]\d:[0-5]\d)", re.ASCII
)
"""The usual forms of an RFC 3339 time; `datetime` reads more than those, the rule a few more."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MARGIN = timedelta(seconds=1)
"""Times this near to a limit are left to the exact rule, which counts in milliseconds."""
_OLDEST = MAX_AGE - _MARGIN
_NEWEST = _MARGIN - MAX_SKEW


def plainly_good(kind: str, schema: str, published_ms: int) -> Callable[[bytes], bool]:
    """A check of lines published at one moment: True is a promise, False says nothing."""
    rules = SCHEMAS[kind, schema]
    decode = rules.decoder.decode
    quotes = rules.quotes
    form = _TIME.fullmatch
    moment = datetime.fromisoformat
    try:
        published = _EPOCH + timedelta(milliseconds=published_ms)
    except OverflowError:
        return lambda line: False

    def check(line: bytes) -> bool:
        if len(line) > MAX_LINE_BYTES or not line.isascii():
            return False
        extra = line.count(b'"') - quotes
        if extra and extra != 4:
            return False
        try:
            event: Play | AdEvent = decode(line)
            if isinstance(event, Play):
                at, zip_code = event.played_at, event.zip
                if extra or not (zip_code.isascii() and zip_code.isdigit()):
                    return False
            else:
                at = event.at
                if (extra == 4) is (event.offer_id is None):
                    return False
            return form(at) is not None and _NEWEST < published - moment(at) < _OLDEST
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
            return False

    return check
