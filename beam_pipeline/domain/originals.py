"""The original demo's CSV logs, line by line, as events of version 1.

Naive times are UTC and local_hour is their hour. A line that is not of the log's form stays as it
is, so that decoding rejects it with a reason and keeps it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable

import msgspec

_TIME = re.compile(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)", re.ASCII)
_INTEGER = re.compile(r"-?\d{1,30}", re.ASCII)


def play_line(line: bytes) -> bytes:
    """`event_id,customer_id,track_id,"YYYY-MM-DD HH:MM:SS",ismobile,"zip"` as a play."""
    cells = _cells(line, 6)
    if cells is None:
        return line
    event_id, customer_id, track_id, played_at, is_mobile, zip_code = cells
    return msgspec.json.encode(
        {
            "event_id": event_id,
            "customer_id": _number(customer_id),
            "track_id": _number(track_id),
            "played_at": _time(played_at),
            "is_mobile": {"0": False, "1": True}.get(is_mobile, is_mobile),
            "zip": zip_code,
        }
    )


def click_line(line: bytes) -> bytes:
    """`EventID,CustID,AdClicked,Localtime` as an ad event of action clicked, without an offer."""
    cells = _cells(line, 4)
    if cells is None:
        return line
    event_id, customer_id, ad, at = cells
    return msgspec.json.encode(
        {
            "event_id": event_id,
            "customer_id": _number(customer_id),
            "ad": ad,
            "action": "clicked",
            "at": _time(at),
        }
    )


ORIGINALS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "play_log": ("play", play_line),
    "click_log": ("ad", click_line),
}
"""The original formats: the kind of event that their lines become, and how."""


def _cells(line: bytes, count: int) -> list[str] | None:
    try:
        cells = next(csv.reader([line.decode()]), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    return cells if len(cells) == count else None


def _number(cell: str) -> int | str:
    if not _INTEGER.fullmatch(cell):
        return cell
    number = int(cell)
    return number if -(2**63) <= number < 2**64 else cell


def _time(cell: str) -> str:
    match = _TIME.fullmatch(cell)
    return f"{match[1]}T{match[2]}Z" if match else cell
