"""Interests in Elasticsearch: merged with what is stored, whoever else writes them.

A document is written on the condition that nobody wrote it since it was last seen. What this
process wrote itself it has seen; only where that is not so is a document read, for a read of what
was written a moment ago makes Elasticsearch refresh the index.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import islice

import polars as pl
import pyarrow as pa

from beam_pipeline.domain.schemas import TIMESTAMP
from beam_pipeline.edges.bulk import Bulk, refusals
from beam_pipeline.edges.sinks import Refused

MOST_KNOWN = 200_000
"""Interests that are remembered, the newest, about 500 bytes each."""

_PAIR = ["customer_id", "track_id"]
_INTEREST = pl.concat_str("customer_id", "track_id", separator="-")
_FIELDS = ["title", "artist", "since", "latest", "peak"]

_Known = tuple[str | int | None, ...]
"""A row of _STORED."""


class Interests:
    """Writes INTERESTS; shards may do so at once."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._known: dict[tuple[int, int], _Known] = {}
        self._lock = threading.Lock()

    def write(self, frame: pl.DataFrame) -> list[Refused]:
        """Merge rows into what is stored; where another writer was faster, read and try again."""
        refused = []
        mine = merged_interests(frame)
        with self._lock:
            known = [self._known.get(pair) for pair in mine.select(_PAIR).iter_rows()]
        while mine.height:
            better = _improved(mine, _frame(known))
            lines = _conditional_lines(better, list(mine.columns))
            verdicts = self._bulk.send(lines, versions=True)
            refused += refusals(lines, verdicts)
            self._remember(better, verdicts.versions)
            mine = mine.join(better[verdicts.conflicts], on=_PAIR, how="semi")
            known = _stored(
                self._bulk.read("interests", mine.select(_INTEREST).to_series().to_list())
            )
        return refused

    def _remember(self, rows: pl.DataFrame, versions: dict[int, tuple[int, int]]) -> None:
        """Keep what was stored, and with which version."""
        stored = rows[list(versions)].with_columns(
            pl.col("since", "latest").dt.to_string("iso:strict")
        )
        with self._lock:
            for (customer, track, *fields), version in zip(
                stored.select(*_PAIR, *_FIELDS).iter_rows(), versions.values(), strict=True
            ):
                self._known.pop((customer, track), None)
                self._known[customer, track] = (*fields, *version)
            too_many = max(0, len(self._known) - MOST_KNOWN)
            for pair in list(islice(self._known, too_many)):
                del self._known[pair]


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


def _stored(documents: list[dict]) -> list[_Known | None]:
    """The stored interests in the order asked for; None where there is none yet."""
    fields = ("title", "artist", "since", "latest", "peak")
    return [
        (*(doc["_source"].get(name) for name in fields), doc["_seq_no"], doc["_primary_term"])
        if doc.get("found")
        else None
        for doc in documents
    ]


def _frame(known: Iterable[_Known | None]) -> pl.DataFrame:
    """Stored interests, a row each; all null where there is none."""
    nothing = (None,) * len(_STORED)
    rows = [row or nothing for row in known]
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
