"""What the functions framework calls: `--source tests/functions/instant/main.py`."""

from __future__ import annotations

import os
from collections.abc import Sequence

from flask import Request, Response

from functions.ingest.door import Ingest
from functions.ingest.settings import Settings
from functions.shared.admission import Admission, Memory
from functions.shared.lazy import Lazy
from functions.shared.publish import Message
from functions.shared.store import Store


class Instant:
    """Takes every message and keeps none."""

    def publish(self, messages: Sequence[Message]) -> None:
        """Return at once."""


def _open() -> Ingest:
    settings = Settings.read(os.environ)
    store = Store(settings.redis_url) if settings.redis_url else None
    admission = Admission("ingest", store, settings.rate_events, settings.rate_burst, Memory(600))
    return Ingest(settings, admission, Instant())


_door = Lazy(_open)


def ingest(request: Request) -> Response:
    """Answer one request."""
    return _door(request)
