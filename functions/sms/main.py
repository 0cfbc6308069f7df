"""The Cloud Function `sms`: what the functions framework calls.

    functions-framework --source functions/sms/main.py --target sms

The door is built at the first request, after the server has forked its workers.
"""

from __future__ import annotations

import os

import redis
from flask import Request, Response
from redis.backoff import NoBackoff
from redis.retry import Retry

from functions.shared.lazy import Lazy
from functions.shared.publish import PubSub
from functions.sms.carrier import Twilio
from functions.sms.door import Sms
from functions.sms.settings import Settings

REDIS_TIMEOUT_S = 5.0
PUBLISH_DEADLINE_S = 5.0


def _open() -> Sms:
    settings = Settings.read(os.environ)
    client = redis.Redis.from_url(
        settings.redis_url,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=REDIS_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    publisher = PubSub(settings.project, settings.topic, settings.emulator, PUBLISH_DEADLINE_S)
    return Sms(settings, client, Twilio(settings.carrier), publisher)


_door = Lazy(_open)


def sms(request: Request) -> Response:
    """Answer one request."""
    return _door(request)
