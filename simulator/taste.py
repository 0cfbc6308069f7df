"""What a listener hears: a personal pool of favourites with Zipf weights, and exploration."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from simulator.catalogue import Catalogue
from simulator.seeds import purpose_number, stream, uniform

POOL = 200
"""Tracks in a personal pool; wide, so that a repeat within half an hour is a decision, not luck."""
POOL_EXPONENT = 0.5
HIT_EXPONENT = 0.9
EXPLORING = 0.15

Rows = npt.NDArray[np.int32]


class Taste:
    """Maps (person, chance) to tracks: pools are computed, never stored."""

    def __init__(self, catalogue: Catalogue, seed: int) -> None:
        self._count = len(catalogue.ids)
        self._salt = purpose_number(f"{seed} taste")
        self._by_fame = stream(seed, "fame").permutation(self._count).astype(np.int32)

    def tracks(self, rng: np.random.Generator, people: Rows) -> Rows:
        """One track for each person: a favourite, or now and then something new."""
        favourite = zipf(rng.random(len(people)), POOL, POOL_EXPONENT)
        fame = uniform(people.astype(np.int64) * POOL + favourite, self._salt)
        fame = np.where(rng.random(len(people)) < EXPLORING, rng.random(len(people)), fame)
        return self._by_fame[zipf(fame, self._count, HIT_EXPONENT)]

    def discoveries(self, rng: np.random.Generator, count: int) -> Rows:
        """Any tracks: what a player that shuffles puts in for a track it has just played."""
        return rng.integers(0, self._count, count, dtype=np.int32)


def zipf(chance: npt.NDArray[np.float64], count: int, exponent: float) -> npt.NDArray[np.int64]:
    """Ranks 0..count-1 with weights near (rank + 1) ** -exponent, from chances in [0, 1).

    The inverse of the continuous (truncated Pareto) distribution, exponent not 1.
    """
    power = 1 - exponent
    rank = ((((count + 1) ** power - 1) * chance + 1) ** (1 / power)).astype(np.int64) - 1
    return np.minimum(rank, count - 1)
