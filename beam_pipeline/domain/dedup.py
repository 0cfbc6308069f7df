"""Deduplication: the first copy of an event that is processed is the event.

A copy is a duplicate when its published_at lies at most the dedup horizon from that of the copy
that was accepted. Beyond the horizon it is accepted again (the stores still hold one row).
"""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from beam_pipeline.domain.index import Column, Firsts, Index

DEDUP_HORIZON = timedelta(hours=6)
DEDUP_HORIZON_MS = DEDUP_HORIZON // timedelta(milliseconds=1)

_NEVER = np.iinfo(np.int64).min // 2


class Identities:
    """The identities that were accepted, each with the published_at of its accepted copy."""

    def __init__(self) -> None:
        self._index = Index(columns=2)
        self._published = Column(_NEVER)
        self._firsts = Firsts()

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
        leads = self._firsts.of(numbers, len(self._index))
        accepted = leads & (_distance(published_ms, reference[numbers]) > DEDUP_HORIZON_MS)
        reference[numbers[accepted]] = published_ms[accepted]
        again = ~leads & (_distance(published_ms, reference[numbers]) > DEDUP_HORIZON_MS)
        if again.any():
            self._accept_in_turn(
                numbers, published_ms, np.isin(numbers, numbers[again]) & ~leads, accepted
            )
        return accepted

    def _accept_in_turn(
        self,
        numbers: NDArray[np.int64],
        published_ms: NDArray[np.int64],
        rows: NDArray[np.bool_],
        accepted: NDArray[np.bool_],
    ) -> None:
        """Copies so far apart that one call accepts an identity twice: one after the other."""
        reference = self._published.values
        for row in np.flatnonzero(rows):
            number = numbers[row]
            if abs(int(published_ms[row]) - int(reference[number])) > DEDUP_HORIZON_MS:
                reference[number] = published_ms[row]
                accepted[row] = True


def _distance(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.abs(left - right)
