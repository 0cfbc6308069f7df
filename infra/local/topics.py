"""The topic and its one subscription, made over the emulator's REST interface."""

import http.client
import json

from infra.local.errors import ServiceFailed
from infra.local.services import HOST, PROJECT

TOPIC = "events"
SUBSCRIPTION = "events-pipeline"
RETENTION_S = 7 * 24 * 3600


def create(port: int, topic: str = TOPIC, subscription: str = SUBSCRIPTION) -> None:
    """Make topic and subscription where they are missing.

    Acknowledged messages are kept for 7 days, so that a restart can seek back to them. Raises
    ServiceFailed when the emulator refuses.
    """
    path = f"projects/{PROJECT}/topics/{topic}"
    _put(port, path, {})
    _put(
        port,
        f"projects/{PROJECT}/subscriptions/{subscription}",
        {
            "topic": path,
            "retainAckedMessages": True,
            "messageRetentionDuration": f"{RETENTION_S}s",
            "ackDeadlineSeconds": 60,
        },
    )


def _put(port: int, path: str, body: dict[str, object]) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        connection.request(
            "PUT", f"/v1/{path}", json.dumps(body), {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        answer = response.read().decode(errors="replace")
    finally:
        connection.close()
    if response.status not in (200, 409):
        raise ServiceFailed(f"The Pub/Sub emulator refused {path}: {answer.strip()[:200]}")
