"""Log lines as Cloud Logging reads them: one JSON object a line, on standard output."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Literal

import msgspec

Severity = Literal["INFO", "WARNING", "ERROR", "CRITICAL"]


def log(severity: Severity, message: str, **fields: str | int | float | bool | None) -> None:
    """Write one line. The fields carry ids and counts: never a name, a phone or a secret."""
    line = msgspec.json.encode({"severity": severity, "message": message, **fields})
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()


class Tally:
    """Counts what may happen hundreds of times a second, in a line every few seconds at most.

    The first time is told at once; `count` in a line is how often since the last one.
    """

    def __init__(
        self,
        metric: str,
        message: str,
        every_s: float = 10.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metric = metric
        self._message = message
        self._every_s = every_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._count = 0
        self._next = float("-inf")

    def count(self) -> None:
        """It has happened once more."""
        with self._lock:
            self._count += 1
            now = self._monotonic()
            if now < self._next:
                return
            self._next = now + self._every_s
            counted, self._count = self._count, 0
        log("WARNING", self._message, metric=self._metric, count=counted)
