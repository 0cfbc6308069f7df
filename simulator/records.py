"""The answer key's records of single events, with the data dictionary's columns."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.ads import ACTIONS, AD_NAMES
from simulator.catalogue import Catalogue
from simulator.counts import TIME
from simulator.lines import Writer
from simulator.malformed import AD_FLAWS, PLAY_FLAWS
from simulator.people import BANDS, CAMPAIGNS, GENDERS, LEVELS, People
from simulator.rules import HOUR_MS, LATE_MS, MINUTE_MS


def plays_kept(
    plays: pl.DataFrame, people: People, catalogue: Catalogue, writer: Writer
) -> pl.DataFrame:
    """Accepted plays (PLAYS and event_id) with the columns of the data dictionary."""
    person, track, place = (plays[name].to_numpy() for name in ("person", "track", "place"))
    places = writer.places
    age = np.where(person >= 0, people.age[person], -1)
    local = plays["played"].to_numpy() + plays["offset"].to_numpy().astype(np.int64) * MINUTE_MS
    length = np.where(track >= 0, catalogue.length_s[track], -1)
    return plays.select(
        "event_id",
        "customer_id",
        "track_id",
        played_at=pl.col("played").cast(TIME),
        local_hour=pl.Series(local // HOUR_MS % 24, dtype=pl.Int8),
        is_mobile="mobile",
        zip=writer.zips(plays),
        state=pick(places.states, place),
        location=pick(places.locations, place),
        title=pick(catalogue.titles, track),
        artist=pick(catalogue.artists, track),
        length_s=_known(length, pl.Int32()),
        gender=pick(pl.Series(GENDERS), _code(people.gender, person)),
        age=_known(age, pl.Int16()),
        age_band=pick(pl.Series(BANDS), _code(people.band, person)),
        level=pick(pl.Series(LEVELS), _code(people.level, person)),
        campaign=pick(pl.Series(CAMPAIGNS), _code(people.campaign, person)),
        published_at=pl.col("published").cast(TIME),
        is_late=pl.col("published") - pl.col("played") > LATE_MS,
        joined=pl.Series((person >= 0).astype(np.int8) + (track >= 0), dtype=pl.Int8),
    )


def pick(names: pl.Series, codes: npt.NDArray[np.integer]) -> pl.Series:
    """The name of each code, null for one that has none."""
    known = pl.Series((codes >= 0) & (codes < len(names)))
    named = names.gather(np.clip(codes, 0, len(names) - 1))
    return named.zip_with(known, pl.Series([None], dtype=pl.String).new_from_index(0, len(codes)))


def _code(trait: npt.NDArray[np.int8], person: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    return np.where(person >= 0, trait[person], np.int8(-1))


def _known(values: npt.NDArray[np.integer], dtype: pl.DataType) -> pl.Series:
    series = pl.Series(values).cast(dtype)
    return series.set(series < 0, None)


def rejects(kind: str, events: pl.DataFrame) -> pl.DataFrame:
    flaws = pl.Series(["", *(f.name for f in (PLAY_FLAWS if kind == "play" else AD_FLAWS))])
    return events.select(
        "event_id",
        "customer_id",
        "reason",
        "expected",
        kind=pl.lit(kind),
        flaw=flaws.gather(events["flaw"]),
        published_at=pl.col("published").cast(TIME),
    )


def duplicates(kind: str, events: pl.DataFrame, first: npt.NDArray[np.int64]) -> pl.DataFrame:
    return events.select(
        "event_id",
        "customer_id",
        kind=pl.lit(kind),
        published_at=pl.col("published").cast(TIME),
        first_published_at=pl.Series(first).cast(TIME),
    )


def ad_events_kept(ads: pl.DataFrame) -> pl.DataFrame:
    return ads.select(
        "event_id",
        "customer_id",
        ad=pl.Series(AD_NAMES).gather(ads["ad"]),
        action=pl.Series(ACTIONS).gather(ads["action"]),
        offer_id="offer",
        at=pl.col("played").cast(TIME),
        published_at=pl.col("published").cast(TIME),
        is_late=pl.col("published") - pl.col("played") > LATE_MS,
    )
