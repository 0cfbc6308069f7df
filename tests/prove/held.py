"""What each store holds after a run, read back whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import polars as pl

from beam_pipeline.domain.schemas import DATASETS, TIMESTAMP
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_read import query
from infra.local.stores import Stores

KEPT = ("plays", "ad_events", "interests", "listening", "health")
"""The datasets that both Elasticsearch and BigQuery hold."""
FOREVER = {"since": datetime(1970, 1, 1, tzinfo=UTC), "until": datetime(9999, 1, 1, tzinfo=UTC)}
PAGE = 50_000
LETTERS = pl.Schema({"received_at": TIMESTAMP, "kind": pl.String(), "reason": pl.String()})


@dataclass(frozen=True)
class Held:
    """One store's datasets, with the columns of the data dictionary."""

    store: str
    plays: pl.DataFrame
    ad_events: pl.DataFrame
    interests: pl.DataFrame
    listening: pl.DataFrame
    health: pl.DataFrame


def in_elasticsearch(stores: Stores) -> Held:
    """Every document of every index."""
    stores.refresh()
    return Held("Elasticsearch", *(_documents(stores, dataset) for dataset in KEPT))


def in_bigquery(ledger: BigQueryConfig) -> Held:
    """What its functions give, all days of it: one row an identity."""
    return Held("BigQuery", *(_rows(ledger, dataset) for dataset in KEPT))


def dead_letters(ledger: BigQueryConfig) -> pl.DataFrame:
    """LETTERS of BigQuery: a row a line that was rejected."""
    sql = """
    SELECT received_at, JSON_VALUE(attributes, '$.kind') AS kind, reason
    FROM dead_letters_between(@since, @until)
    """
    return query(ledger, sql, FOREVER).cast(LETTERS)  # type: ignore[arg-type]


def profiles(ledger: BigQueryConfig, columns: list[str]) -> pl.DataFrame:
    """These columns of the profiles of all days."""
    sql = f"SELECT {', '.join(columns)} FROM profiles WHERE day > '1970-01-01'"
    return query(ledger, sql)


def listed(stores: Stores) -> pl.DataFrame:
    """The interest lists of Redis: customer_id, track_id, latest."""
    found = stores.listed_interests()
    return found.select("customer_id", "track_id", pl.col("latest").cast(TIMESTAMP))


def _rows(ledger: BigQueryConfig, dataset: str) -> pl.DataFrame:
    schema = DATASETS[dataset]
    names = ", ".join(f"`{name}`" for name in schema)
    whole = dataset == "interests"
    source = f"{dataset}_current" if whole else f"{dataset}_between(@since, @until)"
    sql = f"SELECT {names} FROM {source}"
    return query(ledger, sql, None if whole else FOREVER).cast(schema)  # type: ignore[arg-type]


def _documents(stores: Stores, dataset: str) -> pl.DataFrame:
    schema = DATASETS[dataset]
    times = [name for name, kind in schema.items() if kind == TIMESTAMP]
    text = pl.Schema({**schema, **dict.fromkeys(times, pl.String())})
    index = "plays-*" if dataset == "plays" else dataset
    sources = (hit["_source"] for hit in stores.scan(index, schema.names()))
    pages = [pl.DataFrame(page, schema=text) for page in _pages(sources)]
    return pl.concat([text.to_frame(), *pages]).with_columns(
        pl.col(times).str.to_datetime(time_unit="ms", time_zone="UTC")
    )


def _pages(rows: Iterator[dict[str, object]]) -> Iterator[list[dict[str, object]]]:
    while page := list(islice(rows, PAGE)):
        yield page
