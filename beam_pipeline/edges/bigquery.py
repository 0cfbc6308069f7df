"""BigQuery: rows appended through the Storage Write API's default stream.

Appending is at least once; the functions and views of bigquery/views hold one row an identity.
A frame goes out as Arrow record batches of the table's types, so no Python object is made for a
row that is stored.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import msgspec
import polars as pl
import pyarrow as pa
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from google.cloud.bigquery_storage_v1 import BigQueryWriteClient
from google.cloud.bigquery_storage_v1.services.big_query_write.transports import (
    BigQueryWriteGrpcTransport,
)
from google.cloud.bigquery_storage_v1.types import AppendRowsRequest, AppendRowsResponse

from beam_pipeline.domain.schemas import PUBLISH_TIME
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.sinks import Clock, Refused, dead_letters, no_dead_letters, utc_now

ROWS_A_REQUEST = 10_000
BYTES_A_REQUEST = 6_000_000
"""A request may have 10 MB; rows differ in size, so a part of 6 MB on average leaves room."""

DATASETS = frozenset(
    {
        "plays",
        "interests",
        "listening",
        "ad_events",
        "targets",
        "messages",
        "dead_letters",
        "health",
    }
)

_CHANNEL = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]


@dataclass(frozen=True, slots=True)
class BigQueryConfig:
    """A dataset of a project; both endpoints are set for an emulator (no credentials then)."""

    project: str
    dataset: str
    endpoint: str | None = None
    """URL of the REST side, "http://127.0.0.1:9150"."""
    grpc_endpoint: str | None = None
    """Host and port of the gRPC side, "127.0.0.1:9160"."""

    def client(self) -> bigquery.Client:
        """The official client for jobs, tables and queries."""
        if self.endpoint is None:
            return bigquery.Client(project=self.project)
        return bigquery.Client(
            project=self.project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": self.endpoint},
        )

    def writer(self) -> BigQueryWriteClient:
        """The official client for appending."""
        if self.grpc_endpoint is None:
            return BigQueryWriteClient()  # type: ignore[no-untyped-call]
        channel = grpc.insecure_channel(self.grpc_endpoint, options=_CHANNEL)
        transport = BigQueryWriteGrpcTransport(channel=channel)
        return BigQueryWriteClient(transport=transport)  # type: ignore[no-untyped-call]

    def open(self) -> BigQuerySink:
        """The sink; connects at its first write."""
        return BigQuerySink(self.writer(), f"projects/{self.project}/datasets/{self.dataset}")


class BigQuerySink:
    """Every dataset of the stream, appended as it comes."""

    name = "bigquery"
    datasets = DATASETS
    patience_s = 1.0
    """For a request costs as much as hundreds of rows."""

    def __init__(
        self,
        client: BigQueryWriteClient,
        dataset: str,
        outage: Outage | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self._client = client
        self._dataset = dataset
        self._outage = outage or Outage("BigQuery")
        self._clock = clock
        self._streams: dict[str, Stream] = {}

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Append every row but those that BigQuery refuses, which come back as DEAD_LETTERS.

        Raises `ValueError` for a dataset that is not appended to.
        """
        if dataset not in self.datasets:
            raise ValueError(f"BigQuery is not appended {dataset}")
        if not frame.height:
            return no_dead_letters()
        stream = self._streams.get(dataset)
        if stream is None:
            name = f"{self._dataset}/tables/{dataset}/streams/_default"
            opened = Stream(self._client, name, self._outage)
            stream = self._streams.setdefault(dataset, opened)
        refused = []
        for batch in record_batches(frame.drop(PUBLISH_TIME, strict=False)):
            refused += stream.append(batch)
        return dead_letters(self.name, dataset, refused, self._clock())

    def close(self) -> None:
        """End the streams and the connection."""
        for stream in self._streams.values():
            stream.close()
        self._client.transport.close()  # type: ignore[no-untyped-call]


class Stream:
    """A table's default stream, opened again whenever the connection has ended.

    Threads append one after the other, for an answer does not say which request it answers.
    """

    def __init__(self, client: BigQueryWriteClient, name: str, outage: Outage) -> None:
        self._lock = threading.Lock()
        self._client = client
        self._name = name
        self._outage = outage
        self._requests: queue.SimpleQueue[AppendRowsRequest | None] | None = None
        self._answers: Iterator[AppendRowsResponse] = iter(())

    def append(self, batch: pa.RecordBatch) -> list[Refused]:
        """Append all rows, without those that BigQuery names as invalid; returns the latter."""
        with self._lock:
            return self._append(batch)

    def _append(self, batch: pa.RecordBatch) -> list[Refused]:
        refused: list[Refused] = []
        while batch.num_rows:
            answer = self._send(batch)
            if answer.row_errors:
                bad = {error.index: error.message for error in answer.row_errors}
                refused += [_refused(batch, row, why) for row, why in bad.items()]
                batch = batch.filter(pa.array([row not in bad for row in range(batch.num_rows)]))
            elif answer.error.code:
                self._outage.wait(f"{self._name}: {answer.error.message}")
            else:
                self._outage.over()
                break
        return refused

    def _send(self, batch: pa.RecordBatch) -> AppendRowsResponse:
        request = AppendRowsRequest(write_stream=self._name)
        request.arrow_rows.writer_schema.serialized_schema = batch.schema.serialize().to_pybytes()
        request.arrow_rows.rows.serialized_record_batch = batch.serialize().to_pybytes()
        while True:
            fresh = self._requests is None
            try:
                return self._exchange(request)
            except (GoogleAPICallError, RetryError, StopIteration) as error:
                self.close()
                if fresh:
                    self._outage.wait(f"{self._name}: {error or 'the stream was ended'}")

    def _exchange(self, request: AppendRowsRequest) -> AppendRowsResponse:
        if self._requests is None:
            self._requests = queue.SimpleQueue()
            self._requests.put(request)
            self._answers = iter(
                self._client.append_rows(
                    iter(self._requests.get, None),
                    metadata=(("x-goog-request-params", f"write_stream={self._name}"),),
                    retry=None,
                    timeout=None,
                )
            )
        else:
            self._requests.put(request)
        return next(self._answers)

    def close(self) -> None:
        """End the stream; the next append opens another."""
        if self._requests is not None:
            self._requests.put(None)
            self._requests = None


def record_batches(frame: pl.DataFrame) -> Iterator[pa.RecordBatch]:
    """The rows in BigQuery's types, in parts that a request can hold."""
    table = pa.table(
        {name: _column(frame[name]) for name in frame.columns},
    )
    share = max(1, int(frame.height * BYTES_A_REQUEST / max(1, table.nbytes)))
    yield from table.combine_chunks().to_batches(max_chunksize=min(ROWS_A_REQUEST, share))


def _column(values: pl.Series) -> pa.ChunkedArray | pa.Array:
    array = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    return array.cast(_arrow_type(values.dtype))


def _arrow_type(dtype: pl.DataType) -> pa.DataType:
    if dtype.is_integer():
        return pa.int64()
    if dtype.is_float():
        return pa.float64()
    if isinstance(dtype, pl.Datetime):
        return pa.timestamp("us", "UTC")
    if dtype == pl.Date:
        return pa.date32()
    if dtype == pl.Boolean:
        return pa.bool_()
    return pa.binary() if dtype == pl.Binary else pa.string()


def _refused(batch: pa.RecordBatch, row: int, why: str) -> Refused:
    content = msgspec.json.encode(batch.slice(row, 1).to_pylist()[0])
    return Refused(hashlib.sha256(content).hexdigest(), why, content)
