"""Rows of frames by their number, at once: what `filter` does with a plan, as often as a bundle."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

Columns = TypeVar("Columns", pl.DataFrame, pl.Series)


def taken(columns: Columns, rows: NDArray[np.int64]) -> Columns:
    """Some rows of a frame or a series of fewer than 2^32, by number, int64 [n]."""
    return columns[pl.Series(rows.astype(np.uint32))]


def where(columns: Columns, flags: NDArray[np.bool_]) -> Columns:
    """The rows whose flag is set, bool [n]; everything as it is if all are."""
    return columns if flags.all() else taken(columns, np.flatnonzero(flags))
