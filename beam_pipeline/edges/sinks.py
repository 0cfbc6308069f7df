"""What every store looks like to the pipeline: frames in, refused rows out.

Configs are small, frozen and picklable; they travel to the workers, where `open()` makes the
client. Three rules hold for each sink: writing again changes nothing, an outage is waited out,
and only the store's verdict on a row itself makes that row a dead letter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, runtime_checkable

import polars as pl

from beam_pipeline.domain.schemas import DEAD_LETTERS, no_rows

Clock = Callable[[], datetime]
"""Where `received_at` of a refused row comes from; aware, UTC."""

PAYLOAD_LIMIT = 4096
"""A dead letter keeps at most this many bytes of what was refused."""


@runtime_checkable
class Sink(Protocol):
    """One store. Writing is repeatable; an outage is waited out; a refused row comes back."""

    name: str
    datasets: frozenset[str]
    patience_s: float
    """How long few rows may wait for others, in seconds, where that saves the store work."""

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Store every row of `frame` and return the refused ones as a DEAD_LETTERS frame.

        Raises `ValueError` for a dataset that is not among `datasets`.
        """
        ...

    def close(self) -> None:
        """Give back what `open()` took; nothing is buffered here."""
        ...


class SinkConfig(Protocol):
    """How to reach one store: frozen and picklable, so that it can travel to a worker."""

    def open(self) -> Sink:
        """Make the client; connects lazily, so that a store that is down only delays writing."""
        ...


@dataclass(frozen=True, slots=True)
class Refused:
    """A store's verdict on one row: its identity there, why, and what was refused."""

    identity: str
    detail: str
    payload: bytes


def utc_now() -> datetime:
    """The wall clock, UTC."""
    return datetime.now(UTC)


def no_dead_letters() -> pl.DataFrame:
    """An empty DEAD_LETTERS frame."""
    return no_rows("dead_letters")


def dead_letters(
    store: str, dataset: str, refused: Sequence[Refused], received_at: datetime
) -> pl.DataFrame:
    """A DEAD_LETTERS frame of refused rows; the id is the same however often a row is refused."""
    attributes: Mapping[str, str] = {"dataset": dataset, "store": store}
    return pl.DataFrame(
        {
            "id": [f"{store}/{dataset}/{row.identity}" for row in refused],
            "received_at": [received_at] * len(refused),
            "source": [store] * len(refused),
            "reason": ["refused"] * len(refused),
            "detail": [row.detail for row in refused],
            "payload": [row.payload[:PAYLOAD_LIMIT] for row in refused],
            "attributes": [json.dumps(attributes)] * len(refused),
        },
        schema=DEAD_LETTERS,
    )
