"""A BigQuery dataset of these tests' own."""

from __future__ import annotations

import pytest

from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.tables import create_tables
from infra.local.stack import Stack


@pytest.fixture(scope="module")
def big(stack: Stack) -> BigQueryConfig:
    """A dataset with our tables and views, empty."""
    ends = stack.endpoints
    config = BigQueryConfig(ends.project, "learning", stack.bigquery, ends.bigquery_grpc)
    client = config.client()
    client.delete_dataset("learning", delete_contents=True, not_found_ok=True)
    create_tables(client, "learning")
    return config


def bigquery_flags(config: BigQueryConfig) -> tuple[str, ...]:
    """The flags for an emulator's dataset."""
    assert config.endpoint is not None
    assert config.grpc_endpoint is not None
    place = ("--bigquery", f"{config.project}.{config.dataset}")
    emulator = ("--bigquery-endpoint", config.endpoint)
    return (*place, *emulator, "--bigquery-grpc-endpoint", config.grpc_endpoint)
