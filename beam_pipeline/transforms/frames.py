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

from beam_pipeline.domain.schemas import RAW_AD_EVENTS, RAW_PLAYS
from beam_pipeline.domain.times import epoch_ms
from beam_pipeline.transforms.narrow import narrow, widen

ONE_KEY = 0
_HEAD, _LENGTH = struct.Struct("<qq"), struct.Struct("<q")


class Events:
    """Decoded events, not yet deduplicated.

    Those that came over a wire stay as they came until they are looked at, and are read anew each
    time: a shuffle only moves them, and what waits for its turn is in memory once.
    """

    __slots__ = ("_frames", "_wire", "oldest_ms")

    def __init__(self, plays: pl.DataFrame, ad_events: pl.DataFrame) -> None:
        """Of RAW_PLAYS and RAW_AD_EVENTS, not both of them empty."""
        self._frames: tuple[pl.DataFrame, pl.DataFrame] | None = (plays, ad_events)
        self._wire = b""
        self.oldest_ms = min(
            int(epoch_ms(frame["published_at"]).min()) for frame in (plays, ad_events) if len(frame)
        )
        """The earliest published_at, in ms since the epoch."""

    @classmethod
    def unpack(cls, packed: bytes) -> Events:
        """What `pack` gave."""
        events = cls.__new__(cls)
        events._frames, events._wire = None, packed
        events.oldest_ms, _ = _HEAD.unpack_from(packed)
        return events

    def pack(self) -> bytes:
        """The events as bytes."""
        if self._frames is None:
            return self._wire
        plays, ad_events = (narrow(frame) for frame in self._frames)
        return _HEAD.pack(self.oldest_ms, len(plays)) + plays + ad_events

    def frames(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """RAW_PLAYS and RAW_AD_EVENTS."""
        if self._frames is not None:
            return self._frames
        _, size = _HEAD.unpack_from(self._wire)
        plays, ad_events = _HEAD.size, _HEAD.size + size
        return (
            widen(self._wire[plays:ad_events], RAW_PLAYS),
            widen(self._wire[ad_events:], RAW_AD_EVENTS),
        )

    def size(self) -> int:
        """Bytes that it takes, about."""
        if self._frames is None:
            return len(self._wire)
        return sum(int(frame.estimated_size()) for frame in self._frames)


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


def _encode(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer, compression="uncompressed")
    return buffer.getvalue()


def _decode(encoded: bytes) -> pl.DataFrame:
    return pl.read_ipc_stream(io.BytesIO(encoded))


class FrameCoder(coders.Coder):
    """A frame as an uncompressed Arrow IPC stream."""

    def encode(self, value: pl.DataFrame) -> bytes:
        """One frame, one byte string."""
        return _encode(value)

    def decode(self, encoded: bytes) -> pl.DataFrame:
        """The frame again, column for column."""
        return _decode(encoded)

    def estimate_size(self, value: pl.DataFrame) -> int:
        """About what it takes encoded; Beam asks often, and would encode it to find out."""
        return int(value.estimated_size())

    def is_deterministic(self) -> bool:
        """False: equal frames may be cut into different record batches."""
        return False

    def to_type_hint(self) -> type[pl.DataFrame]:
        """What it codes."""
        return pl.DataFrame


class EventsCoder(coders.Coder):
    """Carries Events."""

    def encode(self, value: Events) -> bytes:
        """One element, one byte string."""
        return value.pack()

    def decode(self, encoded: bytes) -> Events:
        """The element again; its frames are read when they are wanted."""
        return Events.unpack(encoded)

    def estimate_size(self, value: Events) -> int:
        """As for FrameCoder."""
        return value.size()

    def is_deterministic(self) -> bool:
        """False, as for FrameCoder."""
        return False

    def to_type_hint(self) -> type[Events]:
        """What it codes."""
        return Events


class ChangeCoder(coders.Coder):
    """Carries a Change."""

    def encode(self, value: Change) -> bytes:
        """One element, one byte string."""
        delta, health = (_encode(frame) for frame in value)
        return _LENGTH.pack(len(delta)) + delta + health

    def decode(self, encoded: bytes) -> Change:
        """The element again."""
        (size,) = _LENGTH.unpack_from(encoded)
        health = _LENGTH.size + size
        return Change(_decode(encoded[_LENGTH.size : health]), _decode(encoded[health:]))

    def estimate_size(self, value: Change) -> int:
        """As for FrameCoder."""
        return sum(int(frame.estimated_size()) for frame in value)

    def is_deterministic(self) -> bool:
        """False, as for FrameCoder."""
        return False

    def to_type_hint(self) -> type[Change]:
        """What it codes."""
        return Change


class RowsCoder(coders.Coder):
    """Carries Rows: the dataset's name, a zero byte, the frame."""

    def encode(self, value: Rows) -> bytes:
        """One element, one byte string."""
        return value.dataset.encode() + b"\0" + _encode(value.frame)

    def decode(self, encoded: bytes) -> Rows:
        """The element again."""
        name, _, frame = encoded.partition(b"\0")
        return Rows(name.decode(), _decode(frame))

    def estimate_size(self, value: Rows) -> int:
        """As for FrameCoder."""
        return int(value.frame.estimated_size())

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
