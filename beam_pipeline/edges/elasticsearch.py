"""Elasticsearch: documents by identity, with versions that make writing again harmless.

A frame becomes a bulk body in columns: one string a row (action and document), whose Arrow
buffer is the request's body as it stands. No Python object is made for a row that is stored.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from elasticsearch import Elasticsearch

from beam_pipeline.domain.schemas import PUBLISH_TIME, TIMESTAMP
from beam_pipeline.edges.bulk import Bulk, Unchanged, Verdicts
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


@dataclass(frozen=True, slots=True)
class Address:
    """Where a row of a dataset lives: expressions for its index, id and external version."""

    index: pl.Expr
    identity: pl.Expr
    version: pl.Expr


def _id(*parts: str | pl.Expr, by: str = "-") -> pl.Expr:
    return pl.concat_str(*parts, separator=by)


def _short(keys: pl.Series) -> pl.Series:
    """Keys as they are; longer ones than an id can hold by their SHA-256."""
    long = keys.str.len_bytes() > LONGEST_KEY
    if not long.any():
        return keys
    hashed = ["sha256:" + hashlib.sha256(key.encode()).hexdigest() for key in keys.filter(long)]
    return keys.scatter(long.arg_true(), hashed)


def _once(dataset: str, identity: pl.Expr) -> Address:
    return Address(pl.lit(dataset), identity, pl.lit(1, pl.Int64))


_EVENT = _id("customer_id", "event_id")
_WINDOW = _id(
    pl.col("window_end").dt.strftime("%Y-%m-%dT%H:%MZ"),
    (pl.col("window_end") - pl.col("window_start")).dt.total_minutes(),
    "dimension",
    pl.col("key").map_batches(_short, return_dtype=pl.String),
    by="/",
)
_DAY = pl.col("played_at").dt.strftime("%Y.%m.%d")
_INTEREST = _id("customer_id", "track_id")

ADDRESSES: dict[str, Address] = {
    "plays": Address(pl.lit("plays-") + _DAY, _EVENT, pl.col("joined").cast(pl.Int64) + 1),
    "listening": Address(pl.lit("listening"), _WINDOW, pl.col("plays")),
    "ad_events": _once("ad_events", _EVENT),
    "targets": _once("targets", _id("offer", "customer_id")),
    "messages": Address(pl.lit("messages"), pl.col("message_id"), pl.col("at").dt.epoch("ms")),
    "health": Address(
        pl.lit("health"), pl.col("minute").dt.strftime("%Y-%m-%dT%H:%MZ"), pl.col("received")
    ),
}
"""Versions are strict (`external`): what a replay recomputes from less must never overwrite."""


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
            lines = better.select(
                _line(_conditional_action(), list(mine.columns)).alias("line")
            ).to_series()
            verdicts = self._bulk.send(lines)
            refused += _refusals(lines, verdicts)
            mine = mine.join(better[verdicts.conflicts], on=["customer_id", "track_id"], how="semi")
        return refused


def bulk_lines(dataset: str, frame: pl.DataFrame) -> pl.Series:
    """One String a row: the `index` action, a newline, the document, a newline."""
    address = ADDRESSES[dataset]
    action = pl.struct(
        index=pl.struct(
            _index=address.index,
            _id=address.identity,
            version=address.version,
            version_type=pl.lit("external"),
        )
    ).struct.json_encode()
    columns = [name for name in frame.columns if name != PUBLISH_TIME]
    return frame.select(_line(action, columns).alias("line")).to_series()


def _line(action: pl.Expr, columns: list[str]) -> pl.Expr:
    newline = pl.lit("\n")
    return pl.concat_str(action, newline, pl.struct(columns).struct.json_encode(), newline)


def merged_interests(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each customer and track: smallest since, largest latest and peak."""
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


def _conditional_action() -> pl.Expr:
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
    return (
        pl.when(pl.col("_seq_no").is_null())
        .then(create.struct.json_encode())
        .otherwise(index.struct.json_encode())
    )


def _refusals(lines: pl.Series, verdicts: Verdicts) -> list[Refused]:
    refused = []
    for position, detail in verdicts.refused.items():
        action, document = lines[position].split("\n", 1)
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
