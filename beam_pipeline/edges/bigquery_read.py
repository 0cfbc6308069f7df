"""Reading from BigQuery: a query's rows by the Storage Read API, as a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Self

import grpc
import polars as pl
from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud.bigquery import (
    ArrayQueryParameter,
    DatasetReference,
    QueryJobConfig,
    ScalarQueryParameter,
)
from google.cloud.bigquery_storage_v1 import BigQueryReadClient
from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
    BigQueryReadGrpcTransport,
)
from requests.exceptions import RequestException

from beam_pipeline.edges.bigquery import BigQueryConfig

Value = date | datetime | str | float | int
Parameter = Value | Sequence[str] | Sequence[int]


class QueryFailed(Exception):
    """BigQuery refused a query or could not be reached: where, and its own text."""

    @classmethod
    def of(cls, config: BigQueryConfig, error: Exception) -> Self:
        """What the client raised for a query on this dataset."""
        return cls(f"{config.project}.{config.dataset}: {error}")


_FAILURES = (GoogleAPIError, GoogleAuthError, RequestException)
_TYPES: dict[type, str] = {
    datetime: "TIMESTAMP",
    date: "DATE",
    str: "STRING",
    float: "FLOAT64",
    int: "INT64",
}


def query(
    config: BigQueryConfig, sql: str, parameters: Mapping[str, Parameter] | None = None
) -> pl.DataFrame:
    """The rows of a query; tables without a dataset are those of `config`.

    Args:
        config: the project and dataset.
        sql: GoogleSQL, with @named parameters.
        parameters: their values; a list, which is not empty, is an array.

    Raises:
        QueryFailed: with BigQuery's reason.
    """
    job = QueryJobConfig(
        default_dataset=DatasetReference(config.project, config.dataset),
        query_parameters=[_parameter(name, value) for name, value in (parameters or {}).items()],
    )
    try:
        rows = config.client().query(sql, job_config=job).result()
        table = rows.to_arrow(bqstorage_client=_reader(config))
    except _FAILURES as error:
        raise QueryFailed.of(config, error) from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _parameter(name: str, value: Parameter) -> ArrayQueryParameter | ScalarQueryParameter:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return ScalarQueryParameter(name, _TYPES[type(value)], value)
    return ArrayQueryParameter(name, _TYPES[type(value[0])], list(value))


def run(config: BigQueryConfig, script: str) -> None:
    """Run statements that give no rows.

    Raises:
        QueryFailed: with BigQuery's reason.
    """
    job = QueryJobConfig(default_dataset=DatasetReference(config.project, config.dataset))
    try:
        config.client().query(script, job_config=job).result()
    except _FAILURES as error:
        raise QueryFailed.of(config, error) from error


def _reader(config: BigQueryConfig) -> BigQueryReadClient:
    if config.grpc_endpoint is None:
        return BigQueryReadClient()  # type: ignore[no-untyped-call]
    channel = grpc.insecure_channel(
        config.grpc_endpoint, options=[("grpc.max_receive_message_length", -1)]
    )
    transport = BigQueryReadGrpcTransport(channel=channel)
    return BigQueryReadClient(transport=transport)  # type: ignore[no-untyped-call]
