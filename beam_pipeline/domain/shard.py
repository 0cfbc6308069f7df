"""One shard of customers: what their events mean, given everything that was heard of them.

Frames go in and frames come out; no clock, no store. Work per call depends on the call's rows,
not on how long the history is. The history can be thrown away and rebuilt from the frames that
`Outcome.kept` gave, in any order.
"""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from beam_pipeline.domain import health, schemas
from beam_pipeline.domain.dedup import Identities
from beam_pipeline.domain.deltas import CODED, NO_DELTA, Facet, Tally
from beam_pipeline.domain.enrich import Enriched, enrich
from beam_pipeline.domain.events import LATE_AFTER_MS
from beam_pipeline.domain.hashing import hash_strings
from beam_pipeline.domain.index import Ids, Index
from beam_pipeline.domain.references import Places, References
from beam_pipeline.domain.repeats import PlayChains, Repeats
from beam_pipeline.domain.rows import taken, where
from beam_pipeline.domain.times import epoch_ms
from beam_pipeline.domain.windows import BUCKET_MS, Entered, Heard, Moments

_PLAY_SEED, _AD_SEED = 1, 2
_SCOPES = ("all", "device", "state", "artist", "track")
"""The dimensions of which a customer can be a listener once for each value; the traits of a
customer (gender, age_band, level) have the listeners of `all`."""

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
    """KEPT, to be stored beside the history; its plays, without the ad events, are `plays`."""


class _Numbered(NamedTuple):
    """Plays by the numbers of what is counted, all int64 [n]."""

    customer: NDArray[np.int64]
    track: NDArray[np.int64]
    state: NDArray[np.int64]
    artist: NDArray[np.int64]
    with_state: NDArray[np.int64]
    with_artist: NDArray[np.int64]
    with_track: NDArray[np.int64]
    """Of the pairs of the customer and each of these."""


