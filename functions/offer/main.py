"""The Cloud Function `offer`: what the functions framework calls.

    functions-framework --source functions/offer/main.py --target offer

The door is built at the first request, after the server has forked its workers.
"""

from __future__ import annotations

import os

from flask import Request, Response

from functions.offer.door import STORE_TIMEOUT_S, Offers
from functions.offer.settings import Settings
from functions.shared.lazy import Lazy
from functions.shared.store import Store


def _open() -> Offers:
    settings = Settings.read(os.environ)
    return Offers(settings, Store(settings.redis_url, timeout_s=STORE_TIMEOUT_S))


_door = Lazy(_open)


def offer(request: Request) -> Response:
    """Answer one request."""
    return _door(request)
