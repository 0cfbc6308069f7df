"""What Elasticsearch holds."""

from __future__ import annotations

from typing import Any

import polars as pl
from elasticsearch import Elasticsearch


def documents(client: Elasticsearch, index: str) -> dict[str, dict[str, Any]]:
    """Every document of an index by its id."""
    client.indices.refresh(index=index)
    hits = client.search(index=index, size=10_000)["hits"]["hits"]
    return {hit["_id"]: hit["_source"] for hit in hits}


def stored(client: Elasticsearch, index: str, schema: pl.Schema) -> pl.DataFrame:
    """The documents as a frame, sorted."""
    rows = list(documents(client, index).values())
    texts = {n: pl.String() if t.is_temporal() else t for n, t in schema.items()}
    return (
        pl.DataFrame(rows, schema=texts)
        .with_columns(
            pl.col(n).str.to_datetime(time_unit="ms", time_zone="UTC")
            for n, t in schema.items()
            if t.is_temporal()
        )
        .sort(schema.names()[:4])
    )
