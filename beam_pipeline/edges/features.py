"""Redis: `features:{customer}`, the row that a customer is scored by, replaced whole each day.

A value is one JSON object: `as_of`, the features, `feature_hash`. Numbers come back to the last
bit, so a row here can be held against the same row recomputed anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import cast

import msgspec
import polars as pl
from redis import Redis

from beam_pipeline.domain.features import FEATURE_HASH, FEATURE_ROWS, FEATURES
from beam_pipeline.edges.redis import TRANSIENT, connect
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.sinks import no_dead_letters

KEPT = timedelta(days=3)
"""A row that no later day replaces is gone after this: nobody is scored by an old one."""

ROWS_A_CALL = 1_000

_SET_ALL = """for i, key in ipairs(KEYS) do redis.call('SET', key, ARGV[i + 1], 'EX', ARGV[1]) end
return #KEYS"""


@dataclass(frozen=True, slots=True)
class FeaturesConfig:
    """Where the features are."""

    url: str

    def open(self) -> FeaturesSink:
        """The sink; connects at its first write."""
        return FeaturesSink(connect(self.url))


class FeaturesSink:
    """Writes FEATURE_ROWS; a later write of a customer replaces the whole row."""

    name = "redis"
    datasets = frozenset({"features"})

    def __init__(self, client: Redis, outage: Outage | None = None) -> None:
        self._client = client
        self._outage = outage or Outage("Redis")

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Set every row, a thousand in a call; Redis refuses no row.

        Raises `ValueError` for a dataset other than features.
        """
        if dataset not in self.datasets:
            raise ValueError(f"No {dataset} are kept beside the features")
        keyed = frame.select(
            pl.concat_str(pl.lit("features:"), "customer_id").alias("key"),
            pl.struct(name for name in FEATURE_ROWS if name != "customer_id")
            .struct.json_encode()
            .alias("row"),
        )
        for start in range(0, keyed.height, ROWS_A_CALL):
            part = keyed[start : start + ROWS_A_CALL]
            self._outage.call(partial(self._set, part), TRANSIENT)
        return no_dead_letters()

    def _set(self, part: pl.DataFrame) -> None:
        seconds = int(KEPT.total_seconds())
        self._client.eval(_SET_ALL, part.height, *part["key"], seconds, *part["row"])

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def read_features(client: Redis, customers: Sequence[int]) -> pl.DataFrame:
    """FEATURE_ROWS of those customers that have one, in the order asked for, one round trip.

    Rows of another feature definition are left out: nobody can be scored by them.
    """
    if not customers:
        return FEATURE_ROWS.to_frame()
    values = cast("list[bytes | None]", client.mget([f"features:{one}" for one in customers]))
    found = [
        (customer, _ROW.decode(value))
        for customer, value in zip(customers, values, strict=True)
        if value is not None
    ]
    rows = [{"customer_id": customer, **row} for customer, row in found if _of_this_definition(row)]
    text = {**FEATURE_ROWS, "as_of": pl.String()}
    frame = pl.DataFrame(rows, schema=text)
    return frame.with_columns(pl.col("as_of").str.to_date()).cast(FEATURE_ROWS)


_ROW = msgspec.json.Decoder(dict[str, float | str])


def _of_this_definition(row: dict[str, float | str]) -> bool:
    return row.get("feature_hash") == FEATURE_HASH and all(name in row for name in FEATURES)
