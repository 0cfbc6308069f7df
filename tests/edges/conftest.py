"""Empty stores for each test, on the session's real services."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from elasticsearch import Elasticsearch
from google.cloud import bigquery
from redis import Redis

from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, apply_templates
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.tables import create_tables, read_tables
from infra.local.stack import Stack


def drop_indices(client: Elasticsearch) -> None:
    """Delete every index."""
    for name in client.indices.get(index="*"):
        client.indices.delete(index=name)


@pytest.fixture
def elastic(stack: Stack) -> Iterator[Elasticsearch]:
    """Elasticsearch with our templates and no index."""
    client = ElasticsearchConfig(stack.elasticsearch).client()
    drop_indices(client)
    apply_templates(client, replicas=0)
    yield client
    drop_indices(client)
    client.close()


@pytest.fixture
def redis(stack: Stack) -> Iterator[Redis]:
    """Redis without a key."""
    client = connect(stack.redis)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture(scope="session")
def edges_dataset(stack: Stack) -> Iterator[tuple[BigQueryConfig, bigquery.Client]]:
    """A dataset of these tests' own with our tables and views."""
    ends = stack.endpoints
    config = BigQueryConfig(ends.project, "edges", stack.bigquery, ends.bigquery_grpc)
    client = config.client()
    create_tables(client, "edges")
    yield config, client
    client.close()  # type: ignore[no-untyped-call]


@pytest.fixture
def big(
    edges_dataset: tuple[BigQueryConfig, bigquery.Client],
) -> tuple[BigQueryConfig, bigquery.Client]:
    """The dataset, all its tables empty."""
    config, client = edges_dataset
    for table in read_tables():
        if client.get_table(f"{config.project}.edges.{table.name}").num_rows:
            client.query_and_wait(f"TRUNCATE TABLE edges.{table.name}")
    return config, client
