"""What a worker opens once and keeps: clients, reference data, places.

The DirectRunner copies a DoFn for every bundle, so nothing that a DoFn opens in `setup` lives.
What is opened is therefore kept by process, one for each equal configuration.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable
from typing import Protocol, TypeVar

Opened = TypeVar("Opened", covariant=True)


class Opens(Hashable, Protocol[Opened]):
    """A small, frozen, picklable configuration of something that is opened on a worker."""

    def open(self) -> Opened:
        """Open it; called once in a process."""
        ...


_opened: dict[Hashable, object] = {}
_lock = threading.Lock()


def opened(config: Opens[Opened]) -> Opened:
    """What `config` opens, the same object for equal configurations in this process."""
    with _lock:
        if config not in _opened:
            _opened[config] = config.open()
        return _opened[config]  # type: ignore[return-value]
