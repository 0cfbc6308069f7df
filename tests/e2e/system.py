"""The whole system for one test: function, topic, pipeline and stores, all of its own."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig, apply_templates
from beam_pipeline.edges.environment import WORKER
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.tables import create_tables
from infra.local import topics
from infra.local.stack import Stack
from tests.e2e.traffic import Post, write_references
from tests.functions.process import Function, running

ROOT = Path(__file__).resolve().parents[2]
KEYS = '{"key-one": "a secret of the first key", "key-two": "a secret of the second key"}'

_numbers = itertools.count(1)


@dataclass
class System:
    """Addresses of one system, and the process of its pipeline."""

    stack: Stack
    folder: Path
    topic: str
    redis: str
    dataset: str
    pipelines: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def subscription(self) -> str:
        """The full name of the subscription."""
        return f"projects/{self.stack.endpoints.project}/subscriptions/{self.topic}-pipeline"

    @property
    def bigquery(self) -> BigQueryConfig:
        """Where the ledger is."""
        ends = self.stack.endpoints
        return BigQueryConfig(ends.project, self.dataset, ends.bigquery, ends.bigquery_grpc)

    def store_flags(self) -> list[str]:
        """The stores, for the pipeline's command line."""
        ends = self.stack.endpoints
        return [
            *("--elasticsearch", ends.elasticsearch, "--redis", self.redis),
            *("--bigquery", f"{ends.project}.{self.dataset}"),
            *("--bigquery-endpoint", ends.bigquery),
            *("--bigquery-grpc-endpoint", ends.bigquery_grpc),
        ]

    def command(self, module: str, *arguments: str) -> list[str]:
        """A module of the pipeline, run by this Python."""
        return [sys.executable, "-m", f"beam_pipeline.{module}", *arguments]

    def environ(self) -> dict[str, str]:
        """What processes of this system find in their environment."""
        return {
            **os.environ,
            "PUBSUB_EMULATOR_HOST": self.stack.endpoints.pubsub,
            **WORKER,
        }

    def start_pipeline(
        self, *arguments: str, module: str = "beam_pipeline.main"
    ) -> subprocess.Popen[bytes]:
        """Start a streaming pipeline that takes up where the stores have come to."""
        log = self.folder / f"pipeline-{len(self.pipelines)}.log"
        flags = [
            *("--subscription", self.subscription, "--replay", "progress", "--shards", "2"),
            *("--live-seconds", "1", "--ledger-seconds", "2"),
            *self.store_flags(),
            *arguments,
        ]
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *flags],
                cwd=ROOT,
                env=self.environ(),
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.pipelines.append(process)
        return process

    def kill_pipeline(self) -> None:
        """kill -9, as a lost machine would."""
        self.pipelines[-1].send_signal(signal.SIGKILL)
        self.pipelines[-1].wait()

    def run(self, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the pipeline to its end; it must succeed."""
        done = subprocess.run(
            self.command(module, *arguments),
            cwd=ROOT,
            env=self.environ(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done

    def say(self) -> str:
        """The end of the newest pipeline's log, for the message of a failed check."""
        logs = sorted(self.folder.glob("pipeline-*.log"))
        return logs[-1].read_text()[-4000:] if logs else "no pipeline was started"


@contextmanager
def new_system(stack: Stack, folder: Path) -> Iterator[System]:
    """A system with empty stores, reference data loaded, heartbeats running."""
    stack.start(("pubsub", "elasticsearch", "redis", "bigquery"))
    topic = f"e2e-{next(_numbers)}"
    topics.create(stack.ports.pubsub, topic, f"{topic}-pipeline")
    redis = stack.endpoints.redis.rsplit("/", 1)[0] + "/9"
    system = System(stack, folder, topic, redis, topic.replace("-", "_"))
    connect(redis).flushdb()
    elasticsearch = ElasticsearchConfig(stack.endpoints.elasticsearch).client()
    for index in elasticsearch.indices.get(index="*"):
        elasticsearch.indices.delete(index=index)
    apply_templates(elasticsearch, replicas=0)
    create_tables(system.bigquery.client(), system.dataset)
    customers, tracks = write_references(folder)
    system.run(
        "reference", "--customers", str(customers), "--tracks", str(tracks), "--redis", redis
    )
    try:
        with topics.Heartbeat(stack.ports.pubsub, topic):
            yield system
    finally:
        for process in system.pipelines:
            process.kill()
            process.wait()


@contextmanager
def ingest_of(system: System) -> Iterator[Function]:
    """The ingest function of a system, in simulated time."""
    environ = {
        "PUBSUB_EMULATOR_HOST": system.stack.endpoints.pubsub,
        "ENCORE_PROJECT": system.stack.endpoints.project,
        "ENCORE_TOPIC": system.topic,
        "ENCORE_KEYS": KEYS,
        "ENCORE_SIMULATED_TIME": "1",
        "ENCORE_RATE_EVENTS": "0",
        "REDIS_URL": system.redis,
    }
    with running("ingest", environ, system.folder) as function:
        yield function


def post_all(ingest: Function, posts: Sequence[Post]) -> None:
    """Post every request, and hold the answers against what each line deserves."""
    for post in posts:
        answer = ingest.post(
            {"play": "/v1/plays", "ad": "/v1/ad-events"}[post.kind],
            post.body,
            headers={"Encore-Published-At": post.published_at},
        )
        expected = (httpx.codes.ACCEPTED, httpx.codes.BAD_REQUEST)
        assert answer.status_code in expected, answer.text
        assert answer.json()["accepted"] == post.good


def wait_until(look, say, deadline_s: float = 180.0) -> None:  # type: ignore[no-untyped-def]
    """Until `look` gives None instead of what is still wrong; fails with the last it gave."""
    deadline = time.monotonic() + deadline_s
    while (wrong := look()) is not None:
        assert time.monotonic() < deadline, f"{wrong}\n{say()}"
        time.sleep(2)
