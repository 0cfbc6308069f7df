"""Every setting of a run of the pipeline, read from the command line in this one place."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from beam_pipeline.domain.ratio import DEFAULT_LIMIT, LEAST_EVENTS
from beam_pipeline.edges.files import InputFile

STREAMING_RUNNER = "BundleBasedDirectRunner"
BOUNDED_RUNNER = "FnApiRunner"

ABOUT = """Plays and ad events in, exact stores out.

A bounded run reads files (NDJSON, or the original demo's CSV logs; gzip too) and writes Parquet:
  python -m beam_pipeline.main --plays plays.ndjson --customers customers.csv --output out
A stream reads a Pub/Sub subscription and writes Elasticsearch, Redis and BigQuery:
  python -m beam_pipeline.main --subscription projects/P/subscriptions/S --redis redis://… …
Sources and stores combine freely. Further flags go to Beam (--runner, --project, --region, …)."""


class UsageError(Exception):
    """The command line cannot be used; the text is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run."""

    inputs: tuple[InputFile, ...]
    """Files to read; empty for a stream."""
    subscription: str | None
    customers: Path | None
    tracks: Path | None
    output: Path | None
    elasticsearch: str | None
    elasticsearch_api_key: str | None
    redis: str | None
    bigquery: str | None
    """PROJECT.DATASET."""
    bigquery_endpoint: str | None
    bigquery_grpc_endpoint: str | None
    shards: int
    live_pace: timedelta
    ledger_pace: timedelta
    models: str | None
    """Where promoted models are; nobody is chosen for an offer without it."""
    explore: float
    dead_letter_limit: float
    """The share of a minute's events, of 1, past which an alarm is raised."""
    replay: bool
    """Whether a stream first seeks its subscription back to where the stores have come to."""
    beam: tuple[str, ...]
    """The flags for Beam."""

    @property
    def streaming(self) -> bool:
        """Whether the source is the subscription."""
        return self.subscription is not None


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message[0].upper() + message[1:])


