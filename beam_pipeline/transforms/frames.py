"""The elements that flow between transforms, and the coder that carries frames."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl
from apache_beam import coders, typehints
from apache_beam.coders.typecoders import registry
from apache_beam.pvalue import PCollection

ONE_KEY = 0


class Events(NamedTuple):
    """Decoded events, not yet deduplicated."""

    plays: pl.DataFrame
    """RAW_PLAYS."""
    ad_events: pl.DataFrame
    """RAW_AD_EVENTS."""


class Change(NamedTuple):
    """What a batch adds to the counts; it travels under ONE_KEY, to one sum."""

    delta: pl.DataFrame
    """DELTA."""
    health: pl.DataFrame
    """HEALTH."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one dataset on their way to the stores."""

    dataset: str
    frame: pl.DataFrame


KEYED_CHANGE = typehints.Tuple[int, Change]


def typed(output: PCollection, kind: object) -> PCollection:
    """An output by its tag, with the type that it lost: without it frames would be pickled."""
    output.element_type = kind
    return output


class FrameCoder(coders.Coder):
    """A frame as an uncompressed Arrow IPC stream."""

    def encode(self, value: pl.DataFrame) -> bytes:
        """One frame, one byte string."""
        buffer = io.BytesIO()
        value.write_ipc_stream(buffer, compression="uncompressed")
        return buffer.getvalue()

    def decode(self, encoded: bytes) -> pl.DataFrame:
        """The frame again, column for column."""
        return pl.read_ipc_stream(io.BytesIO(encoded))

    def is_deterministic(self) -> bool:
        """False: equal frames may be cut into different record batches."""
        return False

    def to_type_hint(self) -> type[pl.DataFrame]:
        """What it codes."""
        return pl.DataFrame


class _PairCoder(coders.Coder):
    """Two frames, the first with its length in front."""

    def __init__(self, pair: type[Events] | type[Change]) -> None:
        self._pair = pair

    def encode(self, value: Events | Change) -> bytes:
        first, second = (FrameCoder().encode(frame) for frame in value)
        return struct.pack("<q", len(first)) + first + second

    def decode(self, encoded: bytes) -> Events | Change:
        (size,) = struct.unpack_from("<q", encoded)
        frames = encoded[8 : 8 + size], encoded[8 + size :]
        return self._pair(*(FrameCoder().decode(frame) for frame in frames))

    def is_deterministic(self) -> bool:
        return False

    def to_type_hint(self) -> type[Events] | type[Change]:
        return self._pair


class EventsCoder(_PairCoder):
    """Carries Events."""

    def __init__(self) -> None:
        super().__init__(Events)


class ChangeCoder(_PairCoder):
    """Carries a Change."""

    def __init__(self) -> None:
        super().__init__(Change)


class RowsCoder(coders.Coder):
    """Carries Rows: the dataset's name, a zero byte, the frame."""

    def encode(self, value: Rows) -> bytes:
        """One element, one byte string."""
        return value.dataset.encode() + b"\0" + FrameCoder().encode(value.frame)

    def decode(self, encoded: bytes) -> Rows:
        """The element again."""
        name, _, frame = encoded.partition(b"\0")
        return Rows(name.decode(), FrameCoder().decode(frame))

    def is_deterministic(self) -> bool:
        """False, as for FrameCoder."""
        return False

    def to_type_hint(self) -> type[Rows]:
        """What it codes."""
        return Rows


def register_coders() -> None:
    """Let Beam carry frames as Arrow; called once by whoever builds a pipeline."""
    registry.register_coder(pl.DataFrame, FrameCoder)
    registry.register_coder(Events, EventsCoder)
    registry.register_coder(Change, ChangeCoder)
    registry.register_coder(Rows, RowsCoder)
