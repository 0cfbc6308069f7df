"""Elasticsearch: documents by identity, with versions that make writing again harmless.

A frame becomes a bulk body in columns: one string a row (action and document), whose Arrow
buffer is the request's body as it stands. No Python object is made for a row that is stored.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pyarrow as pa
from elasticsearch import Elasticsearch

from beam_pipeline.domain.schemas import PUBLISH_TIME
from beam_pipeline.edges.bulk import Bulk, Unchanged, refusals
from beam_pipeline.edges.documents import Lines
from beam_pipeline.edges.interests import Interests
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.secrets import resolve
from beam_pipeline.edges.sinks import Clock, dead_letters, no_dead_letters, utc_now

LONGEST_KEY = 256
"""Bytes of a key that stand in an id as they are; an id has at most 512 bytes."""


@dataclass(frozen=True, slots=True)
class ElasticsearchConfig:
    """Where Elasticsearch is; `api_key` or a reference to it for the cloud; `timeout` in s."""

    url: str
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 60.0

    def client(self) -> Elasticsearch:
        """The official client without its own retries, and quiet: outages are waited out here."""
        logging.getLogger("elastic_transport.node_pool").setLevel(logging.ERROR)
        return Elasticsearch(
            self.url,
            api_key=resolve(self.api_key) if self.api_key else None,
            request_timeout=self.timeout,
            max_retries=0,
            retry_on_timeout=False,
            serializers={Unchanged.mimetype: Unchanged()},
        )

    def open(self) -> ElasticsearchSink:
        """The sink; connects at its first write."""
        return ElasticsearchSink(self.client())


Part = Callable[[Lines], object]
"""Adds something of each row to its line."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a row of a dataset lives."""

    identity: Part
    """Writes the id, which stands in a JSON string."""
    version: Part
    """Writes the external version, a whole number."""
    day_of: str | None = None
    """The time whose day ends the name of the index; None for one index of all rows."""


def _by(*names: str) -> Part:
    """An id of these columns, with hyphens between them."""

    def write(lines: Lines) -> None:
        for place, name in enumerate(names):
            lines.constant("-" if place else "").bare(name)

    return write


def _window(lines: Lines) -> None:
    long = lines.numbers("window_end") - lines.numbers("window_start")
    lines.minute("window_end").constant("/").whole(long // _MINUTE_MS)
    lines.constant("/").string("dimension").constant("/").string(_KEY)


def _one(lines: Lines) -> None:
    lines.constant("1")


def _joined(lines: Lines) -> None:
    lines.whole(lines.numbers("joined") + 1)


def _at(lines: Lines) -> None:
    lines.whole(lines.numbers("at"))


_EVENT = _by("customer_id", "event_id")
_MINUTE_MS = 60_000
_KEY = "key as it stands in an id"

ADDRESSES: dict[str, Address] = {
    "plays": Address(_EVENT, _joined, day_of="played_at"),
    "listening": Address(_window, lambda lines: lines.value("plays")),
    "ad_events": Address(_EVENT, _one),
    "targets": Address(_by("offer", "customer_id"), _one),
    "messages": Address(_by("message_id"), _at),
    "health": Address(lambda lines: lines.minute("minute"), lambda lines: lines.value("received")),
}
"""Versions are strict (`external`): what a replay recomputes from less must never overwrite."""


def _short(keys: pl.Series) -> pl.Series:
    """Keys as they are; longer ones than an id can hold by their SHA-256."""
    long = keys.str.len_bytes() > LONGEST_KEY
    if not long.any():
        return keys
    hashed = ["sha256:" + hashlib.sha256(key.encode()).hexdigest() for key in keys.filter(long)]
    return keys.scatter(long.arg_true(), hashed)


class ElasticsearchSink:
    """Plays, interests, listening, ad events, targets, messages and health as documents."""

    name = "elasticsearch"
    datasets = frozenset({*ADDRESSES, "interests"})
    patience_s = 0.0

    def __init__(
        self, client: Elasticsearch, outage: Outage | None = None, clock: Clock = utc_now
    ) -> None:
        self._bulk = Bulk(client, outage or Outage("Elasticsearch"))
        self._interests = Interests(self._bulk)
        self._clock = clock

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Index every row; a document that is already as good (409) is fine.

        Returns documents that the mappings refuse, as DEAD_LETTERS. Raises `ValueError` for a
        dataset that has no index.
        """
        if dataset not in self.datasets:
            raise ValueError(f"Elasticsearch has no index for {dataset}")
        if not frame.height:
            return no_dead_letters()
        if dataset == "interests":
            refused = self._interests.write(frame.drop(PUBLISH_TIME, strict=False))
        else:
            lines = bulk_lines(dataset, frame)
            refused = refusals(lines, self._bulk.send(lines))
        return dead_letters(self.name, dataset, refused, self._clock())

    def close(self) -> None:
        """Close the connections."""
        self._bulk.client.close()


def bulk_lines(dataset: str, frame: pl.DataFrame) -> pa.LargeStringArray:
    """One text a row: the `index` action, a newline, the document, a newline."""
    address = ADDRESSES[dataset]
    document = [name for name in frame.columns if name != PUBLISH_TIME]
    if "key" in document:
        frame = frame.with_columns(_short(frame["key"]).alias(_KEY))
    lines = Lines(frame)
    lines.constant('{"index":{"_index":"').constant(dataset)
    if address.day_of is not None:
        lines.constant("-").day(address.day_of)
    lines.constant('","_id":"')
    address.identity(lines)
    lines.constant('","version":')
    address.version(lines)
    lines.constant(',"version_type":"external"}}\n')
    return lines.document(document).constant("\n").joined()


def apply_templates(
    client: Elasticsearch, replicas: int = 1, folder: Path | None = None
) -> list[str]:
    """Put the index templates and add new fields to the indices that are there; repeatable.

    `replicas` is 0 for a single node. `folder` holds the template files, by default
    infra/elasticsearch of this repository. Returns the names of the templates.
    """
    folder = folder or Path(__file__).resolve().parents[2] / "infra" / "elasticsearch"
    names = []
    for path in sorted(folder.glob("*.json")):
        body = json.loads(path.read_text())
        body["template"]["settings"]["number_of_replicas"] = replicas
        name = f"encore-{path.stem}"
        client.indices.put_index_template(name=name, body=body)
        client.indices.put_mapping(
            index=",".join(body["index_patterns"]),
            properties=body["template"]["mappings"]["properties"],
            allow_no_indices=True,
            ignore_unavailable=True,
        )
        names.append(name)
    return names
