"""BigQuery's tables and views, made from bigquery/.

schemas/*.json (columns, as `bq` reads them) and tables.json (days, clusters, retention) are the
single source: `python -m beam_pipeline.edges.tables` writes ddl/*.sql from them, `create_tables`
makes the tables themselves. views/*.sql hold one statement each, made in the order of their names.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.cloud import bigquery

DATASET = "encore"
"""The dataset that the SQL files name; another one is put in its place."""

_DDL_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Partition:
    """A table's days: by which column, kept how long, and whether a query must name some."""

    field: str
    type: str
    expiration_days: int
    require_filter: bool


@dataclass(frozen=True, slots=True)
class TableFile:
    """What is said of a table."""

    name: str
    description: str
    partition: Partition | None
    cluster: list[str]
    fields: list[dict[str, Any]]


def folder() -> Path:
    """bigquery/ of this repository."""
    return Path(__file__).resolve().parents[2] / "bigquery"


def read_tables(source: Path | None = None) -> list[TableFile]:
    """Every table, by name; `source` is a folder like bigquery/."""
    source = source or folder()
    found = []
    for name, table in sorted(json.loads((source / "tables.json").read_text("utf-8")).items()):
        partition = table["partition"]
        found.append(
            TableFile(
                name=name,
                description=table["description"],
                partition=Partition(**partition) if partition else None,
                cluster=table["cluster"],
                fields=json.loads((source / "schemas" / f"{name}.json").read_text("utf-8")),
            )
        )
    return found


def ddl(table: TableFile) -> str:
    """The CREATE TABLE statement."""
    lines = []
    for column in table.fields:
        kind = _DDL_TYPES.get(column["type"], column["type"])
        required = " NOT NULL" if column["mode"] == "REQUIRED" else ""
        lines.append(f"  {column['name']} {kind}{required} OPTIONS (description = {_text(column)})")
    options = [f"description = {_text({'description': table.description})}"]
    parts = [f"CREATE TABLE IF NOT EXISTS {DATASET}.{table.name} (", ",\n".join(lines), ")"]
    if table.partition:
        kinds = {column["name"]: column["type"] for column in table.fields}
        by = table.partition.field
        parts.append(f"PARTITION BY {by if kinds[by] == 'DATE' else f'DATE({by})'}")
        options.append(f"partition_expiration_days = {table.partition.expiration_days}")
        options.append(f"require_partition_filter = {str(table.partition.require_filter).lower()}")
    parts.append(f"CLUSTER BY {', '.join(table.cluster)}")
    parts.append("OPTIONS (\n  " + ",\n  ".join(options) + "\n);")
    return "\n".join(parts) + "\n"


def _text(described: dict[str, Any]) -> str:
    return json.dumps(described["description"], ensure_ascii=False)


def create_tables(client: bigquery.Client, dataset: str = DATASET, location: str = "US") -> None:
    """Create dataset, tables, functions and views, or bring them up to date; repeatable.

    Columns that a schema file has gained are added; nothing is ever taken away.
    """
    reference = bigquery.DatasetReference(client.project, dataset)
    wanted = bigquery.Dataset(reference)
    wanted.location = location
    client.create_dataset(wanted, exists_ok=True)
    there = {table.table_id for table in client.list_tables(reference)}
    for table in read_tables():
        _create_table(client, reference, table, there=table.name in there)
    for path in sorted((folder() / "views").glob("*.sql")):
        client.query_and_wait(in_dataset(path.read_text("utf-8"), dataset))


def in_dataset(sql: str, dataset: str) -> str:
    """The statement with `dataset` in the place of the one that the files name."""
    return sql if dataset == DATASET else sql.replace(f"{DATASET}.", f"{dataset}.")


def _create_table(
    client: bigquery.Client, dataset: bigquery.DatasetReference, file: TableFile, *, there: bool
) -> None:
    table = bigquery.Table(
        dataset.table(file.name), [bigquery.SchemaField.from_api_repr(f) for f in file.fields]
    )
    table.description = file.description
    table.clustering_fields = file.cluster
    if file.partition:
        table.time_partitioning = bigquery.TimePartitioning(
            type_=file.partition.type,
            field=file.partition.field,
            expiration_ms=file.partition.expiration_days * _DAY_MS,
        )
        table.require_partition_filter = file.partition.require_filter
    if not there:
        client.create_table(table, exists_ok=True)
        return
    existing = client.get_table(table.reference)
    if [field.to_api_repr() for field in existing.schema] != [
        field.to_api_repr() for field in table.schema
    ]:
        existing.schema = table.schema
        client.update_table(existing, ["schema"])


def main() -> None:
    """Write bigquery/ddl from bigquery/schemas."""
    for table in read_tables():
        path = folder() / "ddl" / f"{table.name}.sql"
        path.write_text(ddl(table), "utf-8")
        sys.stderr.write(f"{path}\n")


if __name__ == "__main__":
    main()
