"""Events of invented listeners, as their app servers would send them."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from typing import Any

_numbers = itertools.count(1)


def play(**changes: Any) -> dict[str, Any]:
    """A good play of this moment."""
    return {
        "event_id": f"play-{next(_numbers)}",
        "customer_id": 1001,
        "track_id": 7,
        "played_at": now(),
        "is_mobile": True,
        "zip": "94107",
    } | changes


def ad_event(**changes: Any) -> dict[str, Any]:
    """A good ad event of this moment."""
    return {
        "event_id": f"ad-{next(_numbers)}",
        "customer_id": 1001,
        "ad": "ADV_REDUCED_1DAY",
        "action": "shown",
        "at": now(),
    } | changes


def now() -> str:
    """This moment, RFC 3339, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def ndjson(*events: Any) -> bytes:
    """One JSON object a line."""
    return b"\n".join(json.dumps(event).encode() for event in events)
