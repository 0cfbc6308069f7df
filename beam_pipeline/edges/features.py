"""Redis: `features:{customer}`, the row that a customer is scored by, replaced whole each day.

A value is one JSON object: `as_of`, the features, `feature_hash`. Numbers come back to the last
bit, so a row here can be held against the same row recomputed anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, cast

import msgspec
import polars as pl
from redis import Redis

from beam_pipeline.domain.features import FEATURE_HASH, FEATURE_ROWS, FEATURES
from beam_pipeline.edges.redis import TRANSIENT, connect
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.sinks import no_dead_letters

KEPT = timedelta(days=3)
"""A row that no later day replaces is gone after this: nobody is scored by an old one."""

ROWS_A_CALL = 2_000


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
    patience_s = 0.0

    def __init__(self, client: Redis, outage: Outage | None = None) -> None:
        self._client = client
        self._outage = outage or Outage("Redis")

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Set every row, some thousands in a call; Redis refuses no row.

        Raises `ValueError` for a dataset other than features.
        """
        if dataset not in self.datasets:
            raise ValueError(f"No {dataset} are kept beside the features")
        commands = frame.select(_set_commands()).to_series()
        for start in range(0, commands.len(), ROWS_A_CALL):
            part = commands[start : start + ROWS_A_CALL]
            self._outage.call(partial(self._send, part), TRANSIENT)
        return no_dead_letters()

    def _send(self, commands: pl.Series) -> None:
        """Send commands and take their replies; a connection that owes one is not used again."""
        pool = self._client.connection_pool
        connection: Any = pool.get_connection()
        packed: bytes = commands.str.join().item().encode()
        try:
            connection.send_packed_command([packed], check_health=False)
            for _ in commands:
                connection.read_response()
        except BaseException:
            connection.disconnect()
            raise
        finally:
            pool.release(connection)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _set_commands() -> pl.Expr:
    """FEATURE_ROWS as `SET features:{customer} ROW EX SECONDS`, written in Redis's own protocol.

    A command for each row costs a client several times what it costs Redis: as columns of text
    they cost next to nothing.
    """
    columns = [name for name in FEATURE_ROWS if name != "customer_id"]
    key = pl.concat_str(pl.lit("features:"), "customer_id")
    row = pl.struct(columns).struct.json_encode()
    words = [pl.lit("SET"), key, row, pl.lit("EX"), pl.lit(f"{KEPT.total_seconds():.0f}")]
    bulk = [
        part
        for word in words
        for part in (pl.format("${}\r\n", word.str.len_bytes()), word + "\r\n")
    ]
    return pl.concat_str(pl.lit(f"*{len(words)}\r\n"), *bulk)


def read_features(client: Redis, customers: Sequence[int]) -> pl.DataFrame:
    """FEATURE_ROWS of those customers that have one, in the order asked for, one round trip.

    Rows of another feature definition are left out: nobody can be scored by them.
    """
    if not customers:
        return FEATURE_ROWS.to_frame()
    values = client.mget([feature_key(one) for one in customers])
    return feature_rows(customers, cast("list[bytes | None]", values))


def feature_key(customer: int) -> str:
    """Where a customer's row is."""
    return f"features:{customer}"


def feature_rows(customers: Sequence[int], values: Sequence[bytes | None]) -> pl.DataFrame:
    """FEATURE_ROWS of what was found at the customers' keys, without what is of no use here."""
    found = [
        (customer, *row)
        for customer, value in zip(customers, values, strict=True)
        if value is not None and (row := _decoded(value)) is not None
    ]
    columns = zip(*found, strict=True) if found else [() for _ in FEATURE_ROWS]
    frame = pl.DataFrame(
        dict(zip(FEATURE_ROWS, columns, strict=True)),
        schema={**FEATURE_ROWS, "as_of": pl.String()},
    )
    usable = frame.filter(pl.col("feature_hash") == FEATURE_HASH).drop_nulls()
    return usable.with_columns(pl.col("as_of").str.to_date())


def _decoded(value: bytes) -> tuple[object, ...] | None:
    """FEATURE_ROWS but for the customer; None for what is no row."""
    try:
        return msgspec.structs.astuple(_ROW.decode(value))
    except msgspec.DecodeError:
        return None


_Row = msgspec.defstruct(
    "_Row",
    [
        ("as_of", str | None, None),
        *((name, float | None, None) for name in FEATURES),
        ("feature_hash", str | None, None),
    ],
)
_ROW = msgspec.json.Decoder(_Row)
