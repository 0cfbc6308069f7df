"""Offers of the one-day upgrade: who gets one, who clicks, who upgrades, and the truth about it.

A stand-in for the system's own policy, blind to any model: everyone eligible is as likely as the
next, so the truth can be read off without correction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.ads import AD_NAMES, ADS, CLICKED, SHOWN, UPGRADED, ad_frame
from simulator.book import Book, usual_shares
from simulator.counts import TIME
from simulator.propensity import AFTER, BEFORE, Law
from simulator.rules import DAY_MS, HOUR_MS, MINUTE_MS
from simulator.seeds import purpose_number, stream, uniform
from simulator.sessions import Town

REDUCED = AD_NAMES.index("ADV_REDUCED_1DAY")
GOLD = 2
ENOUGH_PLAYS = 10
"""Plays in the closed days from which a listener's shares say something."""
VALID_MS = 3 * DAY_MS
SHOWS_A_DAY = 3
OFFER_RANK = 2_000_000
"""Added to the rank of an offer's events, so that no banner has their event ids."""
CLICKS_LOG_MS = (math.log(2_000), math.log(50 * MINUTE_MS))
UPGRADES_MS = (10 * MINUTE_MS, 23 * HOUR_MS)
QUIET_MS = 2 * MINUTE_MS
"""Nothing is shown this long before midnight: the day whose shares count is never in doubt."""
NEVER_MS = np.int64(2**62)

Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Terms:
    """How offers are made and what they do; shares and chances lie in [0, 1)."""

    daily: float = 0.0
    """Share of the eligible, not yet decided on, to whom the offer is decided each day."""
    name: str = "gold-1day"
    holdout: float = 0.1
    bayes_error: float = 0.07
    base_upgrades: float = 0.03
    """Chance to upgrade within 24 h of the decision without having seen anything."""
    uplift: float = 0.05
    """What the offer adds to that chance."""
    from_ms: int = 0
    """No offer before this moment."""
    drift_ms: int | None = None
    """From this moment on another law of clicking holds."""
    strangers_too: bool = False
    """Offer to listeners without a past as well, who then click by their habits."""


class Happenings(NamedTuple):
    """Events to come: when (ms), whose (a row of the logins), what, of the offer or not."""

    at: Rows
    row: Rows
    action: Rows
    offered: Mask


