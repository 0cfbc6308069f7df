"""Redis for a door: short deadlines, and no waiting while it is known to be down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError
from redis.retry import Retry

from functions.shared.logs import log


class StoreDown(RuntimeError):
    """Redis did not answer in time, or not with what was asked for."""


class Store:
    """Runs Lua scripts on one Redis; after a failure it is left alone for `rest_s` seconds.

    A call takes at most about `timeout_s`, and none while Redis rests, so that an outage
    costs the callers one short wait and not one each.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = 0.1,
        rest_s: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = redis.Redis.from_url(
            url,
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            retry=Retry(NoBackoff(), 0),
            health_check_interval=0,
            protocol=2,
            driver_info=None,
        )
        self._rest_s = rest_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._rests_until = float("-inf")
        self._down = False

    def script(self, text: str) -> Callable[[Sequence[str], Sequence[str | float]], Any]:
        """A Lua script as a function of (keys, arguments), which raises StoreDown."""
        script = self._client.register_script(text)

        def run(keys: Sequence[str], args: Sequence[str | float]) -> Any:
            if self._monotonic() < self._rests_until:
                raise StoreDown("resting after a failure")
            try:
                result = script(keys=list(keys), args=list(args))
            except ResponseError as error:
                log("ERROR", "redis refuses", metric="redis_refused", why=str(error)[:200])
                raise StoreDown("refused") from error
            except RedisError as error:
                self._fail(error)
                raise StoreDown(type(error).__name__) from error
            self._recover()
            return result

        return run

    def _fail(self, error: RedisError) -> None:
        with self._lock:
            self._rests_until = self._monotonic() + self._rest_s
            first, self._down = not self._down, True
        if first:
            log("WARNING", "redis is not answering", metric="redis_down", why=type(error).__name__)

    def _recover(self) -> None:
        if not self._down:
            return
        with self._lock:
            again, self._down = self._down, False
        if again:
            log("INFO", "redis answers again", metric="redis_up")
