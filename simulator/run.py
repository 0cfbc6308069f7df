"""A run: its settings, the town it takes place in, and the account that is kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulator.account import Account
from simulator.book import Book
from simulator.catalogue import Catalogue
from simulator.counts import Recent
from simulator.crowd import Crowd
from simulator.errors import UsageError
from simulator.faults import Faults
from simulator.habits import Habits
from simulator.key import Key
from simulator.lines import Writer
from simulator.offers import Desk, Terms
from simulator.people import People
from simulator.places import Places
from simulator.rules import HOUR_MS
from simulator.sessions import Town
from simulator.taste import Taste
from simulator.timeline import LONGEST_MS, Slice, slice_length, timeline


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
    terms: Terms

    def town(self, span_ms: tuple[int, int]) -> Town:
        """Read the reference files and fill the town; `rate` is the mean of [start, end) ms.

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


@dataclass(frozen=True, eq=False)
class Run:
    """Everything that one run needs, ready to begin."""

    settings: Settings
    span_ms: tuple[int, int]
    town: Town
    writer: Writer
    desk: Desk
    account: Account

    @classmethod
    def of(
        cls,
        settings: Settings,
        span_ms: tuple[int, int],
        key: Path | None,
        *,
        in_file: bool,
        rate_span_ms: tuple[int, int] | None = None,
    ) -> Run:
        """Prepare a run over [start, end) ms, with its answer key in the folder `key` or nowhere.

        `in_file`: lines say when they were published. The rate is an average over `rate_span_ms`,
        if not over the run. Nothing is written yet. Raises UsageError for files that cannot be
        used.
        """
        town = settings.town(rate_span_ms or span_ms)
        writer = Writer(town.places, f"{settings.seed:x}.{span_ms[0] // 1000:x}.", in_file)
        book = Book(len(town.people))
        desk = Desk(town, settings.terms, book)
        recent = Recent(max(HOUR_MS, slice_length(settings.rate)))
        account = Account(town.people, town.catalogue, writer, Key(key), book, recent)
        return cls(settings, span_ms, town, writer, desk, account)

    def slices(self, longest_ms: int = LONGEST_MS) -> Iterator[Slice]:
        """The run, slice after slice; account for one before asking for the next."""
        return timeline(self.town, self.desk, self.settings.faults, self.span_ms, longest_ms)

    def close(self, about: dict[str, Any]) -> dict[str, Any]:
        """Finish the answer key; gives its summary, `about` included."""
        start, end = (moment(ms) for ms in self.span_ms)
        about = {"seed": self.settings.seed, "start": start, "end": end, **about}
        return self.account.close(about, self.desk)


def empty_folder(path: Path) -> Path:
    """Make the folder; UsageError if it holds anything or cannot be made."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise UsageError(f"The folder {path} is not empty.")
    except OSError as error:
        raise UsageError(f"The folder {path} cannot be made: {error.strerror}.") from None
    return path


def moment(ms: int) -> str:
    """A moment as RFC 3339."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat().replace("+00:00", "Z")
