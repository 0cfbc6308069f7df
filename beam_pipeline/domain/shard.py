"""One shard of customers: what their events mean, given everything that was heard of them.

Frames go in and frames come out; no clock, no store. Work per call depends on the call's rows,
not on how long the history is. The history can be thrown away and rebuilt from the frames that
`Outcome.kept` gave, in any order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain import health, schemas
from beam_pipeline.domain.dedup import Identities
from beam_pipeline.domain.deltas import DELTA, Facet, Labels, deltas
from beam_pipeline.domain.enrich import Enriched, enrich
from beam_pipeline.domain.events import LATE_AFTER_MS
from beam_pipeline.domain.hashing import hash_strings
from beam_pipeline.domain.references import Places, References
from beam_pipeline.domain.repeats import PlayChains
from beam_pipeline.domain.windows import BUCKET_MS, Heard

_PLAY_SEED, _AD_SEED = 1, 2

KEPT = pl.Schema(
    {
        "customer_id": pl.Int64(),
        "identity": pl.UInt64(),
        "published_ms": pl.Int64(),
        "track_id": pl.Int64(),
        "played_ms": pl.Int64(),
        "is_mobile": pl.Boolean(),
        "zip": pl.Int32(),
    }
)
"""What a history keeps of an accepted event; of an ad event, the first three columns."""


class Outcome(NamedTuple):
    """What the events of one call came to."""

    plays: pl.DataFrame
    """The accepted plays: PLAYS and `publish_time`."""
    ad_events: pl.DataFrame
    """The accepted ad events: AD_EVENTS and `publish_time`."""
    interests: pl.DataFrame
    """INTERESTS that these plays are part of, to be merged by min, max and max."""
    delta: pl.DataFrame
    """DELTA of the counts of listening."""
    health: pl.DataFrame
    """HEALTH of every event of the call."""
    kept: pl.DataFrame
    """KEPT, to be stored beside the history."""


class Shard:
    """The history of one shard."""

    def __init__(self, references: References, places: Places) -> None:
        self._references = references
        self._places = places
        self._identities = Identities()
        self._chains = PlayChains()
        self._heard = Heard()
        self._labels = Labels()

    def __len__(self) -> int:
        """How many identities are remembered."""
        return len(self._identities)

    def process(self, plays: pl.DataFrame, ad_events: pl.DataFrame) -> Outcome:
        """Take RAW_PLAYS and RAW_AD_EVENTS in their order."""
        new_plays, play_identity = self._deduplicate(plays, _PLAY_SEED)
        new_ads, ad_identity = self._deduplicate(ad_events, _AD_SEED)
        accepted_ads = ad_events.filter(pl.Series(new_ads))
        accepted = plays.filter(pl.Series(new_plays))
        enriched = enrich(accepted, self._references, self._places)
        kept_plays = _kept(accepted, play_identity[new_plays])
        counted = enriched.plays["is_late"].not_()
        in_time = enriched.plays.filter(counted)
        interests, delta = self._listening(in_time, enriched, counted.to_numpy())
        return Outcome(
            plays=enriched.plays,
            ad_events=accepted_ads,
            interests=interests,
            delta=delta,
            health=health.add(
                [
                    _play_health(plays, new_plays, enriched),
                    _ad_health(ad_events, new_ads),
                ]
            ),
            kept=pl.concat([kept_plays, _kept(accepted_ads, ad_identity[new_ads])]),
        )

    def remember(self, kept: pl.DataFrame) -> None:
        """Rebuild from KEPT rows: afterwards `process` answers as if it had seen those events."""
        kept = kept.sort("published_ms")
        self._identities.accept(
            kept["customer_id"].to_numpy(),
            kept["identity"].to_numpy(),
            kept["published_ms"].to_numpy(),
        )
        plays = kept.filter(
            pl.col("track_id").is_not_null()
            & (pl.col("published_ms") - pl.col("played_ms") <= LATE_AFTER_MS)
        )
        customers, tracks = plays["customer_id"].to_numpy(), plays["track_id"].to_numpy()
        played = plays["played_ms"].to_numpy()
        self._chains.add(customers, tracks, played)
        artists = self._references.tracks(tracks)["artist"]
        states = self._places.state.gather(plays["zip"].to_numpy())
        self._heard.enter(
            customers,
            played // BUCKET_MS,
            self._scopes(plays["is_mobile"].to_numpy(), states, tracks, artists),
        )

    def _deduplicate(
        self, events: pl.DataFrame, seed: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        identity = hash_strings(events["event_id"], seed)
        accepted = self._identities.accept(
            events["customer_id"].to_numpy(),
            identity,
            events["published_at"].to_physical().to_numpy(),
        )
        return accepted, identity

    def _scopes(
        self,
        is_mobile: NDArray[np.bool_],
        states: pl.Series,
        tracks: NDArray[np.int64],
        artists: pl.Series,
    ) -> list[NDArray[np.int64]]:
        """The things counted: the customer, and the customer by device, state, artist, track."""
        return [
            np.zeros(len(tracks), np.int64),
            is_mobile.astype(np.int64),
            self._labels.values(states),
            self._labels.values(artists),
            tracks,
        ]

    def _listening(
        self, plays: pl.DataFrame, enriched: Enriched, counted: NDArray[np.bool_]
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        if plays.is_empty():
            return pl.DataFrame(schema=schemas.INTERESTS), pl.DataFrame(schema=DELTA)
        customers, tracks = plays["customer_id"].to_numpy(), plays["track_id"].to_numpy()
        played = plays["played_at"].to_physical().to_numpy()
        found = self._chains.find(customers, tracks, played)
        interests = (
            plays.select("customer_id", "track_id", "title", "artist")[found.row]
            .with_columns(
                pl.Series("since", found.since_ms),
                pl.Series("latest", found.latest_ms),
                pl.Series("peak", found.peak),
            )
            .cast(schemas.INTERESTS)
        )
        scopes = self._scopes(
            plays["is_mobile"].to_numpy(), plays["state"], tracks, plays["artist"]
        )
        bucket = played // BUCKET_MS
        entered = self._heard.enter(customers, bucket, scopes)
        facets = [
            Facet("all", scopes[0], 0),
            Facet("device", scopes[1], 1),
            Facet("gender", enriched.gender[counted], 0),
            Facet("age_band", enriched.age_band[counted], 0),
            Facet("level", enriched.level[counted], 0),
            Facet("state", scopes[2], 2, plays["state"]),
            Facet("artist", scopes[3], 3, plays["artist"]),
            Facet("track", scopes[4], 4),
        ]
        return interests, deltas(bucket, facets, entered)


def _kept(events: pl.DataFrame, identity: NDArray[np.uint64]) -> pl.DataFrame:
    columns = [
        pl.col("customer_id"),
        pl.Series("identity", identity, pl.UInt64),
        pl.col("published_at").to_physical().alias("published_ms"),
    ]
    if "track_id" in events.columns:
        columns += [
            pl.col("track_id"),
            pl.col("played_at").to_physical().alias("played_ms"),
            pl.col("is_mobile"),
            pl.col("zip").cast(pl.Int32),
        ]
    frame = events.select(columns)
    return frame.with_columns(
        pl.lit(None, dtype).alias(name) for name, dtype in KEPT.items() if name not in frame.columns
    ).select(list(KEPT))


def _play_health(
    plays: pl.DataFrame, accepted: NDArray[np.bool_], enriched: Enriched
) -> pl.DataFrame:
    def spread(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        spread_out = np.zeros(len(accepted), np.bool_)
        spread_out[accepted] = flags
        return spread_out

    return health.tally(
        plays["published_at"].to_physical().to_numpy(),
        accepted=accepted,
        duplicate=~accepted,
        late=spread(enriched.plays["is_late"].to_numpy()),
        unknown_customer=spread(~enriched.known_customer),
        unknown_track=spread(~enriched.known_track),
    )


def _ad_health(ad_events: pl.DataFrame, accepted: NDArray[np.bool_]) -> pl.DataFrame:
    return health.tally(
        ad_events["published_at"].to_physical().to_numpy(),
        accepted=accepted,
        duplicate=~accepted,
        late=accepted & ad_events["is_late"].to_numpy(),
    )
