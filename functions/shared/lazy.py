"""A door that is built at its first request, and stays shut when it cannot be."""

from __future__ import annotations

import threading
from collections.abc import Callable

from flask import Request, Response

from functions.shared.environment import SettingsError
from functions.shared.http import answer
from functions.shared.logs import log

Door = Callable[[Request], Response]


class Lazy:
    """Calls the door that `build` makes, once, in the process that serves.

    While the settings do not allow it to open, every path answers 503 `not_configured`,
    `/healthz` with it, so that a rollout stops there.
    """

    def __init__(self, build: Callable[[], Door]) -> None:
        self._build = build
        self._lock = threading.Lock()
        self._door: Door | None = None

    def __call__(self, request: Request) -> Response:
        """Answer a request."""
        try:
            door = self._door or self._open()
        except SettingsError as error:
            log("CRITICAL", "the door stays shut", metric="not_configured", why=str(error))
            return answer(503, {"error": "not_configured", "detail": "see the log"})
        return door(request)

    def _open(self) -> Door:
        with self._lock:
            if self._door is None:
                self._door = self._build()
            return self._door
