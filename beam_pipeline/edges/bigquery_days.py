"""Days of datasets in BigQuery: closed days read, whole days replaced."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import IO

import polars as pl
import pyarrow.parquet as pq
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud.bigquery import LoadJobConfig
from requests.exceptions import RequestException

from beam_pipeline.domain.daily import INPUTS
from beam_pipeline.domain.events import MAX_AGE, MAX_SKEW
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_read import QueryFailed, query, run
from beam_pipeline.edges.days import DAY_COLUMN

_ONE_DAY = timedelta(days=1)
_PUBLISHED = """SELECT {columns} FROM {dataset}_between(@earliest, @latest)
WHERE published_at >= @start AND published_at < @end"""
_DECIDED = "SELECT {columns} FROM {dataset}_between(@start, @end)"
_HEARD = "SELECT {columns} FROM {dataset} WHERE day BETWEEN @first AND @last"


@dataclass(frozen=True, slots=True)
class BigQueryHistory:
    """Closed days, by the functions that give one row an identity."""

    config: BigQueryConfig

    def open(self) -> BigQueryHistory:
        """Itself: every read connects anew."""
        return self

    def read(self, dataset: str, first: date, last: date) -> pl.DataFrame:
        """The rows of these days. Events are looked for in every partition they can lie in.

        Raises:
            QueryFailed: with BigQuery's reason.
        """
        columns = ", ".join(INPUTS[dataset])
        if dataset == "profiles":
            sql = _HEARD.format(columns=columns, dataset=dataset)
            return query(self.config, sql, {"first": first, "last": last})
        start, end = (datetime.combine(day, time(), UTC) for day in (first, last + _ONE_DAY))
        bounds = {"start": start, "end": end}
        if dataset == "targets":
            return query(self.config, _DECIDED.format(columns=columns, dataset=dataset), bounds)
        reach = {"earliest": start - MAX_AGE, "latest": end + MAX_SKEW}
        sql = _PUBLISHED.format(columns=columns, dataset=dataset)
        return query(self.config, sql, {**bounds, **reach})


@dataclass(frozen=True, slots=True)
class BigQueryLedger:
    """Whole days of partitioned tables."""

    config: BigQueryConfig

    def open(self) -> BigQueryLedger:
        """Itself: every write connects anew."""
        return self

    def replace(self, dataset: str, days: list[date], frames: Iterable[pl.DataFrame]) -> None:
        """Replace the partitions of these days in one transaction.

        The rows are loaded into a table beside it first, by a Parquet load job; a crash leaves
        the partitions as they were, and the next run writes over what it left.

        Raises:
            QueryFailed: with BigQuery's reason.
        """
        incoming = f"{dataset}_incoming"
        with tempfile.TemporaryFile() as file:
            columns = _write(file, frames)
            file.seek(0)
            self._load(file, incoming)
        listed, column = ", ".join(columns), DAY_COLUMN[dataset]
        between = f"'{days[0]}' AND '{days[-1]}'"
        run(
            self.config,
            f"""BEGIN TRANSACTION;
DELETE FROM {dataset} WHERE {column} BETWEEN {between};
INSERT INTO {dataset} ({listed}) SELECT {listed} FROM {incoming};
COMMIT TRANSACTION;
DROP TABLE {incoming};""",  # noqa: S608 - names of ours, and dates
        )

    def _load(self, file: IO[bytes], table: str) -> None:
        job = LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_TRUNCATE")
        place = f"{self.config.project}.{self.config.dataset}.{table}"
        try:
            self.config.client().load_table_from_file(file, place, job_config=job).result()
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            raise QueryFailed.of(self.config, error) from error


def _write(file: IO[bytes], frames: Iterable[pl.DataFrame]) -> list[str]:
    """Write frames as one Parquet file, a row group a frame; the names of the columns."""
    writer: pq.ParquetWriter | None = None
    names: list[str] = []
    for frame in frames:
        table = frame.to_arrow(compat_level=_OLDEST)
        if writer is None:
            writer, names = pq.ParquetWriter(file, table.schema), frame.columns
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return names


_OLDEST = pl.CompatLevel.oldest()
