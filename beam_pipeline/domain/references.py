"""What is known of customers, tracks and places: the sides of the enrichment join."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain.schemas import AGE_BANDS, CAMPAIGNS, GENDERS, LEVELS

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


CUSTOMERS = pl.Schema(
    {
        "gender": pl.String(),
        "age": pl.Int16(),
        "age_band": pl.String(),
        "level": pl.String(),
        "campaign": pl.String(),
        "gender_code": pl.Int64(),
        "age_band_code": pl.Int64(),
        "level_code": pl.Int64(),
        "status": pl.Int8(),
        "known": pl.Boolean(),
    }
)
"""CUSTOMER_TRAITS as a play wants them: names, null where not known, and codes, which are the
length of their encoding there."""

_AGE_BAND_STARTS = np.array([18, 25, 35, 45, 55, 65])
_GENDERS, _LEVELS, _CAMPAIGNS, _AGE_BANDS = (
    pl.Series([*names, None]) for names in (GENDERS, LEVELS, CAMPAIGNS, AGE_BANDS)
)
"""The name of each code; the last stands for unknown."""


def described(traits: pl.DataFrame) -> pl.DataFrame:
    """CUSTOMERS of CUSTOMER_TRAITS, row by row."""
    gender = _codes(traits["gender"], len(GENDERS))
    level = _codes(traits["level"], len(LEVELS))
    campaign = _codes(traits["campaign"], len(CAMPAIGNS))
    age = traits["age"].fill_null(-1).to_numpy()
    band = np.where(age < 0, len(AGE_BANDS), np.searchsorted(_AGE_BAND_STARTS, age, side="right"))
    return pl.DataFrame(
        [
            _GENDERS[gender].alias("gender"),
            traits["age"],
            _AGE_BANDS[band].alias("age_band"),
            _LEVELS[level].alias("level"),
            _CAMPAIGNS[campaign].alias("campaign"),
            pl.Series("gender_code", gender),
            pl.Series("age_band_code", band),
            pl.Series("level_code", level),
            traits["status"],
            traits["known"],
        ]
    )


def _codes(codes: pl.Series, known: int) -> NDArray[np.int64]:
    """Codes as int64 [n]; null and a code that is not below `known` give `known`."""
    filled = codes.cast(pl.Int64).fill_null(-1).to_numpy()
    return np.where((filled < 0) | (filled >= known), known, filled)


class References(Protocol):
    """The traits of customers and tracks by id, one row an id, in the order asked for."""

    def customers(self, ids: NDArray[np.int64]) -> pl.DataFrame:
        """CUSTOMERS of int64 [n] ids."""
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

    @cached_property
    def both(self) -> pl.DataFrame:
        """The two columns, `state` and `location`."""
        return pl.DataFrame([self.state.alias("state"), self.location.alias("location")])
