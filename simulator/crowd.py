"""Who begins to listen when: the population, drawn by the clock on each listener's wall."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from simulator.errors import UsageError
from simulator.habits import CURVES, KINDS, Habits
from simulator.people import People
from simulator.places import Places
from simulator.rules import DAY_MS, HOUR_MS

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int32]


class Crowd:
    """Draws the listeners of a slice of time so that a run has `rate` plays a second on average.

    Listeners of one time zone and one kind share a curve of the day; within such a group a person
    is drawn by weight. With `flat`, every hour is alike.
    """

    def __init__(
        self,
        people: People,
        habits: Habits,
        places: Places,
        span_ms: tuple[int, int],
        rate: float,
        *,
        flat: bool = False,
    ) -> None:
        zone = places.zone_at(people.place).astype(np.int64)
        group, of = np.unique(zone * len(KINDS) + habits.kind, return_inverse=True)
        self._order = np.argsort(of, kind="stable").astype(np.int32)
        self._group = of[self._order]
        self._zone, self._kind = (group // len(KINDS)).astype(np.int16), group % len(KINDS)
        self._places, self._people, self._habits, self._flat = places, people, habits, flat
        self._day = lru_cache(maxsize=4)(self._weigh)
        self._scale = 1.0
        start_ms, end_ms = span_ms
        expected = sum(
            self.expected(at, min(at + HOUR_MS, end_ms) - at)
            for at in range(start_ms, end_ms, HOUR_MS)
        )
        if expected <= 0:
            raise UsageError("No customer of the file is active and signed up in this time.")
        self._scale = rate * (end_ms - start_ms) / 1000 / expected

    def expected(self, at_ms: int, length_ms: int) -> float:
        """Plays begun from `at_ms` on within `length_ms`, on average."""
        _, plays, _ = self._day(at_ms // DAY_MS)
        return float(
            (plays * self._eagerness(at_ms + length_ms // 2)).sum() * self._scale * length_ms / 1000
        )

    def sessions(self, rng: np.random.Generator, at_ms: int, length_ms: int, share: float) -> Rows:
        """The person of each session begun in the slice (`share` of all plays are in sessions)."""
        begun, _, _ = self._day(at_ms // DAY_MS)
        mean = begun * self._eagerness(at_ms + length_ms // 2) * self._scale * length_ms / 1000
        return self._draw(rng, at_ms, rng.poisson(mean * share))

    def some(self, rng: np.random.Generator, at_ms: int, count: int) -> Rows:
        """`count` people who may well be listening at `at_ms`, in no order."""
        begun, _, _ = self._day(at_ms // DAY_MS)
        weight = begun * self._eagerness(at_ms)
        if not count or weight.sum() <= 0:
            return np.zeros(0, np.int32)
        people = self._draw(rng, at_ms, rng.multinomial(count, weight / weight.sum()))
        rng.shuffle(people)
        return people

    def _draw(self, rng: np.random.Generator, at_ms: int, counts: npt.NDArray[np.int64]) -> Rows:
        _, _, ladder = self._day(at_ms // DAY_MS)
        ends = np.searchsorted(self._group, np.arange(len(counts)), side="right")
        top = ladder[ends - 1]
        bottom = np.concatenate([[0.0], top[:-1]])
        low, width = np.repeat(bottom, counts), np.repeat(top - bottom, counts)
        spot = np.searchsorted(ladder, low + rng.random(len(low)) * width, side="right")
        return self._order[np.minimum(spot, len(ladder) - 1)]

    def _weigh(self, day: int) -> tuple[Floats, Floats, Floats]:
        """Of one UTC day: sessions and plays by group, and the running weight of the people."""
        here = (self._people.signed_ms < (day + 1) * DAY_MS) & (self._habits.left_ms > day * DAY_MS)
        begun = np.where(here, self._habits.sessions, 0.0)[self._order]
        plays = np.where(here, self._habits.plays, 0.0)[self._order]
        groups = len(self._kind)
        return (
            np.bincount(self._group, begun, groups).astype(np.float64),
            np.bincount(self._group, plays, groups).astype(np.float64),
            begun.cumsum(),
        )

    def _eagerness(self, at_ms: int) -> Floats:
        if self._flat:
            return np.ones(len(self._kind))
        offset = self._places.offsets(self._zone, np.full(len(self._zone), at_ms)).astype(np.int64)
        local = at_ms + offset * 60_000
        weekend = ((local // DAY_MS + 3) % 7 >= 5).astype(np.int64)
        return CURVES[weekend, self._kind, local // HOUR_MS % 24]
