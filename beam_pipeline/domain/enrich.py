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


def enrich(raw: pl.DataFrame, references: References, places: Places) -> Enriched:
    """Join RAW_PLAYS with what is known; order and number of rows stay."""
    customers = references.customers(raw["customer_id"].to_numpy())
    tracks = references.tracks(raw["track_id"].to_numpy())
    zips = raw["zip"].cast(pl.UInt32)
    where = places.both[zips]
    known_customer, known_track = customers["known"].to_numpy(), tracks["known"].to_numpy()
    lateness = epoch_ms(raw["published_at"]) - epoch_ms(raw["played_at"])
    plays = pl.DataFrame(
        [
            *(raw[name] for name in _SENT),
            *where,
            *(tracks[name] for name in ("title", "artist", "length_s")),
            *(customers[name] for name in ("gender", "age", "age_band", "level", "campaign")),
            raw["published_at"],
            pl.Series("is_late", lateness > LATE_AFTER_MS),
            pl.Series("joined", known_customer.view(np.int8) + known_track.view(np.int8)),
            raw[schemas.PUBLISH_TIME],
        ]
    )
    return Enriched(
        plays,
        gender=customers["gender_code"].to_numpy(),
        age_band=customers["age_band_code"].to_numpy(),
        level=customers["level_code"].to_numpy(),
        zip=zips.to_numpy().astype(np.int64),
        known_customer=known_customer,
        known_track=known_track,
    )
