"""The project's own processes of a demo: how each is started against a stack."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from beam_pipeline.edges.environment import WORKER
from infra.local import processes
from infra.local.doors import KEY_ID, Caller
from infra.local.paths import ROOT
from infra.local.services import HOST, Launch
from infra.local.stack import Stack


@dataclass(frozen=True)
class Reference:
    """The reference data of a demo: invented customers and tracks, made once and kept."""

    folder: Path
    customers: int = 20_000
    tracks: int = 5_000

    @property
    def customers_file(self) -> Path:
        return self.folder / f"customers-{self.customers}.csv"

    @property
    def tracks_file(self) -> Path:
        return self.folder / f"tracks-{self.tracks}.csv"

    def commands(self) -> dict[str, Launch]:
        """The simulator runs that make the files which are not there yet, by name."""
        wanted = {
            "customers": (self.customers, self.customers_file),
            "tracks": (self.tracks, self.tracks_file),
        }
        return {
            name: _python("-m", "simulator", name, "--count", str(count), "--output", file)
            for name, (count, file) in wanted.items()
            if not file.exists()
        }


@dataclass(frozen=True)
class Traffic:
    """What the simulator posts: minutes of plays at once, then live, for `live_s` or for good."""

    rate: float = 20.0
    live_s: float | None = None
    backlog: int = 60
    seed: int = 1


@dataclass(frozen=True)
class FaultyTime:
    """What the simulator posts in simulated time: some hours with every fault, and their end.

    `within` is how much of it a request holds at most: fewer messages are sooner processed.
    `flags` are the simulator's own, for faults that are to be rarer or more frequent than usual.
    """

    start: str
    hours: float
    rate: float
    seed: int = 1
    within: str = "150s"
    flags: tuple[str, ...] = ()


def load_reference(stack: Stack, reference: Reference) -> Launch:
    """The loader: reference data into Redis and BigQuery."""
    ends = stack.endpoints
    return _python(
        *("-m", "beam_pipeline.reference", "--redis", ends.redis),
        *("--customers", reference.customers_file, "--tracks", reference.tracks_file),
        *_bigquery_flags(stack),
    )


def pipeline(stack: Stack, ledger_s: float, models: Path | None = None) -> Launch:
    """The streaming pipeline on the DirectRunner, from the emulator to the three stores.

    With `models` it chooses customers for offers, by the live one of them.
    """
    ends = stack.endpoints
    subscription = f"projects/{ends.project}/subscriptions/{ends.subscription}"
    return _python(
        *("-m", "beam_pipeline.main", "--subscription", subscription, "--replay", "progress"),
        *("--elasticsearch", ends.elasticsearch, "--redis", ends.redis),
        *_bigquery_flags(stack),
        *("--ledger-seconds", f"{ledger_s:g}"),
        *(("--models", models) if models else ()),
        env={"PUBSUB_EMULATOR_HOST": ends.pubsub, **WORKER},
    )


def daily(stack: Stack, first: date, last: date) -> Launch:
    """The daily run: profiles, features and examples of closed days, from BigQuery into it."""
    return _python(
        *("-m", "beam_pipeline.daily", "--since", first.isoformat(), "--day", last.isoformat()),
        *("--redis", stack.endpoints.redis),
        *_bigquery_flags(stack),
    )


def examples_so_far(stack: Stack, day: date, settled_minutes: int) -> Launch:
    """The examples of a day that is not over, and everybody's features as of it."""
    return _python(
        *("-m", "beam_pipeline.daily", "--day", day.isoformat(), "--so-far"),
        *("--settled-after", str(settled_minutes), "--redis", stack.endpoints.redis),
        *_bigquery_flags(stack),
    )


def train(stack: Stack, models: Path) -> Launch:
    """A training on all examples that BigQuery has."""
    return _python(
        "-m", "beam_pipeline.training.train", "--models", models, *_bigquery_flags(stack)
    )


def listeners(
    stack: Stack,
    caller: Caller,
    reference: Reference,
    traffic: Traffic,
    key: Path,
    status: Path,
    past: Path,
) -> Launch:
    """The simulator: the backlog as fast as it goes, then live; its account goes to `key`.

    `past` is the account of an earlier run, which some of them remember.
    """
    live = ["--live"] if traffic.live_s is None else ["--live", "--for", f"{traffic.live_s:g}"]
    return _python(
        *_listeners(stack, caller, reference, key, status),
        *("--offer-url", f"http://{HOST}:{stack.ports.offer}", "--history", past),
        *("--backlog", f"{traffic.backlog}m", *live, "--rate", f"{traffic.rate:g}"),
        *("--seed", str(traffic.seed)),
    )


def faulty_listeners(
    stack: Stack, caller: Caller, reference: Reference, time: FaultyTime, key: Path, status: Path
) -> Launch:
    """The simulator in simulated time, as fast as it goes, to the last late event.

    Over one connection: events reach the topic in the order in which `key` accounts for them.
    """
    return _python(
        *_listeners(stack, caller, reference, key, status),
        *("--simulated", "--start", time.start, "--hours", f"{time.hours:g}"),
        *("--rate", f"{time.rate:g}", "--seed", str(time.seed)),
        *("--within", time.within, "--connections", "1"),
        *time.flags,
    )


def _listeners(
    stack: Stack, caller: Caller, reference: Reference, key: Path, status: Path
) -> tuple[str | Path, ...]:
    """Where the simulator posts, as whom, about whom, with the faults of a bad day."""
    return (
        *("-m", "simulator", "http", "--url", f"http://{HOST}:{stack.ports.ingest}"),
        *("--key-id", KEY_ID, "--secret-file", caller.secret_file),
        *("--customers", reference.customers_file, "--tracks", reference.tracks_file),
        *("--faults", "usual", "--key", key, "--status", status, "--batch", "1000"),
    )


def spawn(stack: Stack, name: str, launch: Launch) -> processes.Child:
    """Start one of these beside the stack's services, in the repository's folder."""
    env = os.environ | launch.env
    return processes.spawn(name, launch.command, stack.run, stack.log(name), env=env, cwd=ROOT)


def _bigquery_flags(stack: Stack) -> tuple[str, ...]:
    ends = stack.endpoints
    return (
        *("--bigquery", f"{ends.project}.{ends.dataset}"),
        *("--bigquery-endpoint", ends.bigquery),
        *("--bigquery-grpc-endpoint", ends.bigquery_grpc),
    )


def _python(*words: str | Path, env: Mapping[str, str] | None = None) -> Launch:
    return Launch([sys.executable, *words], {"PYTHONPATH": str(ROOT), **(env or {})})
