"""Who is told of changed counts."""

from __future__ import annotations

from enum import IntFlag


class Reader(IntFlag):
    """Who takes changes: each is told of every change, at its own pace."""

    LIVE = 1
    """The stores that people watch."""
    LEDGER = 2
    """The store that keeps every version of a row."""
