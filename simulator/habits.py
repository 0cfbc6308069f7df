"""What nobody is told about a listener: when they listen, how much, and on what.

Everything here is a fixed function of (seed, customer id), so it needs no file and survives any
order of work.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.people import People
from simulator.seeds import purpose_number, uniform

Floats = npt.NDArray[np.float64]

KINDS = ("commuter", "student", "desk", "owl")
MONTH_MS = 30 * 86_400_000

SESSION_PLAYS = np.array([5.0, 8.0, 10.0])
"""Mean plays in a session by level: free, silver, gold."""
SKIPPING = np.array([0.30, 0.20, 0.15])
"""Share of plays skipped within half a minute, by level."""
LEVEL_ACTIVITY = np.array([1.0, 1.5, 2.0])
KIND_BY_BAND = np.array(
    [
        [0.15, 0.65, 0.05, 0.15],
        [0.25, 0.40, 0.10, 0.25],
        [0.50, 0.10, 0.25, 0.15],
        [0.55, 0.05, 0.28, 0.12],
        [0.55, 0.03, 0.34, 0.08],
        [0.45, 0.02, 0.46, 0.07],
        [0.25, 0.02, 0.68, 0.05],
    ]
)
"""Chance of each kind of listener, by age band."""
BAND_ACTIVITY = np.array([1.3, 1.5, 1.2, 1.0, 0.9, 0.7, 0.6])
MOBILE_BY_KIND = np.array([0.78, 0.86, 0.18, 0.45])

_WEEKDAY = (
    (
        1,
        0.5,
        0.3,
        0.3,
        0.8,
        2.5,
        6,
        11,
        12,
        7,
        4,
        3.5,
        4,
        3.5,
        3.5,
        4.5,
        7,
        11,
        12,
        9,
        6,
        4.5,
        3,
        2,
    ),
    (2, 1, 0.5, 0.3, 0.3, 0.6, 2, 6, 4, 2, 2, 2.5, 4, 3, 4, 9, 10, 9, 8, 8, 9, 9, 7, 4),
    (0.5, 0.3, 0.2, 0.2, 0.4, 1, 3, 6, 10, 12, 11, 10, 7, 9, 9, 8, 7, 6, 5, 4, 3, 2.5, 2, 1),
    (9, 7, 5, 3, 1.5, 0.8, 1, 2, 3, 2, 2, 2, 2.5, 2.5, 3, 3, 4, 6, 6, 6, 8, 10, 12, 12),
)
_WEEKEND = (
    (3, 2, 1, 0.5, 0.3, 0.4, 0.8, 1.5, 3, 5, 7, 8, 8, 7.5, 7, 7, 7, 7.5, 8, 8, 8, 8, 7, 5),
    (7, 5, 3, 1.5, 0.5, 0.3, 0.4, 0.6, 1, 2, 4, 6, 7, 8, 8, 8, 8, 8, 8, 9, 10, 11, 11, 9),
    (2, 1, 0.5, 0.3, 0.3, 0.5, 1, 2.5, 5, 7, 8, 8, 7, 6, 6, 6, 6, 6, 6, 6, 5.5, 5, 4, 3),
    (13, 11, 8, 5, 3, 1, 0.5, 0.5, 1, 1.5, 2, 3, 4, 4, 4, 4, 5, 6, 7, 8, 9, 11, 13, 14),
)


def _shares(rows: tuple[tuple[float, ...], ...]) -> Floats:
    table = np.array(rows, np.float64)
    return table / table.sum(axis=1, keepdims=True) * 24


CURVES = np.stack([_shares(_WEEKDAY), _shares(_WEEKEND) * 1.1])
"""[weekend, kind, local hour]: how eagerly a session begins; a weekday averages 1."""


@dataclass(frozen=True, eq=False)
class Habits:
    """Hidden traits, one row a person.

    `kind` int8, a row of KINDS; `sessions` and `plays` float64, relative numbers of sessions
    begun and plays made; `mobile` float64, the chance that a session is on a phone; `session_plays`
    float64; `skipping` float64; `left_ms` int64, when the person stops listening for good.
    """

    kind: npt.NDArray[np.int8]
    sessions: Floats
    plays: Floats
    mobile: Floats
    session_plays: Floats
    skipping: Floats
    left_ms: npt.NDArray[np.int64]

    @classmethod
    def of(cls, people: People, seed: int, start_ms: int, churn: float) -> Habits:
        """The habits of everyone; `churn` is the share of listeners lost in 30 days."""

        def chance(purpose: str) -> Floats:
            return uniform(people.ids, purpose_number(f"{seed} {purpose}"))

        band = np.where(people.band < 0, 2, people.band)
        level = np.clip(people.level, 0, 2)
        cumulative = KIND_BY_BAND.cumsum(axis=1)[band]
        kind = (chance("kind")[:, None] >= cumulative[:, :-1]).sum(axis=1).astype(np.int8)
        bell = np.sqrt(-2 * np.log(1 - chance("bell"))) * np.cos(2 * np.pi * chance("angle"))
        plays = np.exp(0.7 * bell) * LEVEL_ACTIVITY[level] * BAND_ACTIVITY[band]
        plays = np.where(people.status == 0, 0.0, plays)
        stays = (
            -np.log1p(-chance("churn")) / -np.log1p(-churn) if churn else np.full(len(people), 1e6)
        )
        begun = np.maximum(people.signed_ms, start_ms)
        return cls(
            kind=kind,
            sessions=plays / SESSION_PLAYS[level],
            plays=plays,
            mobile=np.clip(MOBILE_BY_KIND[kind] + (chance("mobile") - 0.5) * 0.3, 0.02, 0.98),
            session_plays=SESSION_PLAYS[level],
            skipping=SKIPPING[level],
            left_ms=begun + np.minimum(stays * MONTH_MS, 1e15).astype(np.int64),
        )
