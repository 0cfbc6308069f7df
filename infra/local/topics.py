"""The topic, its one subscription and the heartbeat, over the emulator's REST interface."""

import http.client
import json
import threading
from contextlib import suppress
from types import TracebackType

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
    about = {
        "topic": path,
        "retainAckedMessages": True,
        "messageRetentionDuration": f"{RETENTION_S}s",
        "ackDeadlineSeconds": 60,
    }
    _put(port, f"projects/{PROJECT}/subscriptions/{subscription}", about)


class Heartbeat:
    """One `kind=heartbeat` message a second while the context is open.

    Nobody counts them: they keep the local runner's pulls and timers moving on an idle topic.
    """

    def __init__(self, port: int, topic: str = TOPIC) -> None:
        self._port = port
        self._path = f"projects/{PROJECT}/topics/{topic}:publish"
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        body: dict[str, object] = {"messages": [{"attributes": {"kind": "heartbeat"}}]}
        while not self._end.wait(1.0):
            with suppress(OSError, http.client.HTTPException):
                _ask(self._port, "POST", self._path, body)


def _put(port: int, path: str, body: dict[str, object]) -> None:
    status, answer = _ask(port, "PUT", path, body)
    if status not in (200, 409):
        raise ServiceFailed(f"The Pub/Sub emulator refused {path}: {answer.strip()[:200]}")


def _ask(port: int, method: str, path: str, body: dict[str, object]) -> tuple[int, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request(method, f"/v1/{path}", json.dumps(body), headers)
        response = connection.getresponse()
        return response.status, response.read().decode(errors="replace")
    finally:
        connection.close()
