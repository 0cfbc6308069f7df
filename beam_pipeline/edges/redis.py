"""Redis (Memorystore): each customer's interest list, and how far the other stores have come.

`interests:{customer}` is a sorted set of track ids by the latest qualifying play (epoch ms);
`progress` a sorted set of "{store}:published_at" and "{store}:publish_time" (epoch ms). Both are
written by ZADD GT alone: a score only grows, so writing again, or in another order, changes
nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import polars as pl
from redis import Redis
from redis.exceptions import (
    BusyLoadingError,
    ClusterDownError,
    ConnectionError,  # noqa: A004
    MaxConnectionsError,
    OutOfMemoryError,
    ReadOnlyError,
    TimeoutError,  # noqa: A004
    TryAgainError,
)

from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.secrets import resolve
from beam_pipeline.edges.sinks import Clock, no_dead_letters, utc_now

PROGRESS = "progress"
SAY_EVERY_SECONDS = 60.0
TIMEOUT_SECONDS = 5.0
COMMANDS_A_PIPELINE = 2_000

log = logging.getLogger(__name__)

TRANSIENT = (
    ConnectionError,
    TimeoutError,
    BusyLoadingError,
    ClusterDownError,
    MaxConnectionsError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
"""What Redis answers, or does not, while it cannot take a command: to be waited out."""


def connect(url: str) -> Redis:
    """A client that connects when first asked and gives up on an answer after 5 s.

    `url` may be a reference to a secret (`secrets.resolve`).

    `rediss://…?ssl_ca_certs=FILE` speaks TLS with an instance's own authority.
    """
    return Redis.from_url(
        resolve(url),
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        health_check_interval=30,
    )


@dataclass(frozen=True, slots=True)
class RedisConfig:
    """Where the interest lists live."""

    url: str

    def open(self) -> RedisSink:
        """The sink; connects at its first write."""
        return RedisSink(connect(self.url))


class RedisSink:
    """Interest lists: members are track ids, scores the latest qualifying play in epoch ms."""

    name = "redis"
    datasets = frozenset({"interests"})
    patience_s = 0.0

    def __init__(self, client: Redis, outage: Outage | None = None) -> None:
        self._client = client
        self._outage = outage or Outage("Redis")

    def write(self, dataset: str, frame: pl.DataFrame) -> pl.DataFrame:
        """Raise the scores of `frame`'s tracks; Redis refuses no row.

        Raises `ValueError` for a dataset other than interests.
        """
        if dataset not in self.datasets:
            raise ValueError(f"Redis keeps no {dataset}")
        latest = frame.group_by("customer_id", "track_id", maintain_order=True).agg(
            pl.col("latest").max().dt.epoch("ms")
        )
        lists = latest.group_by("customer_id", maintain_order=True).agg("track_id", "latest")
        for start in range(0, lists.height, COMMANDS_A_PIPELINE):
            part = lists[start : start + COMMANDS_A_PIPELINE]
            self._outage.call(partial(self._raise_scores, part), TRANSIENT)
        return no_dead_letters()

    def _raise_scores(self, lists: pl.DataFrame) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for customer, tracks, latest in lists.iter_rows():
            pipeline.zadd(f"interests:{customer}", dict(zip(tracks, latest, strict=True)), gt=True)
        pipeline.execute()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


@dataclass(frozen=True, slots=True)
class ProgressConfig:
    """Where it is kept how far the stores have come."""

    url: str

    def open(self) -> Progress:
        """The client; connects when first asked."""
        return Progress(connect(self.url))


class Progress:
    """The newest play that each store holds, by its published_at and its Pub/Sub publish time."""

    def __init__(self, client: Redis, outage: Outage | None = None, clock: Clock = utc_now) -> None:
        self._client = client
        self._outage = outage or Outage("Redis")
        self._clock = clock
        self._said = float("-inf")

    def record(self, store: str, published_ms: int, publish_time_ms: int) -> None:
        """`store` holds plays up to these moments (epoch ms); an earlier one changes nothing.

        Says so in the log once a minute, with how many seconds ago that was: the line from
        which infra/monitoring knows that what people see is stale.
        """
        scores = {f"{store}:published_at": published_ms, f"{store}:publish_time": publish_time_ms}
        self._outage.call(lambda: self._client.zadd(PROGRESS, scores, gt=True), TRANSIENT)
        if time.monotonic() - self._said >= SAY_EVERY_SECONDS:
            self._said = time.monotonic()
            behind = self._clock().timestamp() - published_ms / 1000
            log.info("progress %s published_ms=%d behind_s=%d", store, published_ms, behind)

    def reached(self, stores: Sequence[str]) -> int | None:
        """The publish time (epoch ms) that all of `stores` have reached; None if one has none."""
        return self._least([f"{store}:publish_time" for store in stores])

    def complete_to(self, stores: Sequence[str]) -> int | None:
        """The published_at (epoch ms) that all of `stores` have reached; None if one has none."""
        return self._least([f"{store}:published_at" for store in stores])

    def _least(self, members: list[str]) -> int | None:
        if not members:
            return None
        scores = self._outage.call(lambda: self._client.zmscore(PROGRESS, members), TRANSIENT)
        known = [score for score in scores if score is not None]
        return int(min(known)) if len(known) == len(members) else None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()
