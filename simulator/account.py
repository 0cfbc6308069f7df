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

from simulator.book import Book
from simulator.catalogue import Catalogue
from simulator.counts import HEARD, TIME, Dimensions, Recent, interests, listening, merged
from simulator.key import Key
from simulator.lines import Writer
from simulator.malformed import AD_FLAWS, PLAY_FLAWS
from simulator.offers import Desk
from simulator.people import People
from simulator.records import ad_events_kept, duplicates, plays_kept, rejects
from simulator.rules import HORIZON_MS, HOUR_MS, LATE_MS, MINUTE_MS, OLD_MS, SKEW_MS

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

NO_COPY = np.int64(-(2**62))
HEALTH = ("received", "accepted", "duplicate", "rejected", "late", "unknown_customer",
          "unknown_track")  # fmt: skip
REASONS = {
    "play": pl.Series([None, *(flaw.reason for flaw in PLAY_FLAWS)], dtype=pl.String),
    "ad": pl.Series([None, *(flaw.reason for flaw in AD_FLAWS)], dtype=pl.String),
}


@dataclass(eq=False)
class Account:
    """Takes events in the order of their processing and writes the key as it goes.

    Memory holds the identities of the last day that were sent more than once, the plays of the
    last three hours, and what grows with the number of interests and minutes.
    """

    people: People
    catalogue: Catalogue
    writer: Writer
    key: Key
    book: Book
    recent: Recent
    totals: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    _first: dict[tuple[str, int, str], int] = field(default_factory=dict)
    _pruned_ms: int = 0
    _minutes: list[pl.DataFrame] = field(default_factory=list)
    _found: list[pl.DataFrame] = field(default_factory=list)

    def take(self, kind: str, events: pl.DataFrame) -> None:
        """Account for PLAYS ("play") or ADS ("ad").

        Where there is a column `verdict` (String: the reason that the function gave, null for a
        line that it took), it is followed, and `disagreements` counts where it is not ours.
        """
        if not events.height:
            return
        events = events.with_columns(
            event_id=self.writer.event_ids(events), expected=_reason(kind, events)
        )
        given = "verdict" if "verdict" in events.columns else "expected"
        events = events.with_columns(reason=given)
        self.totals["disagreements"] += int(events["reason"].ne_missing(events["expected"]).sum())
        rejected = events["reason"].is_not_null().to_numpy()
        first, again = self._compare(kind, events, ~rejected)
        duplicate = first != NO_COPY
        accepted = ~rejected & ~duplicate
        late = accepted & ((events["published"] - events["played"]).to_numpy() > LATE_MS)
        self._count(kind, events, accepted, duplicate, rejected, late)
        self.totals["again"] += int(again.sum())
        if self.key.folder is not None:
            self.key.write("rejects", rejects(kind, events.filter(rejected)))
            copies = duplicates(kind, events.filter(duplicate), first[duplicate])
            self.key.write("duplicates", copies)
        self._keep(kind, events.filter(accepted & ~again), late[accepted & ~again])

    def _keep(self, kind: str, new: pl.DataFrame, late: Mask) -> None:
        """Take events that no store holds yet."""
        self.totals[f"{kind} rows"] += new.height
        if kind == "play":
            self.book.write(new)
        if self.key.folder is None:
            return
        if kind == "play":
            self.key.write("plays", plays_kept(new, self.people, self.catalogue, self.writer))
            self.recent.add(new.filter(~late).select(HEARD.names()))
        else:
            self.key.write("ad_events", ad_events_kept(new))

    def settle(self, now_ms: int) -> None:
        """Everything published before `now_ms` has been taken: count what can no longer change."""
        self._count_hours(now_ms - LATE_MS)
        if now_ms - self._pruned_ms >= HOUR_MS:
            kept_ms = now_ms - 4 * HORIZON_MS
            self._first = {who: at for who, at in self._first.items() if at >= kept_ms}
            self._pruned_ms = now_ms

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
            "plays": self.totals["play rows"],
            "ad_events": self.totals["ad rows"],
            "again": self.totals["again"],
            "disagreements": self.totals["disagreements"],
            "rejected_by_reason": dict(sorted(self.reasons.items())),
            **about,
            **desk.told(),
        }
        self.key.close(summary)
        return summary

    def _compare(self, kind: str, events: pl.DataFrame, sound: Mask) -> tuple[Ints, Mask]:
        """Find copies among the `sound` rows that were sent more than once.

        Gives for each duplicate the published of the first copy (NO_COPY elsewhere), and which
        rows are copies beyond the horizon: accepted again, though every store has them.
        """
        first = np.full(events.height, NO_COPY)
        again = np.zeros(events.height, bool)
        rows = np.flatnonzero(sound & events["copied"].to_numpy())
        copies = events[rows].select("customer_id", "event_id", "published")
        for row, (customer, event_id, published) in zip(rows, copies.iter_rows(), strict=True):
            identity = (kind, customer, event_id)
            before = self._first.get(identity)
            if before is None:
                self._first[identity] = published
            elif abs(published - before) <= HORIZON_MS:
                first[row] = before
            else:
                again[row] = True
        return first, again

    def _count(
        self,
        kind: str,
        events: pl.DataFrame,
        accepted: Mask,
        duplicate: Mask,
        rejected: Mask,
        late: Mask,
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
        for plays, start, end in self.recent.ready(before_ms):
            self.key.write("listening", listening(plays, start, end, dimensions))
            self._found.append(interests(plays, start))

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
