"""The account of a run: what every store must hold after it, from what was sent.

A second, independent reading of the rules. Identity is (kind, customer, event id); the first copy
taken is the event; a copy within six hours of it is a duplicate. A play that was published more
than two hours after it was played is late, and neither counted nor an interest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.ads import ACTIONS, AD_NAMES
from simulator.book import Book
from simulator.catalogue import Catalogue
from simulator.counts import HEARD, TIME, Dimensions, Recent, interests, listening, merged
from simulator.key import Key
from simulator.lines import Writer
from simulator.malformed import AD_FLAWS, PLAY_FLAWS
from simulator.offers import Desk
from simulator.people import BANDS, CAMPAIGNS, DAY_MS, GENDERS, LEVELS, People
from simulator.places import HOUR_MS

MINUTE_MS = 60_000
LATE_MS = 2 * HOUR_MS
SKEW_MS = 5 * MINUTE_MS
OLD_MS = 30 * DAY_MS
HORIZON_MS = 6 * HOUR_MS
HEALTH = ("received", "accepted", "duplicate", "rejected", "late", "unknown_customer",
          "unknown_track")  # fmt: skip
REASONS = {
    "play": pl.Series([None, *(flaw.reason for flaw in PLAY_FLAWS)], dtype=pl.String),
    "ad": pl.Series([None, *(flaw.reason for flaw in AD_FLAWS)], dtype=pl.String),
}


@dataclass(eq=False)
class Account:
    """Takes events in the order of their processing and writes the key as it goes.

    Memory holds the identities of the last six hours that were sent more than once, the plays of
    the last three hours, and what grows with the number of interests and minutes.
    """

    people: People
    catalogue: Catalogue
    writer: Writer
    key: Key
    book: Book
    totals: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    _first: dict[tuple[str, int, str], int] = field(default_factory=dict)
    _minutes: list[pl.DataFrame] = field(default_factory=list)
    _found: list[pl.DataFrame] = field(default_factory=list)
    _recent: Recent = field(default_factory=Recent)

    def take(self, kind: str, events: pl.DataFrame) -> npt.NDArray[np.bool_]:
        """Account for PLAYS ("play") or ADS ("ad"); says which rows were accepted.

        Where there is a column `verdict` (String: the reason that the function gave, null for a
        line that it took), it is followed, and `disagreements` counts where it is not ours.
        """
        if not events.height:
            return np.zeros(0, bool)
        events = events.with_columns(
            event_id=self.writer.event_ids(events), expected=_reason(kind, events)
        )
        given = "verdict" if "verdict" in events.columns else "expected"
        events = events.with_columns(reason=given)
        self.totals["disagreements"] += int(events["reason"].ne_missing(events["expected"]).sum())
        rejected = events["reason"].is_not_null().to_numpy()
        first = self._first_published(kind, events, ~rejected)
        duplicate = first >= 0
        accepted = ~rejected & ~duplicate
        late = accepted & ((events["published"] - events["played"]).to_numpy() > LATE_MS)
        self._count(kind, events, accepted, duplicate, rejected, late)
        good = events.filter(accepted)
        if kind == "play":
            self.book.write(good)
        if self.key.folder is None:
            return accepted
        self.key.write("rejects", _rejects(kind, events.filter(rejected)))
        self.key.write("duplicates", _duplicates(kind, events.filter(duplicate), first[duplicate]))
        if kind == "play":
            self.key.write("plays", self._plays(good))
            self._recent.add(events.filter(accepted & ~late).select(HEARD.names()))
        else:
            self.key.write("ad_events", _ad_events(good))
        return accepted

    def settle(self, now_ms: int) -> None:
        """Everything published before `now_ms` has been taken: count what can no longer change."""
        self._count_hours(now_ms - LATE_MS)
        self._first = {k: at for k, at in self._first.items() if at >= now_ms - HORIZON_MS}

    def close(self, about: dict[str, Any], desk: Desk) -> dict[str, Any]:
        """Count the rest, write the whole key and give its summary."""
        self._count_hours(2**62)
        for dataset, frame in desk.truth(self.writer.event_ids).items():
            self.key.write(dataset, frame)
        found = self._interests()
        self.key.write("interests", found)
        self.key.write("health", self._health())
        summary = {
            **{name: self.totals[name] for name in HEALTH},
            "interests": found.height,
            "plays": self.totals["play accepted"],
            "ad_events": self.totals["ad accepted"],
            "disagreements": self.totals["disagreements"],
            "rejected_by_reason": dict(sorted(self.reasons.items())),
            **about,
            **desk.told(),
        }
        self.key.close(summary)
        return summary

    def _first_published(
        self, kind: str, events: pl.DataFrame, sound: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.int64]:
        """For each duplicate the published of its first copy, -1 for every other row."""
        first = np.full(events.height, -1, np.int64)
        rows = np.flatnonzero(sound & events["copied"].to_numpy())
        copies = events[rows].select("customer_id", "event_id", "published")
        for row, (customer, event_id, published) in zip(rows, copies.iter_rows(), strict=True):
            identity = (kind, customer, event_id)
            before = self._first.get(identity)
            if before is not None and abs(published - before) <= HORIZON_MS:
                first[row] = before
            else:
                self._first[identity] = published
        return first

    def _count(
        self,
        kind: str,
        events: pl.DataFrame,
        accepted: npt.NDArray[np.bool_],
        duplicate: npt.NDArray[np.bool_],
        rejected: npt.NDArray[np.bool_],
        late: npt.NDArray[np.bool_],
    ) -> None:
        play = kind == "play"
        strange = accepted & (events["person"].to_numpy() < 0)
        unheard = accepted & (events["track"].to_numpy() < 0) if play else np.zeros_like(accepted)
        columns = [np.ones_like(accepted), accepted, duplicate, rejected, late, strange, unheard]
        minute = events["published"].to_numpy() // MINUTE_MS * MINUTE_MS
        counted = pl.DataFrame({"minute": minute, **dict(zip(HEALTH, columns, strict=True))})
        by_minute = counted.group_by("minute").agg(pl.col(HEALTH).sum().cast(pl.Int64))
        self._minutes.append(by_minute)
        for name in HEALTH:
            count = int(by_minute[name].sum())
            self.totals[name] += count
            self.totals[f"{kind} {name}"] += count
        self.reasons.update(events["reason"].drop_nulls().to_list())

    def _health(self) -> pl.DataFrame:
        if not self._minutes:
            return pl.DataFrame(schema={"minute": TIME, **dict.fromkeys(HEALTH, pl.Int64())})
        minutes = pl.concat(self._minutes).group_by("minute").agg(pl.col(HEALTH).sum())
        return minutes.sort("minute").with_columns(pl.col("minute").cast(TIME))

    def _count_hours(self, before_ms: int) -> None:
        dimensions = Dimensions(self.people, self.catalogue, self.writer.places)
        for hour in self._recent.ready(before_ms):
            around = self._recent.around(hour)
            self.key.write("listening", listening(around, hour, dimensions))
            self._found.append(interests(around, hour))
            self._recent.done(hour)

    def _interests(self) -> pl.DataFrame:
        names = pl.DataFrame(
            {"track_id": self.catalogue.ids, "title": self.catalogue.titles,
             "artist": self.catalogue.artists}
        )  # fmt: skip
        found = merged(self._found or [interests(HEARD.to_frame(), 0)])
        return found.join(names, on="track_id", how="left", maintain_order="left").select(
            "customer_id", "track_id", "title", "artist",
            pl.col("since", "latest").cast(TIME), "peak",
        )  # fmt: skip

    def _plays(self, plays: pl.DataFrame) -> pl.DataFrame:
        """Accepted plays with the columns of the data dictionary."""
        person, track, place = (plays[name].to_numpy() for name in ("person", "track", "place"))
        people, places = self.people, self.writer.places
        age = np.where(person >= 0, people.age[person], -1)
        local = plays["played"].to_numpy() + plays["offset"].to_numpy().astype(np.int64) * MINUTE_MS
        length = np.where(track >= 0, self.catalogue.length_s[track], -1)
        return plays.select(
            "event_id",
            "customer_id",
            "track_id",
            played_at=pl.col("played").cast(TIME),
            local_hour=pl.Series(local // HOUR_MS % 24, dtype=pl.Int8),
            is_mobile="mobile",
            zip=self.writer.zips(plays),
            state=pick(places.states, place),
            location=pick(places.locations, place),
            title=pick(self.catalogue.titles, track),
            artist=pick(self.catalogue.artists, track),
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


def _reason(kind: str, events: pl.DataFrame) -> pl.Series:
    """Why a line must be rejected, null for a good one."""
    wrong = REASONS[kind].gather(events["flaw"])
    age = pl.col("published") - pl.col("played")
    return events.select(
        pl.coalesce(
            wrong,
            pl.when(age > OLD_MS)
            .then(pl.lit("too_old"))
            .when(age < -SKEW_MS)
            .then(pl.lit("clock_skew")),
        )
    ).to_series()


def _rejects(kind: str, events: pl.DataFrame) -> pl.DataFrame:
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


def _duplicates(kind: str, events: pl.DataFrame, first: npt.NDArray[np.int64]) -> pl.DataFrame:
    return events.select(
        "event_id",
        "customer_id",
        kind=pl.lit(kind),
        published_at=pl.col("published").cast(TIME),
        first_published_at=pl.Series(first).cast(TIME),
    )


def _ad_events(ads: pl.DataFrame) -> pl.DataFrame:
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
