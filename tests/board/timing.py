"""How long the page's data take, with an Elasticsearch that is there: for people, not for tests.

`tests.board.fill` fills one. By hand:

    python -m tests.board.timing --elasticsearch URL --redis URL
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec
from elasticsearch import Elasticsearch

from functions.board.catalogue import load
from functions.board.data import Data
from functions.board.progress import ProgressReader
from functions.board.view import RANGES, View

FIRST, NEXT = "nothing known", "4 s later"


@dataclass
class Clock:
    """Seconds since the epoch, moved by hand."""

    now: float

    def __call__(self) -> float:
        return self.now


def views() -> Iterator[View]:
    """Every range, and what narrows it."""
    for length in RANGES:
        yield View(range=length)
        yield View(range=length, device="mobile")
        yield View(range=length, state="CA")


def measure(url: str, redis: str | None, view: View, now: float, rounds: int) -> dict[str, float]:
    """Median milliseconds of a board's first answer, and of the one 4 s later.

    Elasticsearch remembers answers until the next refresh; here it is made to forget them.
    """
    spent: dict[str, list[float]] = {FIRST: [], NEXT: []}
    with Elasticsearch(url, request_timeout=30) as client:
        for _ in range(rounds):
            clock = Clock(now)
            data = Data(client, ProgressReader(redis), load(), customers=True, clock=clock)
            for name in (FIRST, NEXT):
                client.indices.clear_cache(index="*", request=True, query=True)
                began = time.perf_counter()
                msgspec.json.encode(data.page(view))
                spent[name].append((time.perf_counter() - began) * 1000)
                clock.now += 4
            now += 1
    return {name: statistics.median(times) for name, times in spent.items()}


def main() -> None:
    """Measure every view and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.board.timing", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--elasticsearch", required=True, metavar="URL")
    parser.add_argument("--redis", metavar="URL")
    parser.add_argument("--now", metavar="TIME", help="the board's clock, RFC 3339; the world's")
    parser.add_argument("--rounds", type=int, default=5, help="of each view (5)")
    asked = parser.parse_args()
    now = datetime.fromisoformat(asked.now).timestamp() if asked.now else time.time()
    plays = Elasticsearch(asked.elasticsearch).count(index="plays-*")["count"]
    print(f"{plays:,} plays; ms, median of {asked.rounds}")
    for view in views():
        found = measure(asked.elasticsearch, asked.redis, view, now, asked.rounds)
        narrowed = view.device or view.state or "all"
        told = ", ".join(f"{name} {ms:.0f}" for name, ms in found.items())
        print(f"{view.range:>4} {narrowed:<7} {told}")


if __name__ == "__main__":
    main()
