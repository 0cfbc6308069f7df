"""What the stores hold, asked of them directly: counts while a demo runs, identities at its end."""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl
from elasticsearch import Elasticsearch, helpers
from google.cloud import bigquery

from beam_pipeline.domain.outcomes import STATUSES
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig
from beam_pipeline.edges.redis import connect
from infra.local.stack import Endpoints

HEALTH = (
    *("received", "accepted", "duplicate", "rejected"),
    *("late", "unknown_customer", "unknown_track"),
)
INTEREST = ("customer_id", "track_id", "since", "latest", "peak")
PAGE = 5_000
SPAN = (
    bigquery.ScalarQueryParameter("first", "TIMESTAMP", datetime(1970, 1, 1, tzinfo=UTC)),
    bigquery.ScalarQueryParameter("end", "TIMESTAMP", datetime(9999, 1, 1, tzinfo=UTC)),
)
"""All days there are, for tables that want to be asked for some."""
TABLES = (
    *("plays", "ad_events", "interests", "listening", "dead_letters", "health"),
    *("targets", "messages"),
)
LISTENING = """
SELECT COUNT(*) AS windows, SUM(plays) AS plays, SUM(listeners) AS listeners
FROM {0}.listening_between(@first, @end)
"""


class Stores:
    """The clients with which a demo looks into its stores; nothing is written through them."""

    def __init__(self, endpoints: Endpoints) -> None:
        self.elasticsearch: Elasticsearch = ElasticsearchConfig(endpoints.elasticsearch).client()
        self.bigquery: bigquery.Client = BigQueryConfig(
            endpoints.project, endpoints.dataset, endpoints.bigquery
        ).client()
        self.redis = connect(endpoints.redis)
        self._dataset = endpoints.dataset

    def close(self) -> None:
        """Close the connections."""
        self.elasticsearch.close()
        self.bigquery.close()  # type: ignore[no-untyped-call]
        self.redis.close()

    def documents(self) -> dict[str, int]:
        """Documents by index; the days of plays added up."""
        found: dict[str, int] = {}
        indices: Any = self.elasticsearch.cat.indices(format="json", h="index,docs.count")
        for index in indices:
            name = "plays" if index["index"].startswith("plays-") else index["index"]
            found[name] = found.get(name, 0) + int(index["docs.count"] or 0)
        return found

    def rows(self) -> dict[str, int]:
        """Rows by table as they were appended: copies count. Tables know it without a query."""
        tables = {name: self.bigquery.get_table(f"{self._dataset}.{name}") for name in TABLES}
        return {name: int(table.num_rows or 0) for name, table in tables.items()}

    def document_health(self) -> dict[str, int]:
        """The sums of the health documents; empty before there are any."""
        return self._sums("health", HEALTH)

    def row_health(self) -> dict[str, int]:
        """The sums of the health rows, the last of each minute."""
        sums = ", ".join(f"SUM({name}) AS {name}" for name in HEALTH)
        [row] = self._query(f"SELECT {sums} FROM {{0}}.health_between(@first, @end)")  # noqa: S608
        return {name: row[name] or 0 for name in HEALTH}

    def document_ids(self, index: str) -> pl.Series:
        """The ids of all documents."""
        hits = self.scan(index, source=False)
        return pl.Series([hit["_id"] for hit in hits], dtype=pl.String)

    def row_ids(self, dataset: str) -> pl.Series:
        """customer-event of all rows of plays or ad_events, as their function gives them."""
        sql = f"SELECT customer_id, event_id FROM {{0}}.{dataset}_between(@first, @end)"  # noqa: S608
        return pl.Series([f"{row[0]}-{row[1]}" for row in self._query(sql)], dtype=pl.String)

    def document_interests(self) -> pl.DataFrame:
        """The columns INTEREST of all interest documents."""
        sources = [hit["_source"] for hit in self.scan("interests", source=list(INTEREST))]
        times = ("since", "latest")
        schema = {name: pl.String() if name in times else pl.Int64() for name in INTEREST}
        return pl.DataFrame(sources, schema=schema).with_columns(
            pl.col(times).str.to_datetime(time_unit="ms", time_zone="UTC")
        )

    def row_interests(self) -> pl.DataFrame:
        """The columns INTEREST of all interests, merged by their view."""
        sql = f"SELECT {', '.join(INTEREST)} FROM {{0}}.interests_current"  # noqa: S608
        rows = [tuple(row[name] for name in INTEREST) for row in self._query(sql)]
        time = pl.Datetime("us", "UTC")
        types = (pl.Int64(), pl.Int64(), time, time, pl.Int64())
        return pl.DataFrame(rows, schema=dict(zip(INTEREST, types, strict=True)), orient="row")

    def listed_interests(self) -> pl.DataFrame:
        """customer_id, track_id and latest (epoch ms) of all interest lists in Redis."""
        rows = [
            (int(key.partition(b":")[2]), int(track), int(latest))
            for key in self.redis.scan_iter("interests:*", count=PAGE)
            for track, latest in self._list(key)
        ]
        schema = dict.fromkeys(("customer_id", "track_id", "latest"), pl.Int64())
        return pl.DataFrame(rows, schema=schema, orient="row")

    def _list(self, key: bytes) -> list[tuple[bytes, float]]:
        members: Any = self.redis.zrange(key, 0, -1, withscores=True)
        return list(members)

    def reasons(self) -> dict[str, int]:
        """Dead letters by reason."""
        sql = "SELECT reason, COUNT(*) AS n FROM {0}.dead_letters_between(@first, @end) GROUP BY 1"
        return {row["reason"]: row["n"] for row in self._query(sql)}

    def document_listening(self) -> tuple[int, int, int]:
        """How many window counts there are, and the sums of their plays and listeners."""
        sums = self._sums("listening", ("plays", "listeners"))
        count = int(self.elasticsearch.count(index="listening")["count"])
        return count, sums.get("plays", 0), sums.get("listeners", 0)

    def row_listening(self) -> tuple[int, int, int]:
        """The same of BigQuery, the last row of each window count."""
        [row] = self._query(LISTENING)
        return row["windows"], row["plays"] or 0, row["listeners"] or 0

    def counts_by(self, index: str, field: str, having: str | None = None) -> dict[str, int]:
        """Documents by the values of a keyword field, of those that have another one if named."""
        answer = self.elasticsearch.search(
            index=index,
            size=0,
            query={"exists": {"field": having}} if having else {"match_all": {}},
            aggs={"by": {"terms": {"field": field, "size": 50}}},
            ignore_unavailable=True,
        )
        buckets = answer.get("aggregations", {}).get("by", {}).get("buckets", [])
        return {bucket["key"]: bucket["doc_count"] for bucket in buckets}

    def row_actions(self) -> dict[str, int]:
        """Events of our own offers by action in BigQuery."""
        sql = """
            SELECT action, COUNT(*) FROM {0}.ad_events_between(@first, @end)
            WHERE offer_id IS NOT NULL GROUP BY action
        """
        return {row[0]: row[1] for row in self._query(sql)}

    def decisions(self) -> pl.Series:
        """offer-customer of all decisions in Redis, made once and kept for ever."""
        keys = self.redis.scan_iter("decision:*", count=PAGE)
        return pl.Series(["-".join(key.decode().split(":")[1:]) for key in keys], dtype=pl.String)

    def row_targets(self) -> pl.Series:
        """offer-customer of all targets in BigQuery."""
        sql = "SELECT offer, customer_id FROM {0}.targets_current"
        return pl.Series([f"{row[0]}-{row[1]}" for row in self._query(sql)], dtype=pl.String)

    def messages_on_record(self) -> list[tuple[str, str, int]]:
        """message_id, status and attempts of all messages that sms keeps a record of in Redis."""
        keys = list(self.redis.scan_iter("sms:message:*", count=PAGE))
        with self.redis.pipeline(transaction=False) as asked:
            for key in keys:
                asked.hmget(key, "status", "attempts")
            found: Any = asked.execute()
        return [
            (key.decode().removeprefix("sms:message:"), (status or b"").decode(), int(tries or 0))
            for key, (status, tries) in zip(keys, found, strict=True)
        ]

    def ended_messages(self) -> dict[str, str]:
        """message_id → status of those of which nothing more will become."""
        record = self.messages_on_record()
        return {name: status for name, status, _ in record if status in STATUSES}

    def phones(self, customers: Sequence[int]) -> list[str | None]:
        """The numbers of customers, in their order; never to be shown."""
        if not customers:
            return []
        contacts: Any = self.redis.mget([f"contact:{customer}" for customer in customers])
        return [json.loads(one).get("phone") if one else None for one in contacts]

    def document_messages(self) -> dict[str, str]:
        """message_id → status in Elasticsearch."""
        hits = self.scan("messages", source=["message_id", "status"])
        return {hit["_source"]["message_id"]: hit["_source"]["status"] for hit in hits}

    def row_messages(self) -> dict[str, str]:
        """message_id → status in BigQuery."""
        sql = "SELECT message_id, status FROM {0}.messages_current"
        return {row[0]: row[1] for row in self._query(sql)}

    def refresh(self) -> None:
        """Make everything that Elasticsearch took visible to the questions that follow."""
        self.elasticsearch.indices.refresh(index="*")

    def _sums(self, index: str, fields: tuple[str, ...]) -> dict[str, int]:
        sums = {name: {"sum": {"field": name}} for name in fields}
        answer = self.elasticsearch.search(index=index, size=0, aggs=sums, ignore_unavailable=True)
        found = answer.get("aggregations", {})
        return {name: int(found[name]["value"]) for name in fields if name in found}

    def scan(self, index: str, source: list[str] | bool) -> Iterator[dict[str, Any]]:
        """Every document; an index that nothing was written to yet is not there, and holds none."""
        query: dict[str, Any] = {"query": {"match_all": {}}, "_source": source}
        yield from helpers.scan(
            self.elasticsearch, index=index, query=query, size=PAGE, ignore_unavailable=True
        )

    def _query(self, sql: str) -> list[bigquery.Row]:
        config = bigquery.QueryJobConfig(query_parameters=list(SPAN))
        return list(self.bigquery.query_and_wait(sql.format(self._dataset), job_config=config))
