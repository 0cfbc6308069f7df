"""BigQuery in a bounded run: rows by load jobs, a Parquet file a frame.

A load costs nothing, and its job's id comes from the run, the table and the rows: a bundle that is
tried again after its rows were loaded finds the job done and adds nothing. Another run loads again,
so that it can put back what has been deleted; the views hold one row an identity all the same.
Small frames are appended instead, and so is what BigQuery does not take as a file: by name of each
bad row where a row is bad, and when the day's quota of load jobs is used up.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
from google.api_core.exceptions import (
    GoogleAPICallError,
    RetryError,
    ServerError,
    TooManyRequests,
)
from google.auth.exceptions import TransportError
from google.cloud import bigquery
from requests.exceptions import ConnectionError as RequestConnectionError
from requests.exceptions import Timeout

from beam_pipeline.domain.schemas import PUBLISH_TIME
from beam_pipeline.edges.bigquery import DATASETS, BigQueryConfig, BigQuerySink
from beam_pipeline.edges.loads import load_parquet
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.sinks import no_dead_letters

log = logging.getLogger(__name__)

LEAST_ROWS = 1_000
"""Fewer are not worth a job: a table takes 1,500 a day."""

TRANSIENT = (
    ServerError,
    TooManyRequests,
    RetryError,
    TransportError,
    RequestConnectionError,
    Timeout,
)
"""What BigQuery answers, or does not, while it cannot take a job: to be waited out."""


@dataclass(frozen=True, slots=True)
class BigQueryLoadsConfig:
    """A dataset that a bounded run writes to."""

    config: BigQueryConfig
    run: str
    """What tells this run from all others; of its bundles' every try the same."""

    def open(self) -> BigQueryLoads:
        """The sink; connects at its first write."""
        return BigQueryLoads(self.config, self.run)


class BigQueryLoads:
    """Every dataset of the pipeline, loaded frame by frame."""

    name = "bigquery"
    datasets = DATASETS
    patience_s = 0.0

    def __init__(self, config: BigQueryConfig, run: str, outage: Outage | None = None) -> None:
        self._config = config
        self._run = run
        self._outage = outage or Outage("BigQuery")
        self._appending: BigQuerySink = config.open()
        self._client: bigquery.Client | None = None

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Load the rows, or append them; those that BigQuery refuses come back as DEAD_LETTERS.

        Raises `ValueError` for a dataset that is not stored.
        """
        wanted = dataset in self.datasets and frame.height >= LEAST_ROWS
        if wanted and self._outage.call(partial(self._loaded, dataset, frame), TRANSIENT):
            return no_dead_letters()
        return self._appending.write(dataset, frame)

    def _loaded(self, dataset: str, frame: pl.DataFrame) -> bool:
        """Whether BigQuery has taken all of it; False where it will not, as a file."""
        if self._client is None:
            self._client = self._config.client()
        table = f"{self._config.project}.{self._config.dataset}.{dataset}"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "rows.parquet"
            frame.drop(PUBLISH_TIME, strict=False).write_parquet(file, compression="lz4")
            try:
                load_parquet(self._client, file, table, run=self._run)
            except TRANSIENT:
                raise
            except (GoogleAPICallError, ValueError) as error:
                log.warning("appending %s, which BigQuery does not load: %s", dataset, error)
                return False
        return True

    def close(self) -> None:
        """End the connections."""
        self._appending.close()
        if self._client is not None:
            self._client.close()  # type: ignore[no-untyped-call]
