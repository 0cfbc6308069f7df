"""Parquet files into BigQuery tables by load jobs: whole files, at most once."""

from __future__ import annotations

import hashlib
import itertools
import secrets
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from google.api_core.exceptions import Conflict
from google.cloud import bigquery

_ARROW = {
    "INTEGER": pa.int64(),
    "FLOAT": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "STRING": pa.string(),
    "BYTES": pa.binary(),
    "TIMESTAMP": pa.timestamp("us", "UTC"),
    "DATE": pa.date32(),
}


def load_parquet(
    client: bigquery.Client, path: Path, table: str, *, run: str = "", replace: bool = False
) -> bigquery.LoadJob:
    """Load a file into `table`, "project.dataset.table"; returns the job that did it.

    The job's id comes from file, table and `run`, so that loading the same file again finds the job
    done and adds nothing, even if rows have been deleted since: another `run` loads it anew. With
    `replace` the rows take the place of all that is there, every time.
    Raises what BigQuery says of a file that it refuses; a later call tries again.
    """
    config = bigquery.LoadJobConfig(
        source_format=bigquery.SourceFormat.PARQUET,
        write_disposition="WRITE_TRUNCATE_DATA" if replace else "WRITE_APPEND",
        create_disposition="CREATE_NEVER",
    )
    with path.open("rb") as stream:
        content = hashlib.file_digest(stream, "sha256").hexdigest()
    identity = "encore-" + hashlib.sha256(f"{table} {content} {run}".encode()).hexdigest()[:32]
    with tempfile.TemporaryDirectory() as folder:
        typed = Path(folder) / "rows.parquet"
        _rewrite(path, typed, client.get_table(table).schema)
        for attempt in itertools.count():
            job_id = secrets.token_hex(16) if replace else f"{identity}-{attempt}"
            if _submit(client, typed, table, job_id, config):
                break
    job = client.get_job(job_id)
    assert isinstance(job, bigquery.LoadJob)
    job.result()
    return job


def _submit(
    client: bigquery.Client, path: Path, table: str, job_id: str, config: bigquery.LoadJobConfig
) -> bool:
    """Whether there is such a job now that has not failed before."""
    try:
        with path.open("rb") as stream:
            client.load_table_from_file(stream, table, job_id=job_id, job_config=config)
    except Conflict:
        known = client.get_job(job_id)
        return not (known.done() and known.error_result)
    return True


def _rewrite(source: Path, target: Path, columns: list[bigquery.SchemaField]) -> None:
    """The same rows in the table's own types: BigQuery takes no optional column for a required one.

    One row group after another, so that memory does not grow with the file.
    """
    schema = pa.schema(
        [
            pa.field(column.name, _ARROW[column.field_type], nullable=column.mode != "REQUIRED")
            for column in columns
        ]
    )
    with pq.ParquetFile(source) as parquet, pq.ParquetWriter(target, schema) as writer:
        for batch in parquet.iter_batches(columns=schema.names):
            writer.write_table(pa.Table.from_batches([batch]).select(schema.names).cast(schema))
