"""Deduplication: the first copy of an event that is processed is the event.

A copy is a duplicate when its published_at lies at most the dedup horizon from that of the copy
that was accepted. Beyond the horizon it is accepted again (the stores still hold one row).
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.compiled import INTS, OUT_FLAGS, OUT_INTS, VOID, compiled
from beam_pipeline.domain.index import Column, Index

DEDUP_HORIZON = timedelta(hours=6)
DEDUP_HORIZON_MS = DEDUP_HORIZON // timedelta(milliseconds=1)

_NEVER = np.iinfo(np.int64).min // 2


class Identities:
    """The identities that were accepted, each with the published_at of its accepted copy."""

    def __init__(self) -> None:
        self._index = Index(columns=2)
        self._published = Column(_NEVER)

    def __len__(self) -> int:
        return len(self._index)

    def accept(
        self,
        customer_id: NDArray[np.int64],
        identity: NDArray[np.uint64],
        published_ms: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Take events in their order; say of each whether it is accepted (False: a duplicate).

        Args:
            customer_id: int64 [n].
            identity: uint64 [n], a hash of kind and event_id; only within one customer could two
                equal hashes of different events meet.
            published_ms: int64 [n], ms since the epoch.
        """
        numbers = self._index.add(customer_id, identity.view(np.int64))
        reference = self._published.reserve(len(self._index))
        accepted = np.empty(len(numbers), np.bool_)
        _accept(numbers, published_ms, reference, accepted)
        return accepted


@compiled(VOID, INTS, INTS, OUT_INTS, OUT_FLAGS)
def _accept(
    numbers: NDArray[np.int64],
    published_ms: NDArray[np.int64],
    reference: NDArray[np.int64],
    accepted: NDArray[np.bool_],
) -> None:
    """Whether each event is far enough from the copy that was accepted last: `reference`."""
    for row in range(len(numbers)):
        number = numbers[row]
        accepted[row] = abs(published_ms[row] - reference[number]) > DEDUP_HORIZON_MS
        if accepted[row]:
            reference[number] = published_ms[row]
