"""What the simulator knows it sent, against what each store holds: identity by identity.

The simulator keeps its own account (`--key DIR`), made by other code than the pipeline's; here
the two are only compared. A count that fits is not enough: one missing and one too many fit too.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from rich.table import Table

from infra.local.snapshots import Snapshot
from infra.local.stores import HEALTH, Stores

ELASTICSEARCH, REDIS, BIGQUERY = "Elasticsearch", "Redis", "BigQuery"


@dataclass(frozen=True)
class Held:
    """What a store holds of one thing, and how that differs from what it should hold."""

    count: int
    missing: int = 0
    extra: int = 0

    @classmethod
    def of(cls, expected: pl.Series, stored: pl.Series) -> "Held":
        """Compare identities; one that is stored twice is one too many."""
        wanted = expected.unique()
        missing = wanted.len() - int(wanted.is_in(stored.unique().implode()).sum())
        return cls(stored.len(), missing, stored.len() - (wanted.len() - missing))

    @classmethod
    def count_of(cls, expected: int, stored: int) -> "Held":
        """Compare two numbers."""
        return cls(stored, max(0, expected - stored), max(0, stored - expected))

    @classmethod
    def counts_of(cls, expected: Mapping[str, int], stored: Mapping[str, int]) -> "Held":
        """Compare numbers by name, each on its own."""
        names = expected.keys() | stored.keys()
        each = [cls.count_of(expected.get(name, 0), stored.get(name, 0)) for name in names]
        total = sum(stored.values())
        return cls(total, sum(one.missing for one in each), sum(one.extra for one in each))

    def __str__(self) -> str:
        notes = [f"{self.missing:,} missing"] * bool(self.missing)
        notes += [f"{self.extra:,} too many"] * bool(self.extra)
        return f"{self.count:,}" + (f" ({', '.join(notes)})" if notes else "")


@dataclass(frozen=True)
class Line:
    """One thing that was sent, and what each store that keeps it has of it."""

    what: str
    expected: int
    held: dict[str, Held]

    @property
    def fits(self) -> bool:
        """Whether no store misses any or has one too many."""
        return not any(held.missing or held.extra for held in self.held.values())


def read_summary(key: Path) -> dict[str, Any]:
    """The summary of the simulator's account."""
    summary: dict[str, Any] = json.loads((key / "summary.json").read_text())
    return summary


def has_arrived(summary: Mapping[str, Any], last: Snapshot) -> bool:
    """Whether the stores' own counts have come to what was sent (window counts may follow)."""
    kept = ("plays", "ad_events", "interests")
    return (
        last.health.get("received") == summary["received"]
        and all(last.documents.get(name, 0) == summary[name] for name in kept)
        and all(last.rows.get(name, 0) >= summary[name] for name in kept)
        and last.rows.get("dead_letters", 0) >= summary["rejected"]
        and last.documents.get("messages", 0) == last.ended <= last.rows.get("messages", 0)
        and last.documents.get("targets", 0) <= last.rows.get("targets", 0)
    )


def reconcile(key: Path, stores: Stores) -> list[Line]:
    """Compare every store with the account in `key`: datasets first, then the health counters."""
    stores.refresh()
    summary = read_summary(key)
    return [
        _events(key, stores, "plays", "plays-*"),
        _events(key, stores, "ad_events", "ad_events"),
        _interests(key, stores),
        _dead_letters(summary, stores),
        *_listening(key, stores),
        *_health(summary, stores),
    ]


def is_conserved(lines: list[Line]) -> bool:
    """received = accepted + duplicate + rejected, in each store's own words."""
    health = {line.what: line.held for line in lines if line.what in HEALTH}
    parts = ("accepted", "duplicate", "rejected")
    return all(
        received.count == sum(health[part][store].count for part in parts)
        for store, received in health["received"].items()
    )


def as_table(lines: list[Line]) -> Table:
    """The reconciliation for people."""
    stores = list(
        dict.fromkeys([ELASTICSEARCH, REDIS, BIGQUERY, *(n for line in lines for n in line.held)])
    )
    table = Table(title="What was sent, and what each store holds", title_justify="left")
    table.add_column("")
    for name in ("sent", *stores):
        table.add_column(name, justify="right")
    table.add_column("")
    for line in lines:
        cells = [str(line.held.get(store, "")) for store in stores]
        verdict = "[green]fits" if line.fits else "[red]differs"
        table.add_row(line.what.replace("_", " "), f"{line.expected:,}", *cells, verdict)
    return table


def _events(key: Path, stores: Stores, dataset: str, index: str) -> Line:
    account = pl.read_parquet(key / f"{dataset}.parquet", columns=["customer_id", "event_id"])
    expected = account.select(pl.format("{}-{}", "customer_id", "event_id")).to_series()
    held = {
        ELASTICSEARCH: Held.of(expected, stores.document_ids(index)),
        BIGQUERY: Held.of(expected, stores.row_ids(dataset)),
    }
    return Line(dataset, expected.n_unique(), held)


def _interests(key: Path, stores: Stores) -> Line:
    """All of an interest has to fit; Redis keeps its latest play only."""
    account = pl.read_parquet(key / "interests.parquet")
    latest = account.with_columns(pl.col("latest").dt.epoch("ms"))
    held = {
        ELASTICSEARCH: Held.of(_whole(account), _whole(stores.document_interests())),
        REDIS: Held.of(_listed(latest), _listed(stores.listed_interests())),
        BIGQUERY: Held.of(_whole(account), _whole(stores.row_interests())),
    }
    return Line("interests", account.height, held)


def _whole(interests: pl.DataFrame) -> pl.Series:
    times = [pl.col(name).dt.epoch("ms") for name in ("since", "latest")]
    whole = pl.format("{} {} {} {} {}", "customer_id", "track_id", *times, "peak")
    return interests.select(whole).to_series()


def _listed(interests: pl.DataFrame) -> pl.Series:
    return interests.select(pl.format("{} {} {}", "customer_id", "track_id", "latest")).to_series()


def _dead_letters(summary: Mapping[str, Any], stores: Stores) -> Line:
    """By reason."""
    expected = summary["rejected_by_reason"]
    held = {BIGQUERY: Held.counts_of(expected, stores.reasons())}
    return Line("dead letters", sum(expected.values()), held)


def _listening(key: Path, stores: Stores) -> list[Line]:
    account = pl.read_parquet(key / "listening.parquet")
    expected = (account.height, int(account["plays"].sum()), int(account["listeners"].sum()))
    names = ("window counts", "plays in windows", "listeners in windows")
    measured = (names, expected, stores.document_listening(), stores.row_listening())
    return [
        Line(
            name,
            wanted,
            {
                ELASTICSEARCH: Held.count_of(wanted, documents),
                BIGQUERY: Held.count_of(wanted, rows),
            },
        )
        for name, wanted, documents, rows in zip(*measured, strict=True)
    ]


def _health(summary: Mapping[str, Any], stores: Stores) -> list[Line]:
    documents, rows = stores.document_health(), stores.row_health()
    return [
        Line(
            name,
            summary[name],
            {
                ELASTICSEARCH: Held.count_of(summary[name], documents.get(name, 0)),
                BIGQUERY: Held.count_of(summary[name], rows[name]),
            },
        )
        for name in HEALTH
    ]
