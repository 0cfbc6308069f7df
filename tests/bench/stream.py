"""From the Pub/Sub emulator into real stores: how many plays a second, and how soon one is seen."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis as redis_client
from elasticsearch import Elasticsearch

from beam_pipeline.domain.lines import Block
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bulk import Bulk
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, apply_templates
from beam_pipeline.edges.environment import WORKER
from beam_pipeline.edges.lookups import FileReferences
from beam_pipeline.edges.places import ZipPlaces
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.retry import Outage
from beam_pipeline.edges.tables import create_tables
from infra.local import topics
from infra.local.stack import Stack
from tests.bench.core import Core, frames_of
from tests.bench.work import ROOT, Work

DATASET = "bench"
DEADLINE_S, POLL_S = 240.0, 0.1
BUNDLE_ROWS = 2_000
"""The local runner pulls ten messages at most, of 200 events here."""
CHANGED_EVERY_S = 3.0
"""The pipeline's own pace for changed counts."""
SERVICES = ("pubsub", "elasticsearch", "redis", "bigquery")


@dataclass(frozen=True)
class Bench:
    """Real stores, with the reference data of the work."""

    stack: Stack
    work: Work
    folder: Path
    """Of the pipelines' logs."""

    @property
    def elasticsearch(self) -> Elasticsearch:
        """A client."""
        return ElasticsearchConfig(self.stack.endpoints.elasticsearch).client()

    @property
    def redis(self) -> redis_client.Redis:
        """A client."""
        return connect(self.stack.endpoints.redis)

    def prepare(self) -> None:
        """Start the stores, and load what is known of listeners and tracks."""
        self.stack.start(SERVICES)
        ends = self.stack.endpoints
        ledger = BigQueryConfig(ends.project, DATASET, ends.bigquery, ends.bigquery_grpc)
        create_tables(ledger.client(), DATASET)
        self._run("reference", "--customers", str(self.work.customers), "--tracks",
                  str(self.work.tracks), "--redis", ends.redis)  # fmt: skip

    def empty(self) -> None:
        """Forget all documents and interests."""
        for index in self.elasticsearch.indices.get(index="*"):
            self.elasticsearch.indices.delete(index=index)
        apply_templates(self.elasticsearch, replicas=0)
        store = self.redis
        for pattern in ("interests:*", "progress"):
            for key in store.scan_iter(pattern, count=10_000):
                store.delete(key)

    @contextmanager
    def pipeline(self, topic: str, *, bigquery: bool) -> Iterator[None]:
        """A pipeline from a topic into the stores, for as long as the context is open."""
        ends = self.stack.endpoints
        flags = ["--subscription", f"projects/{ends.project}/subscriptions/{topic}-pipeline"]
        flags += ["--elasticsearch", ends.elasticsearch, "--redis", ends.redis]
        if bigquery:
            flags += ["--bigquery", f"{ends.project}.{DATASET}"]
            flags += ["--bigquery-endpoint", ends.bigquery]
            flags += ["--bigquery-grpc-endpoint", ends.bigquery_grpc]
        with (self.folder / f"{topic}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "beam_pipeline.main", *flags],
                cwd=ROOT,
                env=self._environ(),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        try:
            with topics.Heartbeat(self.stack.ports.pubsub, topic):
                yield
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def _run(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"beam_pipeline.{module}", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self._environ(), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-2000:])

    def _environ(self) -> dict[str, str]:
        pubsub = self.stack.endpoints.pubsub
        return {**os.environ, "PUBSUB_EMULATOR_HOST": pubsub, **WORKER}


class Topic:
    """Publishes over the emulator's REST interface."""

    def __init__(self, stack: Stack, name: str) -> None:
        """Make the topic and its subscription."""
        topics.create(stack.ports.pubsub, name, f"{name}-pipeline")
        self.name = name
        self._path = f"/v1/projects/{stack.endpoints.project}/topics/{name}:publish"
        host, _, port = stack.endpoints.pubsub.rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=30)

    def publish(self, blocks: Sequence[Block]) -> None:
        """Each block as one message."""
        messages = [
            {"data": base64.b64encode(b.payload).decode(), "attributes": dict(b.attributes)}
            for b in blocks
        ]
        self._connection.request("POST", self._path, json.dumps({"messages": messages}))
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise RuntimeError(body.decode(errors="replace")[:500])

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def accepted(bench: Bench) -> int:
    """How many of the plays are no duplicates."""
    return _documents(bench, bench.work.plays).documents["plays"]


def _documents(bench: Bench, every: int) -> Core:
    """Plays and, after every so many, the counts that changed, as lines of bulk requests."""
    known = FileReferences(bench.work.customers, bench.work.tracks).open()
    middle = Core(known, ZipPlaces().open(), every=every, lines=[])
    for blocks in frames_of(bench.work.blocks(), BUNDLE_ROWS):
        middle.take(blocks)
    middle.finish()
    return middle


def alone(bench: Bench, plays_rate: float) -> dict[str, float]:
    """Documents a second when nobody else works: the same plays and counts, made before.

    They go out in the bundles in which the pipeline writes, one request after the other, with the
    changed counts between them as often as a pipeline gives them that takes `plays_rate` plays a
    second: the more often, the more of them replace a document.
    """
    middle = _documents(bench, int(plays_rate * CHANGED_EVERY_S))
    assert middle.lines is not None
    bench.empty()
    bulk = Bulk(bench.elasticsearch, Outage("Elasticsearch"))
    begun = time.perf_counter()
    for lines in middle.lines:
        bulk.send(lines)
    seconds = time.perf_counter() - begun
    documents = sum(map(len, middle.lines))
    return {"seconds": seconds, "rate": documents / seconds}


def through(bench: Bench, plays: int, *, bigquery: bool) -> dict[str, float]:
    """Documents a second from the emulator, where all plays wait when the pipeline starts.

    Args:
        bench: the stores.
        plays: how many of them are no duplicates.
        bigquery: whether BigQuery is written too, and not Elasticsearch and Redis alone.
    """
    bench.empty()
    topic = Topic(bench.stack, f"bench-{'all' if bigquery else 'search'}-{time.time_ns()}")
    for blocks in frames_of(bench.work.blocks(), BUNDLE_ROWS):
        topic.publish(blocks)
    topic.close()
    with bench.pipeline(topic.name, bigquery=bigquery):
        begun, before, _ = _when_indexed(bench.elasticsearch, 1)
        ended, after, last = _when_indexed(bench.elasticsearch, plays)
    seconds = ended - begun
    rate, of_plays = (after - before) / seconds, plays / seconds
    return {"seconds": seconds, "plays": last, "rate": rate, "plays_rate": of_plays}


def _when_indexed(client: Elasticsearch, plays: int) -> tuple[float, int, int]:
    """When Elasticsearch had taken so many plays, and how many documents and plays it had then.

    Searchable or not; a document that replaces another counts too.
    """
    deadline = time.perf_counter() + DEADLINE_S
    while True:
        told = client.indices.stats(metric="indexing")["indices"]
        by_index = {
            name: int(index["primaries"]["indexing"]["index_total"]) for name, index in told.items()
        }
        taken = sum(count for name, count in by_index.items() if name.startswith("plays-"))
        if taken >= plays:
            return time.perf_counter(), sum(by_index.values()), taken
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{taken} of {plays} plays were indexed in {DEADLINE_S:.0f} s")
        time.sleep(POLL_S)