@dataclass(eq=False)
class Desk:
    """Makes offers at logins, and keeps the truth about them for the answer key."""

    town: Town
    terms: Terms
    book: Book
    laws: dict[str, Law] = field(default_factory=dict)
    _shown: list[pl.DataFrame] = field(default_factory=list)
    _decisions: list[pl.DataFrame] = field(default_factory=list)
    _decided_ms: Rows = field(init=False)
    _upgrades_ms: Rows = field(init=False)
    _clicks_ms: Rows = field(init=False)
    _shows: Rows = field(init=False)
    eligible: Mask = field(init=False)
    _held: Mask = field(init=False)
    _day: int = -1

    def __post_init__(self) -> None:
        people = self.town.people
        self._decided_ms = np.full(len(people), NEVER_MS)
        self._upgrades_ms = np.full(len(people), NEVER_MS)
        self._clicks_ms = np.zeros(len(people), np.int64)
        self._shows = np.zeros(len(people), np.int64)
        self.eligible = (people.status == 1) & (people.level >= 0) & (people.level < GOLD)
        self._held = uniform(people.ids, self._salt("holdout")) < self.terms.holdout

    def events(self, plays: pl.DataFrame, at_ms: int) -> pl.DataFrame:
        """The offers' events of the sessions begun in a slice of plays, as ADS.

        The first play of a person in the slice is a login. The clicks and upgrades that come of it
        are among the events, whenever they happen.
        """
        if not self.terms.daily or at_ms < self.terms.from_ms or not plays.height:
            return ADS.to_frame()
        day = at_ms // DAY_MS
        self.book.open_day(day)
        if day > self._day:
            self._day = day
            self._shows[:] = 0
        shares, known = self._shares()
        in_time = pl.col("played").is_between(at_ms, (day + 1) * DAY_MS - QUIET_MS)
        logins = plays.filter(in_time).sort("played")
        logins = logins.unique("person", keep="first", maintain_order=True)
        logins = logins.filter((self.eligible & known)[logins["person"].to_numpy()])
        if not logins.height:
            return ADS.to_frame()
        rng = stream(self.town.seed, "offers", at_ms)
        upgrades = self._decide(rng, logins, day)
        shown, clicks, propensity, clicked = self._show(rng, logins, shares, known, at_ms)
        came = [upgrades, shown, clicks]
        row = np.concatenate([one.row for one in came])
        customers = pl.Series(logins["customer_id"].to_numpy()[row])
        offered = pl.Series(np.concatenate([one.offered for one in came]))
        events = ad_frame(
            logins,
            np.concatenate([one.at for one in came]),
            row,
            np.full(len(row), REDUCED),
            np.concatenate([one.action for one in came]),
            self.offer_ids(customers).zip_with(offered, _nothing(len(row))),
            at_ms,
        ).with_columns(rank=pl.col("rank") + OFFER_RANK)
        first = len(upgrades.row)
        self.note(events[first : first + len(shown.row)], propensity, clicked)
        return events

    def note(self, shown: pl.DataFrame, propensity: Floats, clicked: Mask) -> None:
        """Keep the truth about some showings (ADS) for the answer key."""
        self._shown.append(shown.with_columns(propensity=propensity, clicked=clicked))

    def propensity_now(self, person: int, at_ms: int) -> float:
        """The true chance that one person clicks, shown the offer at `at_ms`."""
        shares, known = self._shares()
        law = self.law_at(at_ms, shares, known)
        return float(law.propensity(shares[[person]])[0])

    def offer_ids(self, customers: pl.Series) -> pl.Series:
        """The id of each customer's offer."""
        return self.terms.name + ":" + customers.cast(pl.String)

    def law_at(self, at_ms: int, shares: Floats, known: Mask) -> Law:
        """The law of clicking at a moment; made at the first need, from those who are listening."""
        drifted = self.terms.drift_ms is not None and at_ms >= self.terms.drift_ms
        name, weights = ("after", AFTER) if drifted else ("before", BEFORE)
        if name not in self.laws:
            asked = self.eligible & known
            often = self.town.habits.sessions[asked]
            self.laws[name] = Law.of(weights, shares[asked], often, self.terms.bayes_error)
        return self.laws[name]

    def truth(self, event_ids: Callable[[pl.DataFrame], pl.Series]) -> dict[str, pl.DataFrame]:
        """`asked`: each showing with its true propensity; `offers`: each decision, its effect."""
        shown = pl.concat(self._shown) if self._shown else _no_showings()
        return {
            "asked": shown.select(
                "customer_id",
                "propensity",
                "clicked",
                shown_event_id=event_ids(shown),
                offer_id="offer",
                shown_at=pl.col("played").cast(TIME),
            ),
            "offers": pl.concat(self._decisions)
            if self._decisions
            else self._decisions_of(
                np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64)
            ),
        }

    def told(self) -> dict[str, Any]:
        """What the summary of the key says about offers."""
        shown = pl.concat(self._shown) if self._shown else _no_showings()
        p = shown["propensity"].to_numpy()
        return {
            "offer": self.terms.name,
            "showings": shown.height,
            "clicks": int(shown["clicked"].sum()),
            "bayes_error": float(np.minimum(p, 1 - p).mean()) if len(p) else None,
            "bayes_error_wanted": self.terms.bayes_error,
            "laws": {name: law.told() for name, law in self.laws.items()},
            "drift_ms": self.terms.drift_ms,
            "base_upgrades": self.terms.base_upgrades,
            "uplift": self.terms.uplift,
        }

    def _shares(self) -> tuple[Floats, Mask]:
        """The shares that a click depends on, and for whom there are any."""
        enough = self.book.plays() >= ENOUGH_PLAYS
        shares = self.book.shares()
        if not self.terms.strangers_too:
            return shares, enough
        usual = usual_shares(self.town.habits)
        return np.where(enough[:, None], shares, usual), np.ones_like(enough)

    def _decide(self, rng: np.random.Generator, logins: pl.DataFrame, day: int) -> Happenings:
        """Decide on some for the first and only time; gives the upgrades that will come of it."""
        who, at = logins["person"].to_numpy(), logins["played"].to_numpy()
        today = uniform(self.town.people.ids[who], self._salt(f"day {day}")) < self.terms.daily
        rows = np.flatnonzero(today & (self._decided_ms[who] == NEVER_MS))
        who, at = who[rows], at[rows]
        held = self._held[who]
        chance = self.terms.base_upgrades + np.where(held, 0.0, self.terms.uplift)
        upgraded = rng.random(len(rows)) < chance
        when = np.where(upgraded, at + rng.integers(*UPGRADES_MS, len(rows)), NEVER_MS)
        self._decided_ms[who], self._upgrades_ms[who] = at, when
        self._decisions.append(self._decisions_of(who, at, when))
        return Happenings(
            when[upgraded], rows[upgraded], np.full(int(upgraded.sum()), UPGRADED), ~held[upgraded]
        )

    def _decisions_of(self, who: Rows, at: Rows, upgraded_ms: Rows) -> pl.DataFrame:
        customers = pl.Series(self.town.people.ids[who])
        when = pl.Series(upgraded_ms)
        return pl.DataFrame(
            {
                "offer_id": self.offer_ids(customers),
                "customer_id": customers,
                "offer": pl.repeat(self.terms.name, len(who), dtype=pl.String, eager=True),
                "arm": pl.Series(["shown", "holdout"]).gather(self._held[who].astype(np.int64)),
                "decided_at": pl.Series(at).cast(TIME),
                "upgraded_at": when.set(when == NEVER_MS, None).cast(TIME),
            }
        )

    def _show(
        self,
        rng: np.random.Generator,
        logins: pl.DataFrame,
        shares: Floats,
        known: Mask,
        at_ms: int,
    ) -> tuple[Happenings, Happenings, Floats, Mask]:
        """Show the offer to whom it was decided; gives showings, clicks, propensities, labels.

        It is shown again and again, clicked or not, so that who is asked does not depend on who
        clicks; but not between a showing and its click.
        """
        who, at = logins["person"].to_numpy(), logins["played"].to_numpy()
        since = at - self._decided_ms[who]
        rows = np.flatnonzero(
            (since >= 0) & (since < VALID_MS) & ~self._held[who]
            & (at < self._upgrades_ms[who]) & (at > self._clicks_ms[who])
            & (self._shows[who] < SHOWS_A_DAY)
        )  # fmt: skip
        who, at = who[rows], at[rows] + rng.integers(500, 5_000, len(rows))
        self._shows[who] += 1
        law = self.law_at(at_ms, shares, known)
        propensity = law.propensity(shares[who])
        clicked = rng.random(len(rows)) < propensity
        wait = np.exp(rng.uniform(*CLICKS_LOG_MS, len(rows))).astype(np.int64)
        self._clicks_ms[who] = np.where(clicked, at + wait, 0)
        shown = Happenings(at, rows, np.full(len(rows), SHOWN), np.ones(len(rows), bool))
        hits = int(clicked.sum())
        clicks = Happenings((at + wait)[clicked], rows[clicked], np.full(hits, CLICKED),
                            np.ones(hits, bool))  # fmt: skip
        return shown, clicks, propensity, clicked

    def _salt(self, purpose: str) -> int:
        return purpose_number(f"{self.town.seed} offers {self.terms.name} {purpose}")


def _no_showings() -> pl.DataFrame:
    empty = ADS.to_frame()
    return empty.with_columns(propensity=pl.lit(None, pl.Float64), clicked=pl.lit(None, pl.Boolean))


def _nothing(count: int) -> pl.Series:
    return pl.repeat(None, count, dtype=pl.String, eager=True)
