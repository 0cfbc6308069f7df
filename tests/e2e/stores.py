"""What each store holds, read back whole, and where it differs from the oracle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from elasticsearch import Elasticsearch, helpers

from beam_pipeline.domain.schemas import AD_EVENTS, HEALTH, PLAYS
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig
from beam_pipeline.edges.redis import connect
from tests.e2e.system import System
from tests.oracle import Stores

COUNTERS = [name for name in HEALTH if name != "minute"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def differences(system: System, expected: Stores, *, by_minute: bool = True) -> str | None:
    """The first things in which a store is not as the oracle has it; None when all agree.

    Without `by_minute` health is compared in total, for messages whose time Pub/Sub chooses.
    """
    wanted: dict[str, dict[Any, Any]] = {
        "plays": {
            key: {name: row[name] for name in PLAYS if name != "published_at"}
            for key, row in expected.plays.items()
        },
        "ad_events": {
            key: {name: row.get(name) for name in AD_EVENTS if name != "published_at"}
            for key, row in expected.ad_events.items()
        },
        "interests": expected.interests(),
        "listening": expected.listening(),
        "health": {
            minute: tuple(getattr(row, name) for name in COUNTERS)
            for minute, row in expected.health.items()
        },
    }
    found = []
    if not by_minute:
        wanted["health"] = _in_total(wanted["health"])
    for store, held in (("Elasticsearch", _elasticsearch(system)), ("BigQuery", _bigquery(system))):
        if not by_minute:
            held["health"] = _in_total(held["health"])
        for dataset, rows in wanted.items():
            found += _compare(f"{store} {dataset}", rows, held[dataset])
    lists: dict[int, dict[int, int]] = {}
    for (customer, track), (_, latest, _) in wanted["interests"].items():
        lists.setdefault(customer, {})[track] = latest
    found += _compare("Redis interests", lists, _redis(system))
    found += _compare("BigQuery dead letters", expected.dead_letters, _dead_letters(system))
    return "\n".join(found) or None


def _in_total(health: Mapping[Any, Any]) -> dict[Any, Any]:
    return {"in total": tuple(map(sum, zip(*health.values(), strict=True)))}


def _compare(name: str, wanted: Mapping[Any, Any], held: Mapping[Any, Any]) -> list[str]:
    wrong = [key for key in wanted.keys() | held.keys() if wanted.get(key) != held.get(key)]
    return [
        f"{name}: {len(wrong)} differ of {len(wanted)}, e.g. {key}: "
        f"expected {wanted.get(key)}, held {held.get(key)}"
        for key in wrong[:2]
    ]


def _ms(moment: str | datetime) -> int:
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _rows(documents: list[dict[str, Any]], names: list[str]) -> dict[Any, dict[str, Any]]:
    times = ("played_at", "at")
    return {
        (row["customer_id"], row["event_id"]): {
            name: _ms(row[name]) if name in times else row.get(name) for name in names
        }
        for row in documents
    }


def _held(read: dict[str, list[dict[str, Any]]]) -> dict[str, dict[Any, Any]]:
    return {
        "plays": _rows(read["plays"], [name for name in PLAYS if name != "published_at"]),
        "ad_events": _rows(
            read["ad_events"], [name for name in AD_EVENTS if name != "published_at"]
        ),
        "interests": {
            (row["customer_id"], row["track_id"]): (
                _ms(row["since"]),
                _ms(row["latest"]),
                row["peak"],
            )
            for row in read["interests"]
        },
        "listening": {
            (_ms(row["window_start"]), _ms(row["window_end"]), row["dimension"], row["key"]): (
                row["plays"],
                row["listeners"],
            )
            for row in read["listening"]
        },
        "health": {
            _ms(row["minute"]): tuple(row[name] for name in COUNTERS) for row in read["health"]
        },
    }


def _elasticsearch(system: System) -> dict[str, dict[Any, Any]]:
    client = ElasticsearchConfig(system.stack.endpoints.elasticsearch).client()
    client.indices.refresh(index="*")
    indices = {"plays": "plays-*"}
    names = ("plays", "ad_events", "interests", "listening", "health")
    return _held({name: _scan(client, indices.get(name, name)) for name in names})


def _scan(client: Elasticsearch, index: str) -> list[dict[str, Any]]:
    if not client.indices.exists(index=index):
        return []
    client.cluster.health(index=index, wait_for_active_shards="all", timeout="60s")
    return [hit["_source"] for hit in helpers.scan(client, index=index)]


def _bigquery(system: System) -> dict[str, dict[Any, Any]]:
    names = ("plays", "ad_events", "interests", "listening", "health")
    return _held(
        {name: _query(system, f"SELECT * FROM {_every_row(system, name)}") for name in names}
    )


def _query(system: System, sql: str) -> list[dict[str, Any]]:
    return [dict(row) for row in system.bigquery.client().query_and_wait(sql)]


def _every_row(system: System, dataset: str) -> str:
    """One row an identity, of all years that a clock may claim; interests have no range."""
    if dataset == "interests":
        return f"{system.dataset}.interests_current"
    span = "TIMESTAMP '0001-01-01', TIMESTAMP '9999-12-31 23:59:59'"
    return f"{system.dataset}.{dataset}_between({span})"


def _dead_letters(system: System) -> dict[str, int]:
    letters = _every_row(system, "dead_letters")
    sql = f"SELECT reason, COUNT(*) AS n FROM {letters} GROUP BY reason"
    return {row["reason"]: row["n"] for row in _query(system, sql)}


def _redis(system: System) -> dict[int, dict[int, int]]:
    client = connect(system.redis)
    lists: dict[int, dict[int, int]] = {}
    for key in client.scan_iter("interests:*"):
        scored: Any = client.zrange(key, 0, -1, withscores=True)
        lists[int(key.split(b":")[1])] = {int(track): int(latest) for track, latest in scored}
    return lists
