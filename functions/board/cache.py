"""Answers that serve for a while: many viewers cost what one costs."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Content = TypeVar("Content")


class Cache(Generic[Content]):
    """The newest contents by key, each for its own time; the longest unused key goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._held: OrderedDict[Hashable, tuple[float, Content]] = OrderedDict()

    def get(self, key: Hashable, now: float) -> Content | None:
        """What is held for a key, unless its time is over."""
        with self._lock:
            until, content = self._held.get(key, (now, None))
            if key in self._held:
                self._held.move_to_end(key)
            return content if now < until else None

    def put(self, key: Hashable, content: Content, until: float) -> None:
        """Hold a content until a moment of the clock that `get` is given."""
        with self._lock:
            self._held[key] = (until, content)
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def __len__(self) -> int:
        return len(self._held)


class OneAtATime(Generic[Content]):
    """Makes each key's content once for all who ask while it is made and for `serves_s` after.

    An error serves as long as a content: an outage is not asked about by everybody at once.
    """

    def __init__(self, serves_s: float, most: int, monotonic: Callable[[], float]) -> None:
        self._serves_s = serves_s
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._made: Cache[Content | Exception] = Cache(most)
        self._making: dict[Hashable, threading.Lock] = {}

    def get(self, key: Hashable, make: Callable[[], Content], failures: type[Exception]) -> Content:
        """The content of a key, made now or a moment ago.

        Raises:
            failures: as `make` does; any other exception is not remembered.
        """
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        try:
            with making:
                made = self._made.get(key, self._monotonic())
                if made is None:
                    made = self._make(key, make, failures)
        finally:
            with self._lock:
                if not making.locked():
                    self._making.pop(key, None)
        if isinstance(made, Exception):
            raise made
        return made

    def _make(
        self, key: Hashable, make: Callable[[], Content], failures: type[Exception]
    ) -> Content | Exception:
        made: Content | Exception
        try:
            made = make()
        except failures as error:
            made = error
        self._made.put(key, made, self._monotonic() + self._serves_s)
        return made
