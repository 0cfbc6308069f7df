"""What the system can know of a listener: plays of the last closed days by part of the day."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.habits import CURVES, Habits
from simulator.rules import DAY_MS, HOUR_MS

CLOSED_DAYS = 28
PARTS = ("morning", "afternoon", "evening", "night")
SHARES = (*PARTS, "mobile")
PART_OF_HOUR = np.array([3] * 5 + [0] * 7 + [1] * 5 + [2] * 5 + [3] * 2)
"""Which part of the day an hour belongs to: morning from 5, afternoon 12, evening 17, night 22."""

EPOCH = date(1970, 1, 1)

Counts = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


@dataclass(eq=False)
class Book:
    """Plays by part of the day, and on a phone, of each person over the 28 closed days.

    A day is the UTC day of publication; it closes when the first play of a later one comes.
    """

    people: int
    today: int = -1
    _open: Counts = field(init=False)
    _closed: deque[tuple[int, Counts]] = field(default_factory=deque)
    _sum: Counts = field(init=False)

    def __post_init__(self) -> None:
        self._open = np.zeros((self.people, len(SHARES)), np.int32)
        self._sum = np.zeros_like(self._open)

    def open_day(self, day: int) -> None:
        """It is now `day` (days since the epoch): close what came before it."""
        if day <= self.today:
            return
        if self._open.any():
            self._closed.append((self.today, self._open))
            self._sum += self._open
            self._open = np.zeros_like(self._open)
        self.today = day
        while self._closed and self._closed[0][0] < day - CLOSED_DAYS:
            self._sum -= self._closed.popleft()[1]

    def write(self, plays: pl.DataFrame) -> None:
        """Take accepted PLAYS, none of them published before the open day."""
        plays = plays.filter(pl.col("person") >= 0)
        days = plays["published"].to_numpy() // DAY_MS
        for day in np.unique(days):
            self.open_day(int(day))
            self._write_open(plays.filter(pl.Series(days == day)))

    def _write_open(self, plays: pl.DataFrame) -> None:
        person = plays["person"].to_numpy()
        local = plays["played"].to_numpy() + plays["offset"].to_numpy().astype(np.int64) * 60_000
        np.add.at(self._open, (person, PART_OF_HOUR[local // HOUR_MS % 24]), 1)
        np.add.at(self._open[:, -1], person[plays["mobile"].to_numpy()], 1)

    def remember(self, profiles: pl.DataFrame, ids: npt.NDArray[np.int64], today: int) -> None:
        """Take the past from the profiles of an answer key, as it stands on the day `today`."""
        row = {int(customer): i for i, customer in enumerate(ids)}
        profiles = profiles.filter(pl.col("customer_id").is_in(ids.tolist())).sort("day")
        for (day,), rows in profiles.group_by("day", maintain_order=True):
            number = (day - EPOCH).days
            if number < today:
                self.open_day(number)
                people = [row[customer] for customer in rows["customer_id"]]
                self._open[people] += rows.select(SHARES).to_numpy()
        self.open_day(today)

    def plays(self) -> Counts:
        """Plays of each person in the closed days."""
        return self._sum[:, : len(PARTS)].sum(axis=1)

    def shares(self) -> Floats:
        """[person, share]: the columns of SHARES, 0 for one without plays."""
        return self._sum / np.maximum(self.plays(), 1)[:, None]


def usual_shares(habits: Habits) -> Floats:
    """What the shares of each person tend to, by their habits: for those without a past."""
    day = (5 * CURVES[0] + 2 * CURVES[1]) / 7
    parts = np.stack([day[:, part == PART_OF_HOUR].sum(axis=1) for part in range(len(PARTS))], 1)
    parts /= parts.sum(axis=1, keepdims=True)
    return np.column_stack([parts[habits.kind], habits.mobile])
