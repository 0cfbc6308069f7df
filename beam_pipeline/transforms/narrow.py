"""Frames in as few bytes as they need without compressing them, for the way through a shuffle.

Times and ids of a batch lie close together, so most of an int64 says the same in every row: a
column is sent as its lowest value and the distances from it. Strings go without their views.
"""

from __future__ import annotations

import io
import struct

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.schemas import TIMESTAMP

_WIDE = (pl.Int64(), TIMESTAMP)
_NARROW = (np.uint8, np.uint16, np.uint32)


def narrow(frame: pl.DataFrame) -> bytes:
    """A frame as bytes, about three fifths of what Arrow alone takes for a decoded play."""
    columns, bases = [], []
    for column in frame:
        if column.dtype in _WIDE and not column.null_count():
            column, base = _distances(column)
            bases.append(base)
        columns.append(column)
    buffer = io.BytesIO()
    buffer.write(struct.pack(f"<B{len(bases)}q", len(bases), *bases))
    pl.DataFrame(columns).write_ipc_stream(
        buffer, compression="uncompressed", compat_level=pl.CompatLevel.oldest()
    )
    return buffer.getvalue()


def widen(narrowed: bytes, schema: pl.Schema) -> pl.DataFrame:
    """The frame that `narrow` was given, which was of this schema."""
    bases = struct.unpack_from(f"<{narrowed[0]}q", narrowed, 1)
    buffer = io.BytesIO(narrowed)
    buffer.seek(1 + 8 * len(bases))
    frame, base = pl.read_ipc_stream(buffer), iter(bases)
    return pl.DataFrame(
        [
            _widened(column, next(base)).cast(dtype)
            if dtype in _WIDE and not column.null_count()
            else column
            for column, dtype in zip(frame, schema.values(), strict=True)
        ]
    )


def _distances(column: pl.Series) -> tuple[pl.Series, int]:
    """A column of int64 or times as what it is above its lowest value, and that."""
    values: NDArray[np.int64] = column.to_numpy().view(np.int64)
    if not len(values):
        return pl.Series(column.name, values), 0
    base, highest = int(values.min()), int(values.max())
    for dtype in _NARROW:
        if highest - base <= np.iinfo(dtype).max:
            return pl.Series(column.name, (values - base).astype(dtype)), base
    return pl.Series(column.name, values), 0


def _widened(column: pl.Series, base: int) -> pl.Series:
    values = column.to_numpy().astype(np.int64)
    values += base
    return pl.Series(column.name, values)
