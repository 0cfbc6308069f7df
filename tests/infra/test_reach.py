"""The account of targets, messages and texts sees what is missing, and what was sent twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, apply_templates
from beam_pipeline.edges.tables import create_tables
from infra.local import reach
from infra.local.stack import Stack
from infra.local.stores import Stores
from tests.edges.rows import ad_events, outcomes

SENT, REFUSED = ("gold-day:0", "gold-day:2"), ("gold-day:1", "gold-day:3")
"""As `outcomes` has them."""


@pytest.fixture
def stores(stack: Stack) -> Iterator[Stores]:
    """Messages (four ended, one on its way) and events (five of an offer), in every store."""
    stack.start(("elasticsearch", "redis", "bigquery"))
    ends = replace(stack.endpoints, dataset="reach")
    held = Stores(ends)
    held.elasticsearch.indices.delete(index="messages,ad_events,targets", ignore_unavailable=True)
    apply_templates(held.elasticsearch, replicas=0)
    create_tables(held.bigquery, ends.dataset)
    held.redis.flushall()
    for message, status, attempts in (
        *((name, "sent", 1) for name in SENT),
        *((name, "refused", 0) for name in REFUSED),
        ("gold-day:4", "attempting", 1),
    ):
        held.redis.hset(f"sms:message:{message}", "status", status)
        if attempts:
            held.redis.hset(f"sms:message:{message}", "attempts", str(attempts))
    for customer in range(5):
        held.redis.set(f"contact:{customer}", json.dumps({"phone": number(customer)}))
    documents = ElasticsearchConfig(ends.elasticsearch).open()
    documents.write("messages", outcomes(4))
    documents.write("ad_events", ad_events(10))
    sink = BigQueryConfig(ends.project, ends.dataset, ends.bigquery, ends.bigquery_grpc).open()
    sink.write("messages", outcomes(4))
    sink.write("ad_events", ad_events(10))
    sink.close()
    yield held
    held.redis.flushall()
    held.elasticsearch.indices.delete(index="messages,ad_events", ignore_unavailable=True)
    held.close()


def number(customer: int) -> str:
    return f"+1500555{customer:04d}"


def account(folder: Path) -> Path:
    """The listeners' own: what they did with offers, and a banner that was none."""
    actions = [*["shown"] * 3, *["clicked"] * 2, "shown"]
    offers = [*["gold-day:1"] * 5, None]
    pl.DataFrame({"action": actions, "offer_id": offers}).write_parquet(
        folder / "ad_events.parquet"
    )
    return folder


def arrived(folder: Path, *customers: int) -> Path:
    """The carrier's record of one text to each of these."""
    file = folder / "texts.ndjson"
    file.write_text("".join(json.dumps({"to": number(one)}) + "\n" for one in customers))
    return file


def test_the_account_of_messages_and_texts(stores: Stores, tmp_path: Path) -> None:
    """In one test, since BigQuery keeps what was appended."""

    def told(*customers: int) -> dict[str, dict[str, str]]:
        lines = reach.reconcile(account(tmp_path), stores, arrived(tmp_path, *customers))
        return {line.what: {name: str(held) for name, held in line.held.items()} for line in lines}

    fits = {"Elasticsearch": "4", "BigQuery": "4"}
    assert told(0, 2)["messages"] == fits
    assert told(0, 2)["events of offers"] == {
        "Elasticsearch": "5 (2 missing, 2 too many)",
        "BigQuery": "5 (2 missing, 2 too many)",
    }
    assert told(0, 2)["texts sent"] == {"carrier": "2"}
    assert told(0, 2, 4)["texts sent"] == {"carrier": "3"}, "one on its way may have arrived"
    assert told(0)["texts sent"] == {"carrier": "1 (1 missing)"}
    assert told(0, 2, 2)["texts sent"] == {"carrier": "3 (1 too many)"}
    assert told(0, 2, 1)["texts sent"] == {"carrier": "3 (1 too many)"}, "it was refused"

    stores.redis.set("decision:gold-day:7", "sms")
    missing = {"Elasticsearch": "0 (1 missing)", "BigQuery": "0 (1 missing)"}
    assert told(0, 2)["targets"] == missing

    stores.redis.hset("sms:message:gold-day:4", "status", "unknown")
    assert told(0, 2)["messages"] == dict.fromkeys(fits, "4 (1 missing)")
    stores.redis.delete("sms:message:gold-day:4")
    stores.redis.hset("sms:message:gold-day:1", "status", "failed")
    assert told(0, 2)["messages"] == dict.fromkeys(fits, "4 (1 missing, 1 too many)")
