"""The services of one home folder: started when asked for, stopped by their records.

A home holds `data/` (wiped by a fresh start), `logs/NAME.log`, `run/NAME.json` and `config/`.
"""

import fcntl
import os
import random
import shutil
import socket
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import IO

from infra.local import processes, topics
from infra.local.environments import last_error
from infra.local.errors import AlreadyRunning, PortBusy, ServiceFailed
from infra.local.services import HOST, PROJECT, PUBSUB, SERVICES, Service

READY_DEADLINE_S = 90.0
DATASET = "encore"


@dataclass(frozen=True)
class Ports:
    """Where the services listen on 127.0.0.1."""

    pubsub: int = 8085
    elasticsearch: int = 9200
    redis: int = 6379
    bigquery: int = 9150
    bigquery_grpc: int = 9160
    ingest: int = 8080
    offer: int = 8081
    sms: int = 8082
    board: int = 8083
    carrier: int = 8094

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody uses now, below the range that outgoing connections draw from."""
        chosen: list[int] = []
        candidates = random.sample(range(20_000, 32_000), 2_000)
        for port in candidates:
            if len(chosen) == len(fields(cls)):
                break
            if not is_busy(port):
                chosen.append(port)
        return cls(*chosen)


@dataclass(frozen=True)
class Endpoints:
    """Addresses of the services, in the form their clients take, and the names inside them."""

    pubsub: str
    elasticsearch: str
    redis: str
    bigquery: str
    bigquery_grpc: str
    project: str = PROJECT
    dataset: str = DATASET
    topic: str = topics.TOPIC
    subscription: str = topics.SUBSCRIPTION


def is_busy(port: int) -> bool:
    """Whether a port of this machine is taken; a closed connection's remains do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return True
    return False


class Stack:
    """Real services below one home folder; each is started on first use and stopped by `stop`.

    `stack.elasticsearch`, `.redis`, `.pubsub` and `.bigquery` start the service where it does not
    run yet and return its address; `.endpoints` only says the addresses. Nothing happens on
    construction. Raises PortBusy, MissingPrerequisite, SetupFailed or ServiceFailed on a start.
    """

    def __init__(self, home: Path, ports: Ports) -> None:
        self.home = home
        self.ports = ports
        self._lock: IO[str] | None = None
        self._children: dict[str, processes.Child] = {}

    @property
    def endpoints(self) -> Endpoints:
        """The addresses, whether or not anything runs there."""
        ports = self.ports
        return Endpoints(
            pubsub=f"{HOST}:{ports.pubsub}",
            elasticsearch=f"http://{HOST}:{ports.elasticsearch}",
            redis=f"redis://{HOST}:{ports.redis}/0",
            bigquery=f"http://{HOST}:{ports.bigquery}",
            bigquery_grpc=f"{HOST}:{ports.bigquery_grpc}",
        )

    @property
    def run(self) -> Path:
        """Where the records of the started processes lie."""
        return self.home / "run"

    @property
    def pubsub(self) -> str:
        """The Pub/Sub emulator, running, with topic and subscription."""
        self.start(("pubsub",))
        return self.endpoints.pubsub

    @property
    def elasticsearch(self) -> str:
        """Elasticsearch, running."""
        self.start(("elasticsearch",))
        return self.endpoints.elasticsearch

    @property
    def redis(self) -> str:
        """Redis, running."""
        self.start(("redis",))
        return self.endpoints.redis

    @property
    def bigquery(self) -> str:
        """The BigQuery emulator, running (its gRPC side is `endpoints.bigquery_grpc`)."""
        self.start(("bigquery",))
        return self.endpoints.bigquery

    def log(self, name: str) -> Path:
        """The log file of a service or process."""
        return self.home / "logs" / f"{name}.log"

    def hold(self) -> None:
        """Keep this home for this process until `release` or its end; AlreadyRunning if taken."""
        self.home.mkdir(parents=True, exist_ok=True)
        lock = (self.home / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise AlreadyRunning(
                f"{self.home} is in use by another run: wait for it or end it (make down)."
            ) from None
        self._lock = lock

    def release(self) -> None:
        """Let others have this home."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def wipe(self) -> None:
        """Stop what still runs here and forget all data and logs."""
        self.stop()
        for folder in ("data", "logs", "config", "run"):
            shutil.rmtree(self.home / folder, ignore_errors=True)

    def start(self, services: Iterable[str] = tuple(SERVICES)) -> None:
        """Start the named services that do not run yet, together, and wait until all are ready.

        All or nothing: when one fails, those that this call started are stopped again.
        """
        missing = [SERVICES[name] for name in services if not self.is_running(name)]
        for service in missing:
            self._check_ports(service)
        try:
            for service in missing:
                self._spawn(service)
            for service in missing:
                self._wait(service)
        except BaseException:
            self.stop([service.name for service in missing])
            raise
        if PUBSUB in missing:
            topics.create(self.ports.pubsub)

    def stop(self, services: Iterable[str] | None = None) -> list[str]:
        """Stop the named services, or all that is recorded here; return who was running."""
        names = None if services is None else list(services)
        stopped = processes.stop_all(self.run, names)
        for name in list(self._children) if names is None else names:
            child = self._children.pop(name, None)
            if child is not None:
                child.wait()
        return stopped

    def check(self) -> None:
        """Raise ServiceFailed when a service that was started here has ended by itself."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise self._failure(SERVICES[name], f"ended (exit {child.returncode})")

    def is_running(self, name: str) -> bool:
        """Whether the recorded process of a service lives, on the port this stack means."""
        record = processes.read_record(processes.record_file(self.run, name))
        wanted = self._ports_of(SERVICES[name])
        return record is not None and record.is_alive() and record.ports == wanted

    def _ports_of(self, service: Service) -> tuple[int, ...]:
        return tuple(getattr(self.ports, port) for port in service.ports)

    def _check_ports(self, service: Service) -> None:
        processes.stop_all(self.run, (service.name,))
        for port in self._ports_of(service):
            if is_busy(port):
                raise PortBusy(port, service.title)

    def _spawn(self, service: Service) -> None:
        launch = service.launch(self.home, asdict(self.ports))
        self._children[service.name] = processes.spawn(
            service.name,
            launch.command,
            self.run,
            self.log(service.name),
            env=os.environ | launch.env,
            cwd=self.home,
            ports=self._ports_of(service),
        )

    def _wait(self, service: Service) -> None:
        child = self._children[service.name]
        deadline = time.monotonic() + READY_DEADLINE_S
        while not service.ready(asdict(self.ports)):
            if child.poll() is not None:
                problem = f"ended while starting (exit {child.returncode})"
            elif time.monotonic() > deadline:
                problem = f"was not ready within {READY_DEADLINE_S:.0f} s"
            else:
                time.sleep(0.05)
                continue
            raise self._failure(service, problem)

    def _failure(self, service: Service, problem: str) -> ServiceFailed:
        title, log = service.title[0].upper() + service.title[1:], self.log(service.name)
        return ServiceFailed(f"{title} {problem}: {last_error(log)} Its log is {log}.")