class Shard:
    """The history of one shard."""

    def __init__(self, references: References, places: Places) -> None:
        self._references = references
        self._places = places
        self._identities = Identities()
        self._customers, self._tracks = Ids(), Ids()
        self._with_state, self._with_artist, self._with_track = Index(), Index(), Index()
        self._states, self._artists = Index(), Index()
        self._chains = PlayChains()
        self._heard = {scope: Heard() for scope in _SCOPES}
        self._tally = Tally()

    def __len__(self) -> int:
        """How many identities are remembered."""
        return len(self._identities)

    def process(self, plays: pl.DataFrame, ad_events: pl.DataFrame) -> Outcome:
        """Take RAW_PLAYS and RAW_AD_EVENTS in their order."""
        new_plays, play_identity = self._deduplicate(plays, _PLAY_SEED)
        new_ads, ad_identity = self._deduplicate(ad_events, _AD_SEED)
        accepted_ads = where(ad_events, new_ads)
        accepted = where(plays, new_plays)
        enriched = enrich(accepted, self._references, self._places)
        interests, delta = self._listening(enriched)
        kept = [_kept(accepted, play_identity[new_plays], enriched.zip)]
        if accepted_ads.height:
            kept.append(_kept(accepted_ads, ad_identity[new_ads]))
        return Outcome(
            plays=enriched.plays,
            ad_events=accepted_ads,
            interests=interests,
            delta=delta,
            health=health.add(
                [_play_health(plays, new_plays, enriched), _ad_health(ad_events, new_ads)]
            ),
            kept=pl.concat(kept) if len(kept) > 1 else kept[0],
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
        tracks, played = plays["track_id"].to_numpy(), plays["played_ms"].to_numpy()
        numbered = self._number(
            plays["customer_id"].to_numpy(),
            tracks,
            plays["zip"].to_numpy(),
            self._references.tracks(tracks)["artist"],
        )
        self._chains.add(numbered.with_track, len(self._with_track), played)
        self._hear(numbered, plays["is_mobile"].to_numpy(), played // BUCKET_MS)

    @cached_property
    def _state_of_zip(self) -> NDArray[np.int64]:
        """The number of the state of each zip."""
        return self._states.add(_value(self._places.state))

    def _deduplicate(
        self, events: pl.DataFrame, seed: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.uint64]]:
        identity = hash_strings(events["event_id"], seed)
        accepted = self._identities.accept(
            events["customer_id"].to_numpy(),
            identity,
            epoch_ms(events["published_at"]),
        )
        return accepted, identity

    def _number(
        self,
        customer_id: NDArray[np.int64],
        track_id: NDArray[np.int64],
        zips: NDArray[np.int64] | NDArray[np.int32],
        artists: pl.Series,
    ) -> _Numbered:
        customer, track = self._customers.add(customer_id), self._tracks.add(track_id)
        state, artist = self._state_of_zip.take(zips), self._artists.add(_value(artists))
        high = customer << 32
        return _Numbered(
            customer=customer,
            track=track,
            state=state,
            artist=artist,
            with_state=self._with_state.add(high | state),
            with_artist=self._with_artist.add(high | artist),
            with_track=self._with_track.add(high | track),
        )

    def _hear(
        self, numbered: _Numbered, is_mobile: NDArray[np.bool_], bucket: NDArray[np.int64]
    ) -> dict[str, Entered]:
        """Mark the plays, once for each scope: the customer alone, and with device, state, …"""
        customers, moments = len(self._customers), Moments.of(bucket)
        scopes = (
            ("all", numbered.customer, customers),
            ("device", numbered.customer * 2 + is_mobile, customers * 2),
            ("state", numbered.with_state, len(self._with_state)),
            ("artist", numbered.with_artist, len(self._with_artist)),
            ("track", numbered.with_track, len(self._with_track)),
        )
        return {
            scope: self._heard[scope].enter(pairs, size, moments) for scope, pairs, size in scopes
        }

    def _listening(self, enriched: Enriched) -> tuple[pl.DataFrame, pl.DataFrame]:
        """INTERESTS and DELTA of the plays that are not too late."""
        in_time = ~enriched.plays["is_late"].to_numpy()
        plays = where(enriched.plays, in_time)
        if plays.is_empty():
            return schemas.no_rows("interests"), NO_DELTA
        track_id, is_mobile = plays["track_id"].to_numpy(), plays["is_mobile"].to_numpy()
        numbered = self._number(
            plays["customer_id"].to_numpy(), track_id, enriched.zip[in_time], plays["artist"]
        )
        played = epoch_ms(plays["played_at"])
        found = self._chains.find(numbered.with_track, len(self._with_track), played)
        bucket = played // BUCKET_MS
        entered = self._hear(numbered, is_mobile, bucket)
        state, artist = numbered.state, numbered.artist
        alone = entered["all"]
        facets = [
            Facet("all", np.zeros(len(played), np.int64), 1, alone),
            Facet("device", is_mobile.astype(np.int64), 2, entered["device"]),
            Facet("gender", enriched.gender[in_time], len(CODED["gender"]), alone),
            Facet("age_band", enriched.age_band[in_time], len(CODED["age_band"]), alone),
            Facet("level", enriched.level[in_time], len(CODED["level"]), alone),
            Facet(
                "state",
                state,
                len(self._states),
                entered["state"],
                self._states.keys[state],
                plays["state"],
            ),
            Facet(
                "artist",
                artist,
                len(self._artists),
                entered["artist"],
                self._artists.keys[artist],
                plays["artist"],
            ),
            Facet("track", numbered.track, len(self._tracks), entered["track"], track_id),
        ]
        return _interests(plays, found), self._tally.deltas(bucket, facets)


def _value(texts: pl.Series) -> NDArray[np.int64]:
    """What stands for each text in a delta, the same in every process; null counts as `unknown`."""
    named = texts.fill_null(schemas.UNKNOWN) if texts.null_count() else texts
    return hash_strings(named).view(np.int64)


def _interests(plays: pl.DataFrame, found: Repeats) -> pl.DataFrame:
    if not len(found.row):
        return schemas.no_rows("interests")
    named = plays[["customer_id", "track_id", "title", "artist"]]
    return pl.DataFrame(
        [
            *taken(named, found.row),
            pl.Series("since", found.since_ms).cast(schemas.TIMESTAMP),
            pl.Series("latest", found.latest_ms).cast(schemas.TIMESTAMP),
            pl.Series("peak", found.peak).cast(pl.Int32),
        ]
    )


def _kept(
    events: pl.DataFrame, identity: NDArray[np.uint64], zips: NDArray[np.int64] | None = None
) -> pl.DataFrame:
    """KEPT of accepted events; plays come with their zips."""
    columns = [
        events["customer_id"],
        pl.Series("identity", identity),
        pl.Series("published_ms", epoch_ms(events["published_at"])),
    ]
    if zips is not None:
        columns += [
            events["track_id"],
            pl.Series("played_ms", epoch_ms(events["played_at"])),
            events["is_mobile"],
            pl.Series("zip", zips.astype(np.int32)),
        ]
    else:
        columns += [
            pl.Series(name, [None], dtype).new_from_index(0, events.height)
            for name, dtype in list(KEPT.items())[len(columns) :]
        ]
    return pl.DataFrame(columns)


def _play_health(
    plays: pl.DataFrame, accepted: NDArray[np.bool_], enriched: Enriched
) -> pl.DataFrame:
    def spread(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        spread_out = np.zeros(len(accepted), np.bool_)
        spread_out[accepted] = flags
        return spread_out

    return health.tally(
        epoch_ms(plays["published_at"]),
        accepted=accepted,
        duplicate=~accepted,
        late=spread(enriched.plays["is_late"].to_numpy()),
        unknown_customer=spread(~enriched.known_customer),
        unknown_track=spread(~enriched.known_track),
    )


def _ad_health(ad_events: pl.DataFrame, accepted: NDArray[np.bool_]) -> pl.DataFrame:
    return health.tally(
        epoch_ms(ad_events["published_at"]),
        accepted=accepted,
        duplicate=~accepted,
        late=accepted & ad_events["is_late"].to_numpy(),
    )
