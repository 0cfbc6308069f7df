"""Targeting through everything that is real: a model swapped, and a kill in the middle of it."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from elasticsearch import helpers

from beam_pipeline.domain.features import FEATURE_HASH, FEATURE_ROWS, FEATURES
from beam_pipeline.domain.offers import HOLDOUT, SMS, Decision
from beam_pipeline.domain.targeting import draw
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig
from beam_pipeline.edges.features import FeaturesConfig
from beam_pipeline.edges.objects import FolderObjects
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.targets import epoch_ms
from infra.local.stack import Stack
from tests.domain.test_score import model
from tests.e2e.system import System, ingest_of, new_system, post_all, wait_until
from tests.e2e.traffic import HEADER, START, Post
from tests.edges.test_models import promote

PEOPLE = 3_000
EXPLORE = 0.2
A_REQUEST = 100

Row = tuple[float | None, str | None, int, str, bool]
"""Score, version, decided_at (ms), channel, explore: of a customer."""


def is_eligible(customer: int) -> bool:
    """Every third is Gold, every seventh has closed the account."""
    return customer % 3 < 2 and customer % 7 > 0


def load_people(system: System) -> None:
    """Customers and their features into Redis."""
    path = system.folder / "people.csv"
    with path.open("w", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(HEADER.split(","))
        for n in range(PEOPLE):
            home = (n % 2, "1 Example Lane", "72132", "01/01/2020", int(n % 7 > 0))
            rows.writerow([n, f"Listener No. {n}", *home, n % 3, n % 5, 0, 30, "", 0])
    system.run("reference", "--customers", str(path), "--redis", system.redis)
    known = [(n, date(2026, 3, 1), *(0.5 for _ in FEATURES), FEATURE_HASH) for n in range(PEOPLE)]
    sink = FeaturesConfig(system.redis).open()
    sink.write("features", pl.DataFrame(known, schema=FEATURE_ROWS, orient="row"))
    sink.close()


def plays(customers: Iterable[int], name: str) -> list[Post]:
    """A play of each, a hundred in a request."""
    everyone = list(customers)
    posts = []
    for first in range(0, len(everyone), A_REQUEST):
        moment = START + timedelta(seconds=everyone[first])
        lines = [
            json.dumps(
                {
                    "event_id": f"{name}-{customer}",
                    "customer_id": customer,
                    "track_id": 1,
                    "played_at": moment.isoformat(),
                    "is_mobile": True,
                    "zip": "72132",
                }
            ).encode()
            for customer in everyone[first : first + A_REQUEST]
        ]
        posts.append(Post("play", moment, tuple(lines), len(lines)))
    return posts


def in_redis(system: System) -> dict[int, Row]:
    """The decisions that were taken."""
    client = connect(system.redis)
    found: dict[int, Row] = {}
    for key in client.scan_iter("decision:gold-1day:*", 1_000):
        decision = Decision(**json.loads(client.get(key) or b""))
        found[int(key.rpartition(b":")[2])] = (
            *(decision.score, decision.model_version, decision.decided_at),
            *(decision.channel, decision.explore),
        )
    return found


def _row(row: dict[str, Any]) -> Row:
    moment = row["decided_at"]
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return (
        *(row["score"], row["model_version"], epoch_ms(moment)),
        *(row["channel"], row["explore"]),
    )


def in_elasticsearch(system: System) -> dict[int, Row]:
    """The documents of targets."""
    client = ElasticsearchConfig(system.stack.endpoints.elasticsearch).client()
    if not client.indices.exists(index="targets"):
        return {}
    client.cluster.health(index="targets", wait_for_active_shards="all", timeout="60s")
    client.indices.refresh(index="targets")
    hits = [hit["_source"] for hit in helpers.scan(client, index="targets")]
    found = {int(hit["customer_id"]): _row(hit) for hit in hits}
    assert len(found) == len(hits)
    return found


def in_bigquery(system: System) -> dict[int, Row]:
    """The rows of targets, each once."""
    sql = f"SELECT * FROM {system.dataset}.targets_current"
    rows = [dict(row) for row in system.bigquery.client().query_and_wait(sql)]
    found = {row["customer_id"]: _row(row) for row in rows}
    assert len(found) == len(rows)
    return found


def wrong(system: System, decided: set[int]) -> str | None:
    """What is not yet as it should be; None when all stores have these and the same decisions."""
    redis = in_redis(system)
    if redis.keys() != decided:
        return f"{len(redis)} decisions of {len(decided)}"
    for name, held in (("ES", in_elasticsearch(system)), ("BigQuery", in_bigquery(system))):
        if held != redis:
            differ = [n for n in decided if held.get(n) != redis[n]]
            return f"{name}: {len(held)} rows, {len(differ)} of {len(decided)} differ"
    return None


def outbox(system: System) -> Counter[int]:
    """Messages in the outbox by customer."""
    entries: Any = connect(system.redis).xrange("sms:outbox")
    return Counter(int(fields[b"customer_id"]) for _, fields in entries)


def test_models_are_swapped_and_a_kill_leaves_every_store_with_the_same_decisions(
    stack: Stack, tmp_path: Path
) -> None:
    place = tmp_path / "models"
    place.mkdir()
    objects = FolderObjects(place)
    eligible = {n for n in range(PEOPLE) if is_eligible(n)}
    by_chance = np.flatnonzero(draw("gold-1day", "explore", np.arange(PEOPLE)) < EXPLORE)
    explored = eligible & set(by_chance.tolist())
    flags = ("--models", str(place), "--explore", str(EXPLORE))
    with new_system(stack, tmp_path) as system, ingest_of(system) as ingest:
        load_people(system)
        system.start_pipeline(*flags)

        first = set(range(500))
        post_all(ingest, plays(first, "before"))
        decided = explored & first
        wait_until(lambda: wrong(system, decided), system.say)
        assert all(row[:2] == (None, None) for row in in_redis(system).values())

        promote(objects, model(version="v1", intercept=20.0))
        decided |= eligible & first
        names = iter(range(1_000))

        def taken_up() -> str | None:
            post_all(ingest, plays(first, f"again{next(names)}"))
            return None if in_redis(system).keys() == decided else "v1 is not taken up"

        wait_until(taken_up, system.say, 60)

        promote(objects, model(version="v2"), b'{"version": "v2", "cut')
        newcomers = iter(range(500, PEOPLE))

        def alarmed() -> str | None:
            post_all(ingest, plays([next(newcomers)], "new"))
            return None if "model not taken up (v1 stays)" in system.say() else "no alarm"

        wait_until(alarmed, system.say, 60)

        rest = plays(range(500, PEOPLE), "rest")
        before = len(in_redis(system))
        post_all(ingest, rest)
        wait_until(lambda: None if len(in_redis(system)) > before else "none yet", system.say)
        system.kill_pipeline()
        killed = in_redis(system)
        promote(objects, model(version="v3", intercept=-20.0, threshold=1e-12))
        system.start_pipeline(*flags)
        wait_until(lambda: wrong(system, eligible), system.say)

        redis = in_redis(system)
        assert killed.items() <= redis.items()
        assert {row[1] for row in redis.values()} == {None, "v1", "v3"} - (
            set() if len(killed) < len(eligible) else {"v3"}
        )
        channels = Counter(row[3] for row in redis.values())
        assert channels.keys() == {SMS, HOLDOUT}
        sent_to = {n for n, row in redis.items() if row[3] == SMS}
        assert outbox(system) == Counter(sent_to)
        targets = connect(system.redis).scan_iter("target:*", 1_000)
        assert {int(key.rpartition(b":")[2]) for key in targets} == sent_to
