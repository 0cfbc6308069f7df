"""Reading from BigQuery: a query's rows by the Storage Read API, as a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from google.cloud.bigquery import Client
    from google.cloud.bigquery_storage_v1 import BigQueryReadClient


class QueryFailed(Exception):
    """BigQuery refused a query or could not be reached; the text is its own."""


@dataclass(frozen=True, slots=True)
class BigQueryReader:
    """A dataset to read from; endpoints are those of an emulator."""

    project: str
    dataset: str
    endpoint: str | None = None
    grpc_endpoint: str | None = None

    def query(self, sql: str, parameters: Mapping[str, date]) -> pl.DataFrame:
        """The rows of a query; unqualified tables are those of the dataset.

        Raises:
            QueryFailed: with BigQuery's reason.
        """
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from google.cloud.bigquery import DatasetReference, QueryJobConfig, ScalarQueryParameter
        from requests.exceptions import RequestException

        config = QueryJobConfig(
            default_dataset=DatasetReference(self.project, self.dataset),
            query_parameters=[
                ScalarQueryParameter(name, "DATE", value) for name, value in parameters.items()
            ],
        )
        try:
            rows = self._client().query(sql, job_config=config).result()
            table = rows.to_arrow(bqstorage_client=self._storage())
        except (GoogleAPIError, GoogleAuthError, RequestException) as error:
            raise QueryFailed(str(error)) from error
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def _client(self) -> Client:
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import bigquery

        if self.endpoint is None:
            return bigquery.Client(project=self.project)
        return bigquery.Client(
            project=self.project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": self.endpoint},
        )

    def _storage(self) -> BigQueryReadClient:
        import grpc
        from google.cloud import bigquery_storage_v1
        from google.cloud.bigquery_storage_v1.services.big_query_read.transports import (
            BigQueryReadGrpcTransport,
        )

        if self.grpc_endpoint is None:
            return bigquery_storage_v1.BigQueryReadClient()  # type: ignore[no-untyped-call]
        channel = grpc.insecure_channel(
            self.grpc_endpoint, options=[("grpc.max_receive_message_length", -1)]
        )
        transport = BigQueryReadGrpcTransport(channel=channel)
        return bigquery_storage_v1.BigQueryReadClient(transport=transport)  # type: ignore[no-untyped-call]
