"""Load customers and tracks into Redis and BigQuery; loading again changes nothing.

Redis holds one JSON string a key, so that a batch of ids is one MGET: `customer:{id}` (traits:
gender, age, zip, level, status, campaign, by their codes), `contact:{id}` (name, phone, consent;
for the sms function alone) and `track:{id}` (title, artist, length_s). BigQuery's `customers`
(traits only) and `tracks` are replaced whole.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import polars as pl
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.auth.exceptions import DefaultCredentialsError
from redis import Redis
from redis.exceptions import RedisError

from beam_pipeline.domain.schemas import CAMPAIGNS, GENDERS, LEVELS
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.loads import load_parquet
from beam_pipeline.edges.redis import connect
from beam_pipeline.edges.referencefiles import BadFile, Read, read_customers, read_tracks

ROWS_A_REQUEST = 5_000
SHOWN_BAD_ROWS = 5
STATUSES = ("closed", "active")

ABOUT = """Load reference data: customers and tracks, CSV with the original headers, gzip too.

Customers: CustID,Name,Gender,Address,zip,SignDate,Status,Level,Campaign,LinkedWithApps and, where
there are such columns, Age,Phone,SmsConsent. Tracks: TrackId,Title,Artist,Length. A row that is
not valid is told and left out. Names, addresses and phones stay out of BigQuery.
Loading again replaces what has the same id; nobody is deleted from Redis."""


class UsageError(Exception):
    """The command line cannot be used; the text is one sentence that says why."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message[0].upper() + message[1:])


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was read of one kind."""

    name: str
    read: Read


def main(arguments: Sequence[str]) -> int:
    """Load what the command line names; 2 for a setting, file or store that cannot be used."""
    try:
        return _load(_settings(arguments))
    except (UsageError, BadFile) as error:
        say(str(error))
    except (RedisError, GoogleAPICallError, RetryError, DefaultCredentialsError) as error:
        say(f"Cannot load: {error}")
    return 2


def _settings(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog="python -m beam_pipeline.reference",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--customers", type=Path, metavar="FILE")
    parser.add_argument("--tracks", type=Path, metavar="FILE")
    parser.add_argument("--redis", metavar="URL", help="redis://HOST:PORT/DB or rediss://…")
    parser.add_argument("--bigquery", metavar="PROJECT.DATASET", help="a dataset with its tables")
    parser.add_argument("--bigquery-endpoint", metavar="URL", help="an emulator's address")
    parser.add_argument("--bigquery-grpc-endpoint", metavar="HOST:PORT", help=argparse.SUPPRESS)
    settings = parser.parse_args(arguments)
    if not (settings.customers or settings.tracks):
        raise UsageError("Name --customers FILE or --tracks FILE, or both")
    if not (settings.redis or settings.bigquery):
        raise UsageError("Name --redis URL or --bigquery PROJECT.DATASET, or both")
    if settings.bigquery and len(settings.bigquery.split(".")) != 2:
        raise UsageError(f"--bigquery takes PROJECT.DATASET, not {settings.bigquery}")
    return settings


def _load(settings: argparse.Namespace) -> int:
    found = []
    if settings.customers:
        found.append(_read("customers", settings.customers, read_customers))
    if settings.tracks:
        found.append(_read("tracks", settings.tracks, read_tracks))
    if settings.redis:
        client = connect(settings.redis)
        for kind in found:
            for keys in redis_keys(kind.name, kind.read.rows):
                set_all(client, keys)
        client.close()
    if settings.bigquery:
        project, dataset = settings.bigquery.split(".")
        config = BigQueryConfig(project, dataset, settings.bigquery_endpoint)
        for kind in found:
            replace_table(config, kind.name, analytics_rows(kind.name, kind.read.rows))
    return 0


def say(text: str) -> None:
    """A line of progress on standard error."""
    print(text, file=sys.stderr, flush=True)


def _read(name: str, path: Path, reader: Callable[[Path], Read]) -> Loaded:
    read = reader(path)
    for sentence in read.bad[:SHOWN_BAD_ROWS]:
        say(f"left out: {sentence}")
    more = len(read.bad) - SHOWN_BAD_ROWS
    if more > 0:
        say(f"left out: {more:,} more rows")
    say(f"{name}: {read.rows.height:,} read, {len(read.bad):,} left out")
    return Loaded(name, read)


def redis_keys(name: str, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Frames of `key` and `value`, both String: what Redis holds of customers or tracks."""
    if name == "tracks":
        yield _keys(rows, "track", "track_id", ["title", "artist", "length_s"])
        return
    traits = ["gender", "age", "zip", "level", "status", "campaign"]
    yield _keys(rows, "customer", "customer_id", traits)
    contacts = rows.rename({"sms_consent": "consent"})
    yield _keys(contacts, "contact", "customer_id", ["name", "phone", "consent"])


def _keys(rows: pl.DataFrame, prefix: str, identity: str, fields: list[str]) -> pl.DataFrame:
    return rows.select(
        pl.concat_str(pl.lit(prefix), identity, separator=":").alias("key"),
        pl.struct(fields).struct.json_encode().alias("value"),
    )


def set_all(client: Redis, keys: pl.DataFrame) -> None:
    """Set every `key` to its `value`, thousands at a time."""
    for part in keys.iter_slices(ROWS_A_REQUEST):
        client.mset(dict(part.iter_rows()))
    kind = keys["key"][0].partition(":")[0] if keys.height else "nothing"
    say(f"Redis: {keys.height:,} {kind} keys set")


def analytics_rows(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows of BigQuery's `customers` or `tracks`: no name, no phone, no address."""
    if name == "tracks":
        return rows.select("track_id", "title", "artist", pl.col("length_s").cast(pl.Int64))
    return rows.select(
        "customer_id",
        _decoded("gender", GENDERS),
        pl.col("age").cast(pl.Int64),
        "zip",
        _decoded("level", LEVELS),
        _decoded("status", STATUSES),
        _decoded("campaign", CAMPAIGNS),
    )


def _decoded(column: str, names: Sequence[str]) -> pl.Expr:
    return pl.col(column).replace_strict(
        list(range(len(names))), list(names), return_dtype=pl.String
    )


def replace_table(config: BigQueryConfig, name: str, rows: pl.DataFrame) -> None:
    """Put `rows` in the place of all rows of a table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.parquet"
        rows.write_parquet(path)
        load_parquet(
            config.client(), path, f"{config.project}.{config.dataset}.{name}", replace=True
        )
    say(f"BigQuery: {rows.height:,} rows in {config.dataset}.{name}")


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
