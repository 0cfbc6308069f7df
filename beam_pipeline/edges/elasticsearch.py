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

from beam_pipeline.domain.schemas import PUBLISH_TIME, TIMESTAMP
from beam_pipeline.edges.bulk import Bulk, Unchanged, Verdicts
from beam_pipeline.edges.documents import Lines
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.secrets import resolve
from beam_pipeline.edges.sinks import Clock, Refused, dead_letters, no_dead_letters, utc_now

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
_INTEREST = pl.concat_str("customer_id", "track_id", separator="-")

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

    def __init__(
        self, client: Elasticsearch, outage: Outage | None = None, clock: Clock = utc_now
    ) -> None:
        self._bulk = Bulk(client, outage or Outage("Elasticsearch"))
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
            refused = self._merge(frame)
        else:
            lines = bulk_lines(dataset, frame)
            refused = _refusals(lines, self._bulk.send(lines))
        return dead_letters(self.name, dataset, refused, self._clock())

    def close(self) -> None:
        """Close the connections."""
        self._bulk.client.close()

    def _merge(self, frame: pl.DataFrame) -> list[Refused]:
        """Read, merge and write back what is new, again for those that another writer changed."""
        refused = []
        mine = merged_interests(frame.drop(PUBLISH_TIME, strict=False))
        while mine.height:
            documents = self._bulk.read("interests", mine.select(_INTEREST).to_series().to_list())
            better = _improved(mine, _stored(documents))
            lines = _conditional_lines(better, list(mine.columns))
            verdicts = self._bulk.send(lines)
            refused += _refusals(lines, verdicts)
            mine = mine.join(better[verdicts.conflicts], on=["customer_id", "track_id"], how="semi")
        return refused


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


def merged_interests(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each customer and track: smallest since, largest latest and peak."""
    pairs = zip(frame["customer_id"].to_list(), frame["track_id"].to_list(), strict=True)
    if len(set(pairs)) == frame.height:
        return frame
    names = pl.col("title", "artist").drop_nulls().last()
    return (
        frame.group_by("customer_id", "track_id", maintain_order=True)
        .agg(names, pl.col("since").min(), pl.col("latest").max(), pl.col("peak").max())
        .select(frame.columns)
    )


_STORED = pl.Schema(
    {
        "_title": pl.String(),
        "_artist": pl.String(),
        "_since": pl.String(),
        "_latest": pl.String(),
        "_peak": pl.Int32(),
        "_seq_no": pl.Int64(),
        "_primary_term": pl.Int64(),
    }
)


def _stored(documents: list[dict]) -> pl.DataFrame:
    """The stored interests in the order asked for; all null where there is none yet."""
    fields = ("title", "artist", "since", "latest", "peak")
    rows = [
        (*(doc["_source"].get(name) for name in fields), doc["_seq_no"], doc["_primary_term"])
        if doc.get("found")
        else (None,) * len(_STORED)
        for doc in documents
    ]
    return pl.DataFrame(rows, schema=_STORED, orient="row").with_columns(
        pl.col("_since", "_latest").str.to_datetime(time_unit="ms", time_zone="UTC").cast(TIMESTAMP)
    )


def _improved(mine: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """Rows of `mine` merged with what is stored, where that says more than what is stored."""
    merged = pl.concat([mine, stored], how="horizontal").with_columns(
        pl.coalesce("title", "_title").alias("title"),
        pl.coalesce("artist", "_artist").alias("artist"),
        pl.min_horizontal("since", "_since").alias("since"),
        pl.max_horizontal("latest", "_latest").alias("latest"),
        pl.max_horizontal("peak", "_peak").alias("peak"),
    )
    fields = ("title", "artist", "since", "latest", "peak")
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"_{name}")) for name in fields)
    return merged.filter(pl.col("_seq_no").is_null() | ~same)


def _conditional_lines(rows: pl.DataFrame, columns: list[str]) -> pa.LargeStringArray:
    """Create what is not there; index what is there only if nobody wrote it since it was read."""
    create = pl.struct(create=pl.struct(_index=pl.lit("interests"), _id=_INTEREST))
    index = pl.struct(
        index=pl.struct(
            _index=pl.lit("interests"),
            _id=_INTEREST,
            if_seq_no="_seq_no",
            if_primary_term="_primary_term",
        )
    )
    action = (
        pl.when(pl.col("_seq_no").is_null())
        .then(create.struct.json_encode())
        .otherwise(index.struct.json_encode())
    )
    document = pl.struct(columns).struct.json_encode()
    lines = rows.select(pl.concat_str(action, document, pl.lit(""), separator="\n")).to_series()
    return lines.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def _refusals(lines: pa.LargeStringArray, verdicts: Verdicts) -> list[Refused]:
    refused = []
    for position, detail in verdicts.refused.items():
        action, document = lines[position].as_py().split("\n", 1)
        address = next(iter(json.loads(action).values()))
        identity = f"{address['_index']}/{address['_id']}"
        refused.append(Refused(identity, detail, document.rstrip().encode()))
    return refused


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
