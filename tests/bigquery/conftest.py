"""Datasets of these tests' own on the session's BigQuery emulator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from google.cloud import bigquery

from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.tables import create_tables, folder, in_dataset
from infra.local.stack import Stack
from tests.bigquery.sql import with_values

DATASET = "questions"


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A dataset with our tables and views."""

    config: BigQueryConfig
    client: bigquery.Client

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """What a statement gives; `encore.` is our dataset here."""
        found = self.client.query_and_wait(in_dataset(sql, self.config.dataset))
        return [tuple(row) for row in found]

    def ask(self, question: str, **values: object) -> list[tuple[object, ...]]:
        """What a saved query gives with other values for its variables."""
        sql = (folder() / "queries" / f"{question}.sql").read_text("utf-8")
        return self.rows(with_values(sql, values))


@contextmanager
def new_warehouse(stack: Stack, dataset: str) -> Iterator[Warehouse]:
    """Our tables and views in a dataset that has nothing in it."""
    ends = stack.endpoints
    config = BigQueryConfig(ends.project, dataset, stack.bigquery, ends.bigquery_grpc)
    client = config.client()
    create_tables(client, dataset)
    yield Warehouse(config, client)
    client.close()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session")
def warehouse(stack: Stack) -> Iterator[Warehouse]:
    """What most of these tests share."""
    with new_warehouse(stack, DATASET) as made:
        yield made
