"""Lengths of time as the catalogue and the address bar write them."""

from __future__ import annotations

import re

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

_UNITS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
_LENGTH = re.compile(r"(\d{1,3})([smhd])", re.ASCII)


def milliseconds(length: str) -> int:
    """`30m` in milliseconds.

    Raises:
        ValueError: for anything but a number and one of s, m, h, d.
    """
    found = _LENGTH.fullmatch(length)
    if found is None:
        raise ValueError(f"{length!r} is no length of time; 30m is one")
    return int(found[1]) * _UNITS[found[2]]


def floor(at_ms: int, step_ms: int) -> int:
    """The latest multiple of `step_ms` that is not after `at_ms`."""
    return at_ms - at_ms % step_ms