def parser() -> argparse.ArgumentParser:
    """Every flag of ours."""
    top = _Parser(
        prog="python -m beam_pipeline.main",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    source = top.add_argument_group("source: files, or a subscription")
    source.add_argument(
        "--plays",
        nargs="+",
        default=[],
        metavar="FILE",
        help="plays, NDJSON or the original CSV log",
    )
    source.add_argument(
        "--ad-events", nargs="+", default=[], metavar="FILE", help="ad events, NDJSON"
    )
    source.add_argument(
        "--clicks", nargs="+", default=[], metavar="FILE", help="the original CSV of ad clicks"
    )
    source.add_argument(
        "--subscription", metavar="NAME", help="projects/P/subscriptions/S: a stream"
    )
    source.add_argument(
        "--replay",
        choices=("progress", "none"),
        default="none",
        help="where a stream begins: progress seeks back to what the stores hold less the dedup "
        "horizon (a local runner forgets its state, so it needs this); none takes what comes",
    )
    known = top.add_argument_group("reference data: files, else from Redis")
    known.add_argument("--customers", type=Path, metavar="FILE", help="customers CSV")
    known.add_argument("--tracks", type=Path, metavar="FILE", help="tracks CSV")
    stores = top.add_argument_group("stores")
    stores.add_argument(
        "--output", type=Path, metavar="DIR", help="an empty or new folder for Parquet"
    )
    stores.add_argument("--elasticsearch", metavar="URL")
    stores.add_argument("--elasticsearch-api-key", metavar="KEY")
    stores.add_argument(
        "--redis", metavar="URL", help="interest lists, progress and reference data"
    )
    stores.add_argument("--bigquery", metavar="PROJECT.DATASET")
    stores.add_argument("--bigquery-endpoint", metavar="URL", help="an emulator's address")
    stores.add_argument(
        "--bigquery-grpc-endpoint", metavar="HOST:PORT", help="an emulator's address"
    )
    flow = top.add_argument_group("flow")
    flow.add_argument(
        "--shards",
        type=_positive,
        default=1,
        metavar="N",
        help="ways to split customers (default 1)",
    )
    flow.add_argument(
        "--live-seconds",
        type=_seconds,
        default=timedelta(seconds=3),
        metavar="S",
        help="how often changed counts go to Elasticsearch (default 3)",
    )
    flow.add_argument(
        "--ledger-seconds",
        type=_seconds,
        default=timedelta(seconds=60),
        metavar="S",
        help="how often changed counts go to BigQuery (default 60)",
    )
    flow.add_argument(
        "--dead-letter-limit",
        type=_share,
        default=DEFAULT_LIMIT,
        metavar="SHARE",
        help="an alarm when more of a minute's events are rejected, of at least "
        f"{LEAST_EVENTS:,} (default {DEFAULT_LIMIT:g}; 1 raises none)",
    )
    acting = top.add_argument_group("acting: whom to offer something, in a stream")
    acting.add_argument(
        "--models",
        metavar="PLACE",
        help="a folder or gs://BUCKET/PREFIX of promoted models, read again every ten seconds: "
        "customers are chosen for offers (before the first promotion only by chance)",
    )
    acting.add_argument(
        "--explore",
        type=_share,
        default=0.05,
        metavar="SHARE",
        help="share of the eligible who are chosen by chance, whatever a model says (default 0.05)",
    )
    return top


def read_settings(arguments: Sequence[str]) -> Settings:
    """The settings that a command line asks for.

    Raises:
        UsageError: what is wrong with it, in one sentence.
    """
    args, beam_flags = parser().parse_known_args(arguments)
    _check_beam_flags(beam_flags)
    files = (
        *(InputFile(path, "play_log" if _is_csv(path) else "play") for path in args.plays),
        *(InputFile(path, "ad") for path in args.ad_events),
        *(InputFile(path, "click_log") for path in args.clicks),
    )
    settings = Settings(
        inputs=files,
        subscription=args.subscription,
        customers=args.customers,
        tracks=args.tracks,
        output=args.output,
        elasticsearch=args.elasticsearch,
        elasticsearch_api_key=args.elasticsearch_api_key,
        redis=args.redis,
        bigquery=args.bigquery,
        bigquery_endpoint=args.bigquery_endpoint,
        bigquery_grpc_endpoint=args.bigquery_grpc_endpoint,
        shards=args.shards,
        live_pace=args.live_seconds,
        ledger_pace=args.ledger_seconds,
        models=args.models,
        explore=args.explore,
        dead_letter_limit=args.dead_letter_limit,
        replay=args.replay == "progress",
        beam=tuple(beam_flags),
    )
    _check(settings)
    return settings


def beam_options(settings: Settings) -> PipelineOptions:
    """Beam's options: those of the command line over the runner that suits the source."""
    runner = STREAMING_RUNNER if settings.streaming else BOUNDED_RUNNER
    flags = list(settings.beam)
    if not any(flag == "--runner" or flag.startswith("--runner=") for flag in flags):
        flags.append(f"--runner={runner}")
    if settings.streaming:
        flags.append("--streaming")
    return PipelineOptions(flags)


def acknowledges_first(settings: Settings) -> bool:
    """Whether the runner acknowledges a message before it is processed: the local one does."""
    if not settings.streaming:
        return False
    return beam_options(settings).view_as(StandardOptions).runner == STREAMING_RUNNER


def _check(settings: Settings) -> None:
    stores = settings.output or settings.elasticsearch or settings.redis or settings.bigquery
    if bool(settings.inputs) == settings.streaming:
        raise UsageError("Name either files (--plays, --ad-events, --clicks) or --subscription")
    if not stores:
        raise UsageError("Name a store: --output, --elasticsearch, --redis or --bigquery")
    if settings.streaming and settings.output:
        raise UsageError("--output holds a bounded run; a stream needs other stores")
    if settings.streaming and not settings.redis:
        raise UsageError("A stream needs --redis, where reference data and progress are")
    if settings.models and not settings.streaming:
        raise UsageError("--models chooses customers in a stream; files choose nobody")
    if settings.bigquery and settings.bigquery.count(".") != 1:
        raise UsageError(f"--bigquery takes PROJECT.DATASET, not {settings.bigquery}")
    if settings.subscription and len(settings.subscription.split("/")) != 4:
        raise UsageError(
            f"--subscription takes projects/P/subscriptions/S, not {settings.subscription}"
        )


def _check_beam_flags(flags: Sequence[str]) -> None:
    """Beam itself would quietly pass over a flag that it does not know."""
    beam = _Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(beam)  # type: ignore[arg-type]
    unknown = beam.parse_known_args(list(flags))[1]
    if unknown:
        raise UsageError(f"Neither Encore nor Beam knows what to do with {unknown[0]}")


def _is_csv(path: str) -> bool:
    return path.removesuffix(".gz").endswith(".csv")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected a number of at least 1")
    return number


def _seconds(text: str) -> timedelta:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError("expected seconds above 0")
    return timedelta(seconds=seconds)


def _share(text: str) -> float:
    share = float(text)
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError("expected a share from 0 to 1")
    return share
