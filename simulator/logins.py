"""Live logins: a listener who begins a session asks the offer function what there is for them."""

from __future__ import annotations

import math
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.ads import AD_NAMES, ADS, CLICKED, SHOWN, UPGRADED, ad_frame
from simulator.door import Door
from simulator.offers import REDUCED, Desk
from simulator.rules import DAY_MS, HALF_HOUR_MS, MINUTE_MS
from simulator.seeds import stream

LOGIN_RANK = 4_000_000
"""Added to the rank of the events that come of logins: nobody else has their event ids."""
CLICKS_LOG_MS = (math.log(2_000), math.log(5 * MINUTE_MS))
UPGRADES_LOG_MS = (math.log(20_000), math.log(120 * MINUTE_MS))
WORKERS = 4


@dataclass(frozen=True)
class Login:
    """A row of PLAYS that a listener came with."""

    person: int
    customer_id: int
    offset: int


@dataclass(eq=False)
class Logins:
    """Asks for offers as listeners come, and has them click and upgrade by the desk's laws.

    Whoever may be upgraded and has not played for half an hour logs in. Without the function, or
    without an offer, nothing is shown; some upgrade all the same.
    """

    door: Door
    desk: Desk
    _pool: ThreadPoolExecutor = field(init=False)
    _rng: np.random.Generator = field(init=False)
    _seen_ms: npt.NDArray[np.int64] = field(init=False)
    _day: npt.NDArray[np.int64] = field(init=False)
    _upgraded: npt.NDArray[np.bool_] = field(init=False)
    _asking: list[tuple[Login, Future[dict[str, Any] | None]]] = field(default_factory=list)
    _coming: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.desk.town.people)
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="logins")
        self._rng = stream(self.desk.town.seed, "logins")
        self._seen_ms = np.full(count, -HALF_HOUR_MS, np.int64)
        self._day = np.full(count, -1, np.int64)
        self._upgraded = np.zeros(count, bool)

    def notice(self, plays: pl.DataFrame, now_ms: int) -> None:
        """Some PLAYS were made: those who begin with them log in."""
        known = plays.filter(pl.col("person") >= 0).unique("person", keep="first")
        who = known["person"].to_numpy()
        fresh = self.desk.eligible[who] & (now_ms - self._seen_ms[who] >= HALF_HOUR_MS)
        self._seen_ms[who] = now_ms
        for person, customer, offset in (
            known.filter(pl.Series(fresh)).select("person", "customer_id", "offset").iter_rows()
        ):
            login = Login(person, customer, offset)
            asked = self._pool.submit(self.door.get, f"/v1/offers/{customer}")
            self._asking.append((login, asked))

    def due(self, now_ms: int) -> pl.DataFrame:
        """The ADS that have happened by now and were not given before."""
        answered = [one for one in self._asking if one[1].done()]
        self._asking = [one for one in self._asking if not one[1].done()]
        self._coming += [self._outcome(login, asked.result(), now_ms) for login, asked in answered]
        if not self._coming:
            return ADS.to_frame()
        coming = pl.concat(self._coming)
        happened = pl.col("played") <= now_ms
        self._coming = [coming.filter(~happened)]
        return coming.filter(happened).sort("played", maintain_order=True)

    def wait(self) -> None:
        """Until every login has its answer."""
        futures.wait([asked for _, asked in self._asking])

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(cancel_futures=True)
        self.door.close()

    def _outcome(self, login: Login, offer: dict[str, Any] | None, now_ms: int) -> pl.DataFrame:
        """What comes of a login: the offer shown, a click, an upgrade, or nothing."""
        rng, happens = self._rng, []
        clicked, propensity = False, 0.0
        if offer:
            propensity = self.desk.propensity_now(login.person, now_ms)
            clicked = bool(rng.random() < propensity)
            happens.append((now_ms, SHOWN))
            if clicked:
                happens.append((now_ms + self._wait(CLICKS_LOG_MS), CLICKED))
        if self._upgrades(login.person, now_ms, seen=offer is not None):
            happens.append((now_ms + self._wait(UPGRADES_LOG_MS), UPGRADED))
        named = str(offer["offer_id"]) if offer else None
        ad = str(offer.get("ad")) if offer else ""
        count = len(happens)
        events = ad_frame(
            pl.DataFrame([login], schema={"person": pl.Int32, "customer_id": pl.Int64,
                                          "offset": pl.Int16}),
            np.array([at for at, _ in happens], np.int64),
            np.zeros(count, np.int64),
            np.full(count, AD_NAMES.index(ad) if ad in AD_NAMES else REDUCED),
            np.array([action for _, action in happens], np.int64),
            pl.Series([named] * count, dtype=pl.String),
            now_ms,
        ).with_columns(rank=pl.col("rank") + LOGIN_RANK)  # fmt: skip
        if offer:
            self.desk.note(events.head(1), np.array([propensity]), np.array([clicked]))
        return events

    def _upgrades(self, person: int, now_ms: int, *, seen: bool) -> bool:
        """Whether this login leads to an upgrade; one chance a day, and one upgrade ever."""
        day = now_ms // DAY_MS
        if self._upgraded[person] or self._day[person] == day:
            return False
        self._day[person] = day
        terms = self.desk.terms
        chance = terms.base_upgrades + (terms.uplift if seen else 0.0)
        self._upgraded[person] = self._rng.random() < chance
        return bool(self._upgraded[person])

    def _wait(self, log_ms: tuple[float, float]) -> int:
        return int(math.exp(self._rng.uniform(*log_ms)))
