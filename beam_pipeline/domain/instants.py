"""RFC 3339 times, one at a time. `times.parse_times` reads thousands by the same rule."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from beam_pipeline.domain.reasons import InvalidEvent, Reason

RFC3339 = re.compile(
    r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Instant(NamedTuple):
    """A moment with the wall clock that named it."""

    ms: int
    """Milliseconds since 1970-01-01T00:00:00Z, cut, not rounded."""
    local_hour: int
    """The hour 0..23 on the clock that the text was read from."""

    @classmethod
    def parse(cls, text: str) -> Instant:
        """Read an RFC 3339 date-time; fractions of any length are cut to milliseconds.

        Raises:
            InvalidEvent: WRONG_TYPE when the text has another form (RFC 3339, section 5.6),
                OUT_OF_RANGE when a part of it is impossible (month 13, second 60, year 0000).
        """
        match = RFC3339.fullmatch(text)
        if match is None:
            raise InvalidEvent(
                Reason.WRONG_TYPE, f"not an RFC 3339 time with offset: {text[:40]!r}"
            )
        minute, second, fraction, offset = match.groups()
        if second > "59" or minute[11:13] > "23":
            raise InvalidEvent(Reason.OUT_OF_RANGE, f"impossible time of day: {text[:40]!r}")
        ms = _minute_ms(minute) - _offset_ms(offset) + int(second) * 1000
        if fraction is not None:
            ms += int((fraction + "00")[:3])
        return cls(ms, int(minute[11:13]))


@lru_cache(maxsize=4096)
def _minute_ms(minute: str) -> int:
    try:
        return (datetime.fromisoformat(f"{minute}:00+00:00") - _EPOCH) // _MILLISECOND
    except ValueError as error:
        raise InvalidEvent(Reason.OUT_OF_RANGE, f"{error}: {minute}") from error


@lru_cache(maxsize=256)
def _offset_ms(offset: str) -> int:
    if offset in ("Z", "z"):
        return 0
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        raise InvalidEvent(Reason.OUT_OF_RANGE, f"impossible offset: {offset}")
    return (hours * 60 + minutes) * 60_000 * (-1 if offset[0] == "-" else 1)
