"""A run's settings, and the town they make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from simulator.catalogue import Catalogue
from simulator.crowd import Crowd
from simulator.errors import UsageError
from simulator.faults import Faults
from simulator.habits import Habits
from simulator.people import People
from simulator.places import Places
from simulator.sessions import Town
from simulator.taste import Taste


@dataclass(frozen=True)
class Settings:
    """What listeners do and what goes wrong; `rate` is plays a second, averaged over the run."""

    customers: Path
    tracks: Path
    seed: int
    rate: float
    bursts: float
    churn: float
    flat: bool
    faults: Faults

    def town(self, span_ms: tuple[int, int]) -> Town:
        """Read the reference files and fill the town for a run over [start, end) ms.

        Raises UsageError for files that cannot be used, or shares that add up to too much.
        """
        if self.bursts + self.faults.bots.rate > 0.9:
            raise UsageError("Bursts and bots together can be at most 0.9 of all plays.")
        places = Places.load()
        people = People.load(self.customers, places)
        catalogue = Catalogue.load(self.tracks)
        habits = Habits.of(people, self.seed, span_ms[0], self.churn)
        bots_seed = self.faults.bots.seed
        return Town(
            people=people,
            habits=habits,
            catalogue=catalogue,
            places=places,
            crowd=Crowd(people, habits, places, span_ms, self.rate, flat=self.flat),
            taste=Taste(catalogue, self.seed),
            seed=self.seed,
            rate=self.rate,
            bursts=self.bursts,
            bots=self.faults.bots.rate,
            bots_seed=self.seed if bots_seed is None else bots_seed,
        )
