"""The enrichment join: what is known of customer, track and place goes onto each play.

An unknown customer or track leaves its fields null and the play accepted; `joined` says how many
of the two were found, so that a later run with better reference data may replace the row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain import schemas
from beam_pipeline.domain.events import LATE_AFTER_MS
from beam_pipeline.domain.references import Places, References
from beam_pipeline.domain.times import epoch_ms

_AGE_BAND_STARTS = np.array([18, 25, 35, 45, 55, 65])
_GENDERS, _LEVELS, _CAMPAIGNS, _AGE_BANDS = (
    pl.Series([*names, None])
    for names in (schemas.GENDERS, schemas.LEVELS, schemas.CAMPAIGNS, schemas.AGE_BANDS)
)
"""The name of each code; the last stands for unknown."""
_SENT = [name for name in schemas.RAW_PLAYS if name in schemas.PLAYS and name != "published_at"]


class Enriched(NamedTuple):
    """Enriched plays and the codes that the counts are made of, all [n]."""

    plays: pl.DataFrame
    """PLAYS and `publish_time`."""
    gender: NDArray[np.int64]
    age_band: NDArray[np.int64]
    level: NDArray[np.int64]
    """Codes; the length of the encoding stands for unknown."""
    zip: NDArray[np.int64]
    """As a number."""
    known_customer: NDArray[np.bool_]
    known_track: NDArray[np.bool_]


def age_band_code(age: pl.Series) -> NDArray[np.int64]:
    """The place of each age in AGE_BANDS, int64 [n]; null gives len(AGE_BANDS)."""
    filled = _filled(age)
    code = np.searchsorted(_AGE_BAND_STARTS, filled, side="right")
    return np.where(filled < 0, len(schemas.AGE_BANDS), code)


def enrich(raw: pl.DataFrame, references: References, places: Places) -> Enriched:
    """Join RAW_PLAYS with what is known; order and number of rows stay."""
    customers = references.customers(raw["customer_id"].to_numpy())
    tracks = references.tracks(raw["track_id"].to_numpy())
    zips = raw["zip"].cast(pl.Int64).to_numpy()
    gender = _codes(customers["gender"], len(_GENDERS) - 1)
    level = _codes(customers["level"], len(_LEVELS) - 1)
    age_band = age_band_code(customers["age"])
    known_customer, known_track = customers["known"].to_numpy(), tracks["known"].to_numpy()
    lateness = epoch_ms(raw["published_at"]) - epoch_ms(raw["played_at"])
    plays = pl.DataFrame(
        [
            *(raw[name] for name in _SENT),
            places.state[zips].alias("state"),
            places.location[zips].alias("location"),
            tracks["title"],
            tracks["artist"],
            tracks["length_s"],
            _decoded("gender", gender, _GENDERS),
            customers["age"],
            _decoded("age_band", age_band, _AGE_BANDS),
            _decoded("level", level, _LEVELS),
            _decoded("campaign", _codes(customers["campaign"], len(_CAMPAIGNS) - 1), _CAMPAIGNS),
            raw["published_at"],
            pl.Series("is_late", lateness > LATE_AFTER_MS),
            pl.Series("joined", known_customer.astype(np.int8) + known_track.astype(np.int8)),
            raw[schemas.PUBLISH_TIME],
        ]
    )
    return Enriched(plays, gender, age_band, level, zips, known_customer, known_track)


def _codes(codes: pl.Series, known: int) -> NDArray[np.int64]:
    """Codes as int64 [n]; null and a code that is not below `known` give `known`."""
    filled = _filled(codes)
    return np.where((filled < 0) | (filled >= known), known, filled)


def _decoded(name: str, codes: NDArray[np.int64], names: pl.Series) -> pl.Series:
    return names[codes].alias(name)


def _filled(numbers: pl.Series) -> NDArray[np.int64]:
    """Numbers as int64 [n], -1 for null."""
    known = numbers.fill_null(-1) if numbers.null_count() else numbers
    return known.to_numpy().astype(np.int64)
