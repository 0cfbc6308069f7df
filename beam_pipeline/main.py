"""Run the pipeline: from files to Parquet, or from a stream to the stores."""

from __future__ import annotations

import gzip
import logging
import secrets
import shutil
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import apache_beam as beam
import polars as pl
from apache_beam.options.pipeline_options import GoogleCloudOptions
from apache_beam.pvalue import PCollection

from beam_pipeline.domain.lines import Block
from beam_pipeline.edges import parquet
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_loads import BigQueryLoadsConfig
from beam_pipeline.edges.elasticsearch import ElasticsearchConfig
from beam_pipeline.edges.files import METER, ReadFiles, open_input, pieces
from beam_pipeline.edges.lookups import FileReferences, RedisReferences
from beam_pipeline.edges.models import ModelsConfig
from beam_pipeline.edges.places import ZipPlaces
from beam_pipeline.edges.pubsub import ReadBlocks, seek
from beam_pipeline.edges.redis import ProgressConfig, RedisConfig
from beam_pipeline.edges.referencefiles import BadFile
from beam_pipeline.edges.targets import TargetsConfig
from beam_pipeline.options import (
    Settings,
    UsageError,
    acknowledges_first,
    beam_options,
    read_settings,
)
from beam_pipeline.pipeline import Destination, build
from beam_pipeline.transforms.count import Pace
from beam_pipeline.transforms.resources import opened
from beam_pipeline.transforms.score import Targeting

log = logging.getLogger("encore")

SUMMARY = (
    "received",
    "accepted",
    "duplicate",
    "rejected",
    "late",
    "unknown_customer",
    "unknown_track",
)


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; 0 is success, 2 a setting or file that cannot be used."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    for chatty in ("apache_beam", "elastic_transport"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        settings = read_settings(arguments)
        return _stream(settings) if settings.streaming else _bounded(settings)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2


def _stream(settings: Settings) -> int:
    assert settings.subscription is not None
    assert settings.redis is not None
    progress = ProgressConfig(settings.redis)
    if settings.replay:
        reached = progress.open().reached(_names(settings))
        moment = seek(settings.subscription, reached, datetime.now(UTC))
        log.info("replaying %s from %s", settings.subscription, moment.isoformat())
    pipeline = beam.Pipeline(options=beam_options(settings))
    _assemble(pipeline | "Read" >> ReadBlocks(settings.subscription), settings, None)
    _run(pipeline)
    return 0


def _bounded(settings: Settings) -> int:
    _check_inputs(settings)
    if settings.output is None:
        _run_bounded(settings, None)
        return 0
    with _staging(settings.output) as staging:
        _run_bounded(settings, staging)
        parquet.finish(settings.output, staging)
    print(summary(settings.output))
    return 0


def _run_bounded(settings: Settings, staging: Path | None) -> None:
    pipeline = beam.Pipeline(options=beam_options(settings))
    _assemble(pipeline | "Read" >> ReadFiles(settings.inputs), settings, staging)
    with _progress_on_stderr(len(settings.inputs)):
        _run(pipeline)


def _run(pipeline: beam.Pipeline) -> None:
    """Run to the end; a Flex Template's launcher only hands the job over."""
    result = pipeline.run()
    if not pipeline.options.view_as(GoogleCloudOptions).template_location:
        result.wait_until_finish()


def _assemble(blocks: PCollection[Block], settings: Settings, staging: Path | None) -> None:
    build(
        blocks,
        _references(settings),
        ZipPlaces(),
        _destinations(settings, staging),
        targeting=_targeting(settings),
        progress=ProgressConfig(settings.redis) if settings.streaming and settings.redis else None,
        shards=settings.shards,
        pace=Pace(settings.live_pace, settings.ledger_pace),
        dead_letter_limit=settings.dead_letter_limit,
        write_behind=acknowledges_first(settings),
    )


def _references(settings: Settings) -> FileReferences | RedisReferences:
    if settings.redis and not (settings.customers or settings.tracks):
        return RedisReferences(settings.redis)
    return FileReferences(settings.customers, settings.tracks)


def _targeting(settings: Settings) -> Targeting | None:
    if settings.models is None:
        return None
    assert settings.redis is not None
    decisions = TargetsConfig(settings.redis)
    return Targeting(ModelsConfig(settings.models), decisions, settings.explore)


def _destinations(settings: Settings, staging: Path | None) -> list[Destination]:
    found = []
    if staging is not None:
        found.append(Destination(parquet.ParquetConfig(staging)))
    if settings.elasticsearch:
        store = ElasticsearchConfig(settings.elasticsearch, settings.elasticsearch_api_key)
        found.append(Destination(store))
    if settings.redis:
        found.append(Destination(RedisConfig(settings.redis)))
    if settings.bigquery:
        project, dataset = settings.bigquery.split(".")
        ledger = BigQueryConfig(
            project, dataset, settings.bigquery_endpoint, settings.bigquery_grpc_endpoint
        )
        once = ledger if settings.streaming else BigQueryLoadsConfig(ledger, secrets.token_hex(8))
        found.append(Destination(once, keeps_versions=True))
    return found


def _names(settings: Settings) -> list[str]:
    """The stores whose progress a restart has to wait for."""
    names = {"elasticsearch": settings.elasticsearch, "bigquery": settings.bigquery}
    return [name for name, address in names.items() if address]


def _check_inputs(settings: Settings) -> None:
    """Read what could fail in the middle of the run: every file's head, gzip to its end."""
    for file in settings.inputs:
        try:
            with open_input(file.path) as stream:
                whole = isinstance(stream, gzip.GzipFile)
                for _ in pieces(stream):
                    if not whole:
                        break
        except (OSError, EOFError, zlib.error) as error:
            raise UsageError(f"Cannot read {file.path}: {error}") from error
    try:
        opened(_references(settings))
    except BadFile as error:
        raise UsageError(str(error)) from error


@contextmanager
def _staging(output: Path) -> Iterator[Path]:
    """A folder beside `output`, gone afterwards; on failure `output` is as it was before."""
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UsageError(f"{output} is not an empty folder")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    except OSError as error:
        raise UsageError(f"Cannot write to {output}: {error}") from error
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def summary(output: Path) -> str:
    """The line that a bounded run ends with."""
    health = pl.read_parquet(output / "health.parquet").select(SUMMARY).sum().row(0, named=True)
    interests = pl.scan_parquet(output / "interests.parquet").select(pl.len()).collect().item()
    counts = [f"{name}={health[name]}" for name in SUMMARY]
    return " ".join([*counts, f"interests={interests}"])


@contextmanager
def _progress_on_stderr(files: int) -> Iterator[None]:
    done = threading.Event()

    def show() -> None:
        while not done.wait(1.0):
            print(
                f"read {METER.lines:,} lines, {METER.files} of {files} files",
                file=sys.stderr,
                flush=True,
            )

    thread = threading.Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        print(f"read {METER.lines:,} lines; done", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
