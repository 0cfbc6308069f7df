"""Redis: what was decided about offers and customers, once and for ever.

One script takes the guard, and with it puts the offer where it is shown at login and into the
outbox of text messages. It gives the decision that stands, which the other stores then write: so
workers may race, bundles may come again, and there is still one decision.

The guard is what counts; memory only spares asking. Whoever was decided on in this process is
passed by, and for a while whoever was looked at, but for the play by which that was: a bundle that
is tried again finds its candidates again, and writes its decisions again. A decision that is found
in Redis by a process that has not written it is written by it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from redis import Redis

from beam_pipeline.domain.features import FEATURES
from beam_pipeline.domain.index import Column, Index
from beam_pipeline.domain.offers import (
    HOLDOUT,
    OFFERS,
    SMS,
    Decision,
    Offer,
    Target,
    offer_id,
    until_ms,
)
from beam_pipeline.domain.schemas import TARGETS, TIMESTAMP
from beam_pipeline.domain.targeting import CANDIDATES
from beam_pipeline.edges.features import feature_key, feature_rows
from beam_pipeline.edges.redis import TRANSIENT, connect
from beam_pipeline.edges.retry import Outage

FRESH_SECONDS = 300.0
"""How long the features of a customer, and that nothing was decided, are believed."""
LOOK_AGAIN_SECONDS = 20.0
"""How long a customer is left alone who was just looked at and not chosen."""
MOST_ENTRIES = 2_000_000
CUSTOMERS_A_REQUEST = 2_000
DECISIONS_A_CALL = 200
OUTBOX = "sms:outbox"

_UNDECIDED, _STORED = -1, -2
"""In the place of the moment of a decision: there is none, or one that this process has not
written to the other stores."""
_SAME = ("explore", "score", "model_version")

DECIDE = """
-- Takes the guards that are free; gives the decision that stands for each.
-- KEYS the guards, then as many target:{customer}, then the outbox
-- ARGV for each guard: the decision, the offer, the target or '', the message's id or '', the
--      customer, and until when the message may be sent
local count = (#KEYS - 1) / 2
local standing = {}
for i = 1, count do
  local at = (i - 1) * 6
  local decision = redis.call('GET', KEYS[i])
  if not decision then
    decision = ARGV[at + 1]
    local offer, target, message = ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
    if target ~= '' then redis.call('HSET', KEYS[count + i], offer, target) end
    if message ~= '' then
      redis.call('XADD', KEYS[#KEYS], '*', 'message_id', message, 'customer_id', ARGV[at + 5],
        'offer', offer, 'until', ARGV[at + 6])
    end
    redis.call('SET', KEYS[i], decision)
  end
  standing[i] = decision
end
return standing
"""

_NO_CANDIDATES = CANDIDATES.to_frame()

log = logging.getLogger(__name__)


def decision_key(offer: str, customer: int) -> str:
    """Where the guard is."""
    return f"decision:{offer}:{customer}"


@dataclass(frozen=True, slots=True)
class TargetsConfig:
    """Where decisions are kept."""

    url: str

    def open(self) -> Targets:
        """The client; connects when first asked."""
        return Targets(connect(self.url))


class Targets:
    """Decisions, and what is needed to take them; any number of threads may use it.

    Args:
        client: Redis.
        offers: those that there are, by id.
        outage: how to wait while Redis does not answer.
        now: seconds of any clock that only goes forward.
    """

    def __init__(
        self,
        client: Redis,
        offers: Mapping[str, Offer] | None = None,
        outage: Outage | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._offers = OFFERS if offers is None else offers
        self._outage = outage or Outage("Redis")
        self._now = now
        self._decide = client.register_script(DECIDE)
        self._lock = threading.Lock()
        self._forget()

    def candidates(
        self, customers: NDArray[np.int64], published_ms: NDArray[np.int64]
    ) -> pl.DataFrame:
        """CANDIDATES among those who played: one row for each offer and customer to be looked at.

        Args:
            customers, published_ms: of each play, int64 [n], in the order they were accepted.
        """
        with self._lock:
            if len(self._index) > MOST_ENTRIES:
                self._forget()
            numbers = self._number(customers)
            rows = self._worth_a_look(numbers, published_ms)
            if not len(rows):
                return _NO_CANDIDATES
            numbers, customers, ms = numbers[rows], customers[rows], published_ms[rows]
            self._refresh(numbers, customers)
            self._looked_by.values[numbers] = ms
            self._looked_at.values[numbers] = int(self._now() * 1000)
            found = list(self._candidates(numbers, customers, ms))
            return pl.concat(found)

    def decide(self, proposals: pl.DataFrame) -> pl.DataFrame:
        """TARGETS as they stand after these were proposed: each once, and never another."""
        with self._lock:
            found = []
            for start in range(0, proposals.height, DECISIONS_A_CALL):
                rows = list(proposals[start : start + DECISIONS_A_CALL].iter_rows(named=True))
                values = self._outage.call(partial(self._take, rows), TRANSIENT)
                found += list(self._standing(rows, values))
            return pl.DataFrame(found, schema=TARGETS, orient="row")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _forget(self) -> None:
        self._index = Index()
        self._expires = Column(-1)
        self._looked_at, self._looked_by = Column(-(10**9)), Column(-1)
        self._moments = {offer: Column(_UNDECIDED) for offer in self._offers}
        self._features = np.full((1 << 12, len(FEATURES)), np.nan)

    def _number(self, customers: NDArray[np.int64]) -> NDArray[np.int64]:
        numbers = self._index.add(customers)
        size = len(self._index)
        for column in (self._expires, self._looked_at, self._looked_by, *self._moments.values()):
            column.reserve(size)
        if size > len(self._features):
            more = np.full((max(size, 2 * len(self._features)), len(FEATURES)), np.nan)
            more[: len(self._features)] = self._features
            self._features = more
        return numbers

    def _worth_a_look(self, numbers: NDArray[np.int64], ms: NDArray[np.int64]) -> NDArray[np.int64]:
        """The plays, one of each customer, whose customers are not done with."""
        left_alone = self._looked_at.values[numbers] > (self._now() - LOOK_AGAIN_SECONDS) * 1000
        left_alone &= self._looked_by.values[numbers] != ms
        worth = np.zeros(len(numbers), np.bool_)
        for column in self._moments.values():
            moments = column.values[numbers]
            worth |= ((moments == _UNDECIDED) & ~left_alone) | (moments == ms)
            worth |= moments == _STORED
        rows = np.flatnonzero(worth)
        firsts = np.unique(numbers[rows], return_index=True)[1]
        return rows[np.sort(firsts)]

    def _candidates(
        self, numbers: NDArray[np.int64], customers: NDArray[np.int64], ms: NDArray[np.int64]
    ) -> Iterator[pl.DataFrame]:
        for offer, column in self._moments.items():
            moments = column.values[numbers]
            again = (moments == ms) | (moments == _STORED)
            rows = np.flatnonzero(again | (moments == _UNDECIDED))
            known = self._features[numbers[rows]]
            yield pl.DataFrame(
                [
                    pl.Series("customer_id", customers[rows]),
                    pl.repeat(offer, len(rows), dtype=pl.String, eager=True).alias("offer"),
                    pl.Series("published_at", ms[rows]).cast(TIMESTAMP),
                    pl.Series("again", again[rows]),
                    *(pl.Series(name, known[:, i]) for i, name in enumerate(FEATURES)),
                ]
            )

    def _refresh(self, numbers: NDArray[np.int64], customers: NDArray[np.int64]) -> None:
        """Ask Redis about those who are undecided and were not asked about for a while."""
        stale = np.zeros(len(numbers), np.bool_)
        for column in self._moments.values():
            stale |= column.values[numbers] == _UNDECIDED
        stale &= self._expires.values[numbers] < self._now() * 1000
        rows = np.flatnonzero(stale)
        for start in range(0, len(rows), CUSTOMERS_A_REQUEST):
            part = rows[start : start + CUSTOMERS_A_REQUEST]
            self._ask(numbers[part], customers[part].tolist())

    def _ask(self, numbers: NDArray[np.int64], customers: list[int]) -> None:
        keys = [feature_key(one) for one in customers]
        for offer in self._moments:
            keys += [decision_key(offer, one) for one in customers]
        values: Any = self._outage.call(partial(self._client.mget, keys), TRANSIENT)
        count = len(customers)
        rows = feature_rows(customers, values[:count])
        self._features[numbers] = np.nan
        self._features[self._number(rows["customer_id"].to_numpy())] = rows.select(FEATURES)
        for place, column in enumerate(self._moments.values(), 1):
            guards = values[place * count : (place + 1) * count]
            stored = numbers[[guard is not None for guard in guards]]
            column.values[stored[column.values[stored] == _UNDECIDED]] = _STORED
        self._expires.values[numbers] = int((self._now() + FRESH_SECONDS) * 1000)

    def _take(self, rows: Sequence[Mapping[str, Any]]) -> list[bytes]:
        guards = [decision_key(row["offer"], row["customer_id"]) for row in rows]
        targets = [f"target:{row['customer_id']}" for row in rows]
        arguments = [argument for row in rows for argument in self._arguments(row)]
        standing: list[bytes] = self._decide(keys=[*guards, *targets, OUTBOX], args=arguments)
        return standing

    def _arguments(self, row: Mapping[str, Any]) -> tuple[str | bytes | int, ...]:
        offer, customer, channel = row["offer"], row["customer_id"], row["channel"]
        decided_at = epoch_ms(row["decided_at"])
        decision = Decision(decided_at, channel, *(row[name] for name in _SAME))
        until = until_ms(self._offers[offer], decided_at)
        target = b"" if channel == HOLDOUT else msgspec.json.encode(Target(until, channel))
        message = offer_id(offer, customer) if channel == SMS else ""
        return msgspec.json.encode(decision), offer, target, message, customer, until

    def _standing(
        self, rows: Sequence[Mapping[str, Any]], values: Sequence[bytes]
    ) -> Iterator[tuple[object, ...]]:
        numbers = self._number(np.array([row["customer_id"] for row in rows], np.int64))
        for row, number, value in zip(rows, numbers, values, strict=True):
            moments = self._moments[row["offer"]].values
            try:
                decision = msgspec.json.decode(value, type=Decision)
            except msgspec.DecodeError as error:
                log.warning("a decision about %s cannot be read: %s", row["offer"], error)
                moments[number] = 0
                continue
            moments[number] = decision.decided_at
            yield target_row(row["customer_id"], row["offer"], decision)


def target_row(customer: int, offer: str, decision: Decision) -> tuple[object, ...]:
    """A row of TARGETS."""
    moment = datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=decision.decided_at)
    return (
        *(customer, offer, decision.score, decision.model_version),
        *(moment, decision.channel, decision.explore),
    )


def epoch_ms(moment: datetime) -> int:
    """ms since 1970-01-01T00:00:00Z."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)
