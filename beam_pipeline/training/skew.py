"""`python -m beam_pipeline.training.skew`: are customers scored by what training would compute?

Recomputes features from the ledger's profiles with the one function and holds them against the
rows in Redis. Equal means equal: to the last bit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn

import msgspec
import polars as pl
from redis import Redis
from redis.exceptions import RedisError

from beam_pipeline.domain.examples import ONE_DAY
from beam_pipeline.domain.features import FEATURES, MOMENTS, WINDOW, features
from beam_pipeline.domain.hashing import combine
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_days import BigQueryHistory
from beam_pipeline.edges.bigquery_read import QueryFailed
from beam_pipeline.edges.days import FolderHistory
from beam_pipeline.edges.features import read_features
from beam_pipeline.edges.redis import connect
from beam_pipeline.training.errors import BadInput

ABOUT = """Hold the features in Redis against the same features recomputed from the profiles.

  python -m beam_pipeline.training.skew --day 2026-03-15 --days days --redis redis://…
  python -m beam_pipeline.training.skew --day 2026-03-15 --bigquery PROJECT.DATASET --redis redis://…

Prints one JSON object. Exit codes: 0 all are equal, 3 some are not, 2 bad input."""

EQUAL, BAD_INPUT, SKEWED = 0, 2, 3
ROWS_A_CALL = 1_000


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """What was found; the counts add up to `customers`."""

    as_of: date
    customers: int
    equal: int
    missing: int
    """No row of this feature definition in Redis."""
    other_day: int
    """A row as of another day."""
    different: int
    """A row of this day with another number in it."""
    worst: dict[str, float]
    """The largest difference of each feature that differs."""


@dataclass(frozen=True, slots=True)
class _Sample:
    """Customers by a stable hash: the same ones whoever asks."""

    share: float

    def of(self, profiles: pl.DataFrame) -> pl.DataFrame:
        """The profiles of those drawn."""
        drawn = combine(profiles["customer_id"].to_numpy()) < int(self.share * (2**64 - 1))
        return profiles.filter(pl.Series(drawn))


def compare(profiles: pl.DataFrame, as_of: date, redis: Redis) -> Skew:
    """Hold Redis against features recomputed from PROFILES, for every customer in them."""
    moments = profiles.select("customer_id").unique().select("customer_id", as_of=pl.lit(as_of))
    wanted = features(profiles, moments.cast(MOMENTS))
    customers = wanted["customer_id"].to_list()
    found = pl.concat(
        read_features(redis, customers[start : start + ROWS_A_CALL])
        for start in range(0, max(len(customers), 1), ROWS_A_CALL)
    )
    both = wanted.join(found, on="customer_id", suffix="_found")
    today = both.filter(pl.col("as_of") == pl.col("as_of_found"))
    gaps = {name: (pl.col(name) - pl.col(f"{name}_found")).abs() for name in FEATURES}
    different = today.filter(pl.any_horizontal(gap != 0 for gap in gaps.values()))
    worst = different.select(gap.max().alias(name) for name, gap in gaps.items())
    return Skew(
        as_of=as_of,
        customers=wanted.height,
        equal=today.height - different.height,
        missing=wanted.height - both.height,
        other_day=both.height - today.height,
        different=different.height,
        worst={name: gap for name, gap in worst.row(0, named=True).items() if gap},
    )


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].upper()}{message[1:]}")


def parser() -> argparse.ArgumentParser:
    """Every flag."""
    top = _Parser(
        prog="python -m beam_pipeline.training.skew",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--day", metavar="DATE", help="the day the features are as of (today, UTC)")
    source = top.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--days", type=Path, metavar="DIR", help="what the daily run keeps in files"
    )
    source.add_argument("--bigquery", metavar="PROJECT.DATASET")
    top.add_argument("--redis", required=True, metavar="URL")
    top.add_argument("--share", type=float, default=1.0, metavar="SHARE",
                     help="of the customers, drawn by a stable hash (1)")  # fmt: skip
    top.add_argument("--bigquery-endpoint", metavar="URL", help="an emulator's address")
    top.add_argument("--bigquery-grpc-endpoint", metavar="HOST:PORT", help="an emulator's address")
    return top


def main(arguments: Sequence[str], now: datetime) -> int:
    """Compare as the command line says; the exit code."""
    try:
        args = parser().parse_args(arguments)
        day = _day(args.day) if args.day else now.astimezone(UTC).date()
        if not 0 < args.share <= 1:
            raise BadInput("--share takes a share above 0, at most 1")
        profiles = _history(args).read("profiles", day - WINDOW, day - ONE_DAY)
        found = compare(_Sample(args.share).of(profiles), day, connect(args.redis))
    except (BadInput, QueryFailed, RedisError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return EQUAL if found.equal == found.customers else SKEWED


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise BadInput(f"A date like 2026-03-14 is wanted, not {text}") from None


def _history(args: argparse.Namespace) -> BigQueryHistory | FolderHistory:
    if args.days:
        if not (args.days / "profiles").is_dir():
            raise BadInput(f"There are no profiles in {args.days}")
        return FolderHistory((), args.days)
    if args.bigquery.count(".") != 1:
        raise BadInput(f"--bigquery takes PROJECT.DATASET, not {args.bigquery}")
    project, dataset = args.bigquery.split(".")
    return BigQueryHistory(
        BigQueryConfig(project, dataset, args.bigquery_endpoint, args.bigquery_grpc_endpoint)
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:], datetime.now(UTC)))
