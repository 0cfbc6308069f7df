"""How far the stores have come: "data complete to", from the pipeline's own record in Redis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from functions.board.units import MINUTE_MS
from functions.shared.logs import log

_KEY = "progress"
_MEMBER = ":published_at"
SETTLED_MS = 10 * MINUTE_MS
"""Plays are published in any order; after so long, nothing of before is still on its way."""
STALE_MS = 2 * MINUTE_MS
"""Nothing written for so long is told in amber."""


@dataclass(frozen=True, slots=True)
class Progress:
    """What can be said at one moment."""

    complete_to_ms: int | None
    """None while the pipeline has written nothing, or Redis does not answer."""
    stale: bool


class ProgressReader:
    """Reads the sorted set `progress`; members are `STORE:published_at`, scores epoch ms."""

    def __init__(self, url: str | None, timeout_s: float = 0.5) -> None:
        self._client = None
        self._known = True
        if url:
            self._client = redis.Redis.from_url(
                url,
                socket_timeout=timeout_s,
                socket_connect_timeout=timeout_s,
                retry=Retry(NoBackoff(), 0),
            )

    def read(self, now_ms: int) -> Progress:
        """The smallest over the stores that have written, less the time that settles things."""
        newest = self._newest()
        if newest is None:
            return Progress(None, stale=True)
        return Progress(newest - SETTLED_MS, stale=now_ms - newest > STALE_MS)

    def _newest(self) -> int | None:
        if self._client is None:
            return None
        try:
            scores = cast(
                list[tuple[bytes, float]], self._client.zrange(_KEY, 0, -1, withscores=True)
            )
        except RedisError as error:
            if self._known:
                log("WARNING", "progress cannot be read", why=type(error).__name__)
            self._known = False
            return None
        self._known = True
        found = [int(score) for member, score in scores if member.decode().endswith(_MEMBER)]
        return min(found, default=None)
