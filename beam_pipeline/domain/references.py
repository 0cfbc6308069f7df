"""What is known of customers, tracks and places: the sides of the enrichment join."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

CUSTOMER_TRAITS = pl.Schema(
    {
        "gender": pl.Int8(),
        "age": pl.Int16(),
        "level": pl.Int8(),
        "status": pl.Int8(),
        "campaign": pl.Int8(),
        "known": pl.Boolean(),
    }
)
"""Codes of the reference data; null where a trait is not known, all null where `known` is False."""

TRACK_TRAITS = pl.Schema(
    {
        "title": pl.String(),
        "artist": pl.String(),
        "length_s": pl.Int32(),
        "known": pl.Boolean(),
    }
)


class References(Protocol):
    """The traits of customers and tracks by id, one row an id, in the order asked for."""

    def customers(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        """CUSTOMER_TRAITS of int64 [n] ids."""
        ...

    def tracks(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        """TRACK_TRAITS of int64 [n] ids."""
        ...


@dataclass(frozen=True)
class Places:
    """Where a zip lies; both columns have 100,000 rows, the zip as a number is the row."""

    state: pl.Series
    """String: two letters, null where there is no such zip."""
    location: pl.Series
    """String "lat,lon", null where there is no such zip."""
