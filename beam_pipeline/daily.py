"""`python -m beam_pipeline.daily`: close days, write their profiles, features and examples."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NoReturn

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from beam_pipeline.domain.daily import Span
from beam_pipeline.domain.examples import SETTLED_AFTER
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_days import BigQueryHistory, BigQueryLedger
from beam_pipeline.edges.bigquery_read import QueryFailed
from beam_pipeline.edges.days import FolderHistory, FolderLedger
from beam_pipeline.edges.features import FeaturesConfig
from beam_pipeline.options import BOUNDED_RUNNER, UsageError, _check_beam_flags
from beam_pipeline.transforms.daily import CloseDays, History, Ledger, ReplaceDays
from beam_pipeline.transforms.frames import register_coders
from beam_pipeline.transforms.resources import Opens
from beam_pipeline.transforms.write import WriteTo

ABOUT = """Close days: profiles of the days, training examples that are settled by their end, and
everybody's features as of the day after. Closing a day again writes the same again.

From the folders that bounded runs left, into a folder with a file a dataset and day:
  python -m beam_pipeline.daily --day 2026-03-14 --input out --output days
From BigQuery into BigQuery, features to Redis too:
  python -m beam_pipeline.daily --day 2026-03-14 --bigquery PROJECT.DATASET --redis redis://…
Within a day, the examples that are settled so far (closing the day writes them again):
  python -m beam_pipeline.daily --day 2026-03-15 --so-far --bigquery PROJECT.DATASET
Further flags go to Beam (--runner=DataflowRunner, --project, --region, …).
Exit codes: 0 done, 2 a flag, a file or a store that cannot be used."""


_SETTLED_MINUTES = SETTLED_AFTER // timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one daily run."""

    span: Span
    history: Opens[History]
    ledger: Opens[Ledger]
    features: FeaturesConfig | None
    shards: int
    beam: tuple[str, ...]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message[0].upper() + message[1:])


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a date like 2026-03-14 is wanted, not {text}") from None


def _minutes(text: str) -> timedelta:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a number of minutes is wanted, not {text}")
    return timedelta(minutes=int(text))


def parser() -> argparse.ArgumentParser:
    """Every flag of ours."""
    top = _Parser(
        prog="python -m beam_pipeline.daily",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--day", type=_date, required=True, metavar="DATE",
                     help="the day to close (UTC, by publication)")  # fmt: skip
    top.add_argument("--since", type=_date, metavar="DATE",
                     help="close every day from this one on (default: only --day)")  # fmt: skip
    top.add_argument("--so-far", action="store_true",
                     help="of today, not closed: examples, features as of today")  # fmt: skip
    top.add_argument("--settled-after", type=_minutes, metavar="MINUTES",
                     help="with --so-far: when an offer without a click is taken as not clicked "
                     f"({_SETTLED_MINUTES})")  # fmt: skip
    source = top.add_mutually_exclusive_group(required=True)
    source.add_argument("--input", nargs="+", type=Path, metavar="DIR",
                        help="what bounded runs left (plays.parquet, …)")  # fmt: skip
    source.add_argument("--bigquery", metavar="PROJECT.DATASET")
    top.add_argument("--output", type=Path, metavar="DIR",
                     help="with --input: where the days are kept")  # fmt: skip
    top.add_argument("--redis", metavar="URL", help="where features go, for scoring")
    top.add_argument("--shards", type=int, default=4, metavar="N",
                     help="ways to split customers (4)")  # fmt: skip
    top.add_argument("--bigquery-endpoint", metavar="URL", help="an emulator's address")
    top.add_argument("--bigquery-grpc-endpoint", metavar="HOST:PORT", help="an emulator's address")
    return top


def read_settings(arguments: Sequence[str], now: datetime) -> Settings:
    """The settings that a command line asks for.

    Raises:
        UsageError: what is wrong with it, in one sentence.
    """
    args, flags = parser().parse_known_args(arguments)
    _check_beam_flags(flags)
    span = _span(args, now.astimezone(UTC))
    if args.shards < 1:
        raise UsageError("--shards takes a number of at least 1")
    history, ledger = _places(args)
    return Settings(
        span=span,
        history=history,
        ledger=ledger,
        features=FeaturesConfig(args.redis) if args.redis else None,
        shards=args.shards,
        beam=tuple(flags),
    )


def _span(args: argparse.Namespace, now: datetime) -> Span:
    if args.so_far:
        if args.since or args.day != now.date():
            raise UsageError(f"--so-far is of today, {now.date()}, alone")
        return Span(args.day, args.day, now, args.settled_after or SETTLED_AFTER)
    if args.settled_after:
        raise UsageError("--settled-after goes with --so-far")
    first = args.since or args.day
    if first > args.day:
        raise UsageError(f"--since {first} is after --day {args.day}")
    if args.day >= now.date():
        raise UsageError(f"{args.day} is not closed yet: a day ends at 00:00 UTC")
    return Span(first, args.day)


def _places(args: argparse.Namespace) -> tuple[Opens[History], Opens[Ledger]]:
    if args.bigquery:
        if args.output:
            raise UsageError("--output goes with --input; BigQuery's days stay in BigQuery")
        if args.bigquery.count(".") != 1:
            raise UsageError(f"--bigquery takes PROJECT.DATASET, not {args.bigquery}")
        project, dataset = args.bigquery.split(".")
        config = BigQueryConfig(
            project, dataset, args.bigquery_endpoint, args.bigquery_grpc_endpoint
        )
        return BigQueryHistory(config), BigQueryLedger(config)
    if not args.output:
        raise UsageError("--input needs --output, where the days are kept")
    for folder in args.input:
        if not (folder / "plays.parquet").exists():
            raise UsageError(f"There is no plays.parquet in {folder}")
    return FolderHistory(tuple(args.input), args.output), FolderLedger(args.output)


def build(begin: beam.Pipeline, settings: Settings) -> None:
    """Put the run together: read, close, write."""
    register_coders()
    rows = begin | "Close days" >> CloseDays(settings.span, settings.history, settings.shards)
    rows | "Replace days" >> ReplaceDays(settings.span, settings.ledger)
    if settings.features is not None:
        rows | "Write features" >> WriteTo([settings.features])


def main(arguments: Sequence[str], now: datetime) -> int:
    """Close days as the command line says; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("apache_beam").setLevel(logging.WARNING)
    try:
        settings = read_settings(arguments, now)
        settings.history.open().read("targets", settings.span.last, settings.span.last)
        with beam.Pipeline(options=_options(settings.beam)) as begin:
            build(begin, settings)
    except (UsageError, QueryFailed) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    span = settings.span
    days = f"{span.first} to {span.last}" if span.first != span.last else f"{span.last}"
    done = f"{days} so far: examples" if span.so_far else f"closed {days}"
    sys.stdout.write(f"{done}; features as of {span.as_of}\n")
    return 0


def _options(flags: tuple[str, ...]) -> PipelineOptions:
    named = any(flag == "--runner" or flag.startswith("--runner=") for flag in flags)
    runner = () if named else (f"--runner={BOUNDED_RUNNER}",)
    return PipelineOptions([*flags, *runner])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], datetime.now(UTC)))
