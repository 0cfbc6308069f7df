"""How long after it was published a play is seen, at a steady rate.

Every message carries three plays of one track by a listener of its own, so it makes one document
that can be looked for in Elasticsearch and one interest list in Redis.
"""

from __future__ import annotations

import json
import random
import threading
import time
from datetime import UTC, datetime, timedelta

from elasticsearch import ApiError

from beam_pipeline.domain.lines import Block
from tests.bench.stream import Bench, Topic
from tests.bench.work import EVENTS_A_MESSAGE, LISTENERS, TRACKS

FIRST_MARK = 10_000_000
"""The listeners of marks; nobody of the reference data has such an id."""
MARKS = 3
LOOK_S = 0.05
SETTLE_S = 30.0
WARM_UP_S = 5.0


def percentile(values: list[float], share: float) -> float:
    """The value that `share` of the sorted values do not exceed."""
    return values[min(int(len(values) * share), len(values) - 1)]


def measure(bench: Bench, seconds: float, rate: int) -> dict[str, dict[str, float]]:
    """Percentiles in seconds, by store; a play that is never seen counts as infinitely late."""
    bench.empty()
    topic = Topic(bench.stack, f"bench-late-{time.time_ns()}")
    watch = _Watch(bench)
    with bench.pipeline(topic.name, bigquery=False):
        topic.publish([_message(-1)])
        watch.wait_for_the_first()
        watch.thread.start()
        start, number, pause = time.monotonic(), 0, EVENTS_A_MESSAGE / rate
        while (due := number * pause) < seconds + WARM_UP_S:
            time.sleep(max(0.0, start + due - time.monotonic()))
            block = _message(number)
            watch.published[number] = time.monotonic()
            topic.publish([block])
            number += 1
        watch.finish(time.monotonic() + SETTLE_S)
    topic.close()
    warm = int(WARM_UP_S / pause)
    return {store: watch.told(store, warm) for store in watch.seen}


def _message(number: int) -> Block:
    now = datetime.now(UTC)
    draw = random.Random(number)
    lines = [_line(f"mark-{number}-{k}", FIRST_MARK + number, 1, now) for k in range(MARKS)]
    for k in range(EVENTS_A_MESSAGE - MARKS):
        track = min(int(draw.paretovariate(0.8)), TRACKS - 1)
        played = now - timedelta(milliseconds=draw.randrange(60_000))
        lines.append(_line(f"steady-{number}-{k}", draw.randrange(LISTENERS), track, played))
    payload = "\n".join(lines).encode()
    return Block("play", "1", payload, 0, 0, "", "bench", {"kind": "play", "schema": "1"})


def _line(event_id: str, customer: int, track: int, played: datetime) -> str:
    return json.dumps(
        {
            "event_id": event_id,
            "customer_id": customer,
            "track_id": track,
            "played_at": played.isoformat(timespec="milliseconds"),
            "is_mobile": True,
            "zip": "10001",
        },
        separators=(",", ":"),
    )


class _Watch:
    """Looks for the marks that were not seen yet, again and again."""

    def __init__(self, bench: Bench) -> None:
        self._search, self._redis = bench.elasticsearch, bench.redis
        self.published: dict[int, float] = {}
        self.seen: dict[str, dict[int, float]] = {"elasticsearch": {}, "redis": {}}
        self._end: float | None = None
        self.thread = threading.Thread(target=self._look, daemon=True)

    def wait_for_the_first(self) -> None:
        """Until the pipeline has started and one message has gone through it."""
        deadline = time.monotonic() + 120
        while not self._redis.exists(f"interests:{FIRST_MARK - 1}"):
            if time.monotonic() > deadline:
                raise RuntimeError("the pipeline has not written anything in two minutes")
            time.sleep(LOOK_S)

    def finish(self, deadline: float) -> None:
        """Until all marks are seen, or the deadline has come (monotonic)."""
        self._end = deadline
        self.thread.join()

    def told(self, store: str, warm: int) -> dict[str, float]:
        """p50, p99 and the worst in seconds; the first `warm` messages do not count."""
        late = sorted(
            self.seen[store].get(number, float("inf")) - at
            for number, at in self.published.items()
            if number >= warm
        )
        return {"p50": percentile(late, 0.5), "p99": percentile(late, 0.99), "max": late[-1]}

    def _look(self) -> None:
        while True:
            for store, look in (("elasticsearch", self._documents), ("redis", self._lists)):
                waiting = [n for n in list(self.published) if n not in self.seen[store]][:500]
                found = look(waiting) if waiting else []
                now = time.monotonic()
                self.seen[store].update(dict.fromkeys(found, now))
            if self._end is not None:
                missing = any(len(seen) < len(self.published) for seen in self.seen.values())
                if not missing or time.monotonic() > self._end:
                    return
            time.sleep(LOOK_S)

    def _documents(self, waiting: list[int]) -> list[int]:
        """Which of them can be searched; none while an index is just being made (503)."""
        try:
            hits = self._search.search(
                index="plays-*",
                size=len(waiting),
                query={"terms": {"customer_id": [FIRST_MARK + number for number in waiting]}},
                collapse={"field": "customer_id"},
                source_includes=["customer_id"],
            )["hits"]["hits"]
        except ApiError as error:
            if error.status_code != 503:
                raise
            return []
        return [hit["_source"]["customer_id"] - FIRST_MARK for hit in hits]

    def _lists(self, waiting: list[int]) -> list[int]:
        pipeline = self._redis.pipeline(transaction=False)
        for number in waiting:
            pipeline.exists(f"interests:{FIRST_MARK + number}")
        return [number for number, there in zip(waiting, pipeline.execute(), strict=True) if there]
