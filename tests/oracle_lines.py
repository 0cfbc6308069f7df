"""What a line is, worked out in plain Python: DESIGN section 3 and nothing else.

The standard library's json, a regular expression for RFC 3339 and integers. A line is JSON in the
sense of I-JSON: no key twice, no half of a surrogate pair. Times are integer milliseconds since
the epoch (UTC).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

SECOND = 1000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

LINE_LIMIT = 64 * 1024
TOO_OLD = 30 * DAY
CLOCK_SKEW = 5 * MINUTE
TOO_LATE = 2 * HOUR

REQUIRED: dict[str, dict[str, type]] = {
    "play": {
        "event_id": str,
        "customer_id": int,
        "track_id": int,
        "played_at": str,
        "is_mobile": bool,
        "zip": str,
    },
    "ad": {"event_id": str, "customer_id": int, "ad": str, "action": str, "at": str},
}
"""The fields that a line of each kind must have, and the JSON type of each."""

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:([Zz])|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


class Refused(Exception):
    """A line that is no event, and why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Moment(NamedTuple):
    """A time as written: the instant in ms, cut, and the hour on the writer's own clock."""

    ms: int
    hour: int


def event_of(kind: str, line: bytes, published_ms: int | None) -> dict[str, Any]:
    """The event of this kind in a line of a known schema, or Refused with the first reason.

    Without `published_ms` the line comes from a file and says itself when it was published; one
    that does not was published when it happened.
    """
    if len(line) > LINE_LIMIT:
        raise Refused("too_large")
    given = json_object(line)
    time_field = "played_at" if kind == "play" else "at"
    times = [time_field]
    if published_ms is None and given.get("published_at") is not None:
        times.append("published_at")
    check_fields(kind, given, times)
    check_ranges(kind, given, times)
    moment = moment_of(given[time_field])
    if published_ms is None:
        published_ms = moment_of(given[times[-1]]).ms
    if published_ms - moment.ms > TOO_OLD:
        raise Refused("too_old")
    if moment.ms - published_ms > CLOCK_SKEW:
        raise Refused("clock_skew")
    event = {name: given[name] for name in REQUIRED[kind]}
    event[time_field] = moment.ms
    event["published_at"] = published_ms
    event["is_late"] = published_ms - moment.ms > TOO_LATE
    if kind == "play":
        event["local_hour"] = moment.hour
    else:
        event["offer_id"] = given.get("offer_id")
    return event


def json_object(line: bytes) -> dict[str, Any]:
    """The JSON object that a line is: UTF-8, I-JSON (no key twice, no half surrogates)."""
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("not_utf8") from None
    try:
        value = json.loads(
            text,
            object_pairs_hook=_distinct,
            parse_constant=_no_constant,
            parse_int=lambda digits: int(digits[:30]),
        )
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        raise Refused("not_json") from None
    if not isinstance(value, dict):
        raise Refused("not_object")
    return value


def _distinct(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def check_fields(kind: str, given: Mapping[str, Any], times: Sequence[str]) -> None:
    """Refuse a line that lacks a field, then one with a field of another type."""
    if any(name not in given for name in REQUIRED[kind]):
        raise Refused("missing_field")
    for name, wanted in REQUIRED[kind].items():
        if type(given[name]) is not wanted:
            raise Refused("wrong_type")
    if kind == "ad" and not isinstance(given.get("offer_id"), str | None):
        raise Refused("wrong_type")
    for name in times:
        if not isinstance(given[name], str) or _RFC3339.fullmatch(given[name]) is None:
            raise Refused("wrong_type")


def check_ranges(kind: str, given: Mapping[str, Any], times: Sequence[str]) -> None:
    """Refuse a line that has a value outside of its field's range."""
    fine = [1 <= len(given["event_id"]) <= 64, 0 <= given["customer_id"] < 2**63]
    if kind == "play":
        fine.append(0 <= given["track_id"] < 2**63)
        fine.append(re.fullmatch("[0-9]{5}", given["zip"]) is not None)
    else:
        fine.append(1 <= len(given["ad"]) <= 64)
        fine.append(given["action"] in ("shown", "clicked", "upgraded"))
        fine.append(given.get("offer_id") is None or 1 <= len(given["offer_id"]) <= 128)
    if not all(fine):
        raise Refused("out_of_range")
    for name in times:
        moment_of(given[name])


def moment_of(text: str) -> Moment:
    """The moment that an RFC 3339 text names; Refused as out_of_range where there is none."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise Refused("wrong_type")
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, _, sign, offset_hour, offset_minute = match.groups()[6:]
    offset = (int(offset_hour or 0) * HOUR + int(offset_minute or 0) * MINUTE) * (
        -1 if sign == "-" else 1
    )
    try:
        days = date(year, month, day).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        raise Refused("out_of_range") from None
    possible = hour < 24 and minute < 60 and second < 60
    if not possible or int(offset_hour or 0) > 23 or int(offset_minute or 0) > 59:
        raise Refused("out_of_range")
    of_day = hour * HOUR + minute * MINUTE + second * SECOND + int(((fraction or "") + "000")[:3])
    return Moment(days * DAY + of_day - offset, hour)
