"""What a month costs at three sizes: `python -m infra.costs` prints the table of README.md.

List prices of us-central1 in US dollars, without discounts and free tiers; where each was found
stands beside it in README.md. Nothing is measured here: it is arithmetic on assumptions.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

HOURS = 730.0
SECONDS = HOURS * 3600
GIB, TIB = 2.0**30, 2.0**40

WORKER = 2 * 0.069 + 8 * 0.003557
"""A streaming n2-standard-2, an hour."""
BATCH_WORKER = 2 * 0.056 + 8 * 0.003557
STREAMING_ENGINE_GB = 0.018
PUBSUB_TIB = 40.0
PUBSUB_KEPT_GIB = 0.27
REDIS_GB_HOUR = 0.068
CPU_SECOND, IDLE_CPU_SECOND, MEMORY_SECOND, REQUEST = 24e-6, 2.5e-6, 2.5e-6, 0.4e-6
MICRO_HOUR, NAT_VM_HOUR, NAT_ADDRESS_HOUR, NAT_GIB = 0.0084, 0.0014, 0.005, 0.045
BIGQUERY_WRITE_GB, BIGQUERY_GB, BIGQUERY_OLD_GB, BIGQUERY_TIB = 0.025, 0.02, 0.01, 6.25
TRAINING_HOUR = 0.22

WIRE = 250.0
"""Bytes of an event on the wire; 10 % more with a message's attributes."""
SHUFFLED, DOCUMENT, ROW = 1500.0, 600.0, 400.0
"""Bytes of an event in Streaming Engine, on the way to Elasticsearch, and in BigQuery."""
EVENTS_A_REQUEST = 200


@dataclass(frozen=True, slots=True)
class Size:
    """A size of the system."""

    name: str
    events: float
    """A month."""
    workers: int
    redis_gb: int
    queried_tib: float
    batch_hours: float
    """Worker hours of the daily runs, a month."""


SIZES = (
    Size("small", 30e6, 1, 5, 1, 5),
    Size("medium", 300e6, 1, 5, 5, 20),
    Size("large", 3e9, 2, 20, 20, 240),
)


def warm(cpus: float, gib: float) -> float:
    """An instance that is kept warm and idle, a month."""
    return SECONDS * (cpus * IDLE_CPU_SECOND + gib * MEMORY_SECOND)


def rows(size: Size) -> dict[str, float]:
    """Dollars a month by what they are for."""
    volume = size.events * WIRE * 1.1
    requests = size.events / EVENTS_A_REQUEST
    work = requests * (0.05 * (2 * CPU_SECOND + MEMORY_SECOND) + REQUEST)
    gateway = (size.workers + 2) * NAT_VM_HOUR + NAT_ADDRESS_HOUR + 2 * MICRO_HOUR
    written = size.events * ROW / 1e9
    return {
        "Dataflow: workers of 2 vCPU and 8 GB, always on": size.workers * WORKER * HOURS,
        "Dataflow: Streaming Engine": size.events * SHUFFLED / 1e9 * STREAMING_ENGINE_GB,
        "Pub/Sub: in and out": 2 * volume / TIB * PUBSUB_TIB,
        "Pub/Sub: kept for 7 days": volume / GIB * 7 / 30 * PUBSUB_KEPT_GIB,
        "Memorystore, standard": size.redis_gb * REDIS_GB_HOUR * HOURS,
        "Functions: ingest and offer, one warm each": warm(2, 1) + warm(1, 0.5) + work,
        "Connector and NAT": gateway * HOURS + size.events * DOCUMENT / GIB * NAT_GIB,
        "BigQuery: writing": written * BIGQUERY_WRITE_GB,
        "BigQuery: 400 days of rows": written * (3 * BIGQUERY_GB + 10.3 * BIGQUERY_OLD_GB),
        "BigQuery: queries": size.queried_tib * BIGQUERY_TIB,
        "Daily runs and weekly training": size.batch_hours * BATCH_WORKER + 2 * TRAINING_HOUR,
    }


def table() -> str:
    """The table as Markdown."""
    costs = [rows(size) for size in SIZES]
    totals = [sum(each.values()) for each in costs]
    lines = ["| a month, in dollars | " + " | ".join(size.name for size in SIZES) + " |"]
    lines.append("|---" * (len(SIZES) + 1) + "|")
    lines.append(_line("events, millions", [size.events / 1e6 for size in SIZES], ",.0f"))
    lines += [_line(name, [each[name] for each in costs], ",.1f") for name in costs[0]]
    lines.append(_line("**all but Elasticsearch**", totals, ",.0f"))
    per_million = [total / size.events * 1e6 for total, size in zip(totals, SIZES, strict=True)]
    lines.append(_line("**the same, a million events**", per_million, ".2f"))
    return "\n".join(lines)


def _line(name: str, values: list[float], shape: str) -> str:
    return f"| {name} | " + " | ".join(format(value, shape) for value in values) + " |"


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
