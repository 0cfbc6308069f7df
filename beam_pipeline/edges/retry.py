"""Outages are waited out: an unreachable store is backpressure, not an error."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

SHORTEST_WAIT = 0.1
LONGEST_WAIT = 5.0
"""Seconds between two tries, at first and at most."""

log = logging.getLogger(__name__)


class Outage:
    """One store's bad times: waits that grow from 0.1 s to 5 s, for as long as it takes.

    Says so in the log once when trouble begins and once when it is over, however long it lasts.
    `sleep` takes seconds, `jitter` returns a number in [0, 1), `now` a time in seconds.
    """

    def __init__(
        self,
        store: str,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._sleep = sleep
        self._jitter = jitter
        self._now = now
        self._tries = 0
        self._began = 0.0

    def wait(self, cause: str) -> None:
        """Sleep before the next try: half to all of min(5 s, 0.1 s doubled by each try)."""
        if not self._tries:
            self._began = self._now()
            log.warning("%s does not take our requests, waiting: %s", self._store, cause)
        longest = min(LONGEST_WAIT, SHORTEST_WAIT * 2 ** min(self._tries, 16))
        self._tries += 1
        self._sleep(longest * (0.5 + self._jitter() / 2))

    def over(self) -> None:
        """A request went through: the next trouble is a new outage."""
        if self._tries:
            lasted = self._now() - self._began
            log.warning("%s is back after %.1f s, %d tries", self._store, lasted, self._tries)
            self._tries = 0

    def call(
        self, action: Callable[[], Result], transient: tuple[type[BaseException], ...]
    ) -> Result:
        """The result of `action`, tried until it raises none of `transient`.

        Whatever else it raises is raised.
        """
        while True:
            try:
                result = action()
            except transient as error:
                self.wait(f"{type(error).__name__}: {error}")
            else:
                self.over()
                return result
