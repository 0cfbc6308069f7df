"""Log lines as Cloud Logging reads them: one JSON object a line, on standard output."""

from __future__ import annotations

import sys
from typing import Literal

import msgspec

Severity = Literal["INFO", "WARNING", "ERROR", "CRITICAL"]


def log(severity: Severity, message: str, **fields: str | int | float | bool | None) -> None:
    """Write one line. The fields carry ids and counts: never a name, a phone or a secret."""
    line = msgspec.json.encode({"severity": severity, "message": message, **fields})
    sys.stdout.write(line.decode() + "\n")
    sys.stdout.flush()
