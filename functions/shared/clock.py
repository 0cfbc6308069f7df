"""What time it is for a door: its clock, or in simulated time what it is told."""

from __future__ import annotations

from collections.abc import Callable

from flask import Request

from beam_pipeline.domain.instants import Instant
from beam_pipeline.domain.reasons import InvalidEvent
from functions.shared.http import Refusal

NOW = "Encore-Now"
"""The header that says the time to a door that runs in simulated time."""


def told(request: Request, header: str) -> int | None:
    """The moment that a header names, in ms since the epoch; None where it is absent.

    Raises:
        Refusal: 400 when it is no RFC 3339 time.
    """
    text = request.headers.get(header, "")
    if not text:
        return None
    try:
        return Instant.parse(text).ms
    except InvalidEvent as why:
        code = "bad_" + header.removeprefix("Encore-").lower().replace("-", "_")
        raise Refusal(400, code, why.detail) from None


def now_ms(request: Request, simulated: bool, clock: Callable[[], float]) -> int:
    """This moment in ms since the epoch; Encore-Now counts in simulated time alone.

    Raises:
        Refusal: 400 when the header is no RFC 3339 time.
    """
    ms = told(request, NOW) if simulated else None
    return int(clock() * 1000) if ms is None else ms
