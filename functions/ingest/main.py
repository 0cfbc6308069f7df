"""The Cloud Function `ingest`: what the functions framework calls.

    functions-framework --source functions/ingest/main.py --target ingest

The door is built at the first request, after the server has forked its workers.
"""

from __future__ import annotations

import os

from flask import Request, Response

from functions.ingest.door import Ingest
from functions.ingest.settings import Settings
from functions.shared.admission import Admission, Memory
from functions.shared.lazy import Lazy
from functions.shared.publish import PubSub
from functions.shared.signing import WINDOW_S
from functions.shared.store import Store


def _open() -> Ingest:
    settings = Settings.read(os.environ)
    store = Store(settings.redis_url) if settings.redis_url else None
    admission = Admission(
        "ingest", store, settings.rate_events, settings.rate_burst, Memory(lifetime_s=2 * WINDOW_S)
    )
    publisher = PubSub(
        settings.project, settings.topic, settings.emulator, settings.publish_deadline_s
    )
    return Ingest(settings, admission, publisher)


_door = Lazy(_open)


def ingest(request: Request) -> Response:
    """Answer one request."""
    return _door(request)
