import re

import polars as pl
import pytest
from google.cloud import bigquery

from beam_pipeline.domain.examples import TRAINING_EXAMPLES
from beam_pipeline.domain.schemas import DATASETS
from beam_pipeline.edges.tables import TableFile, create_tables, ddl, folder, read_tables
from tests.bigquery.conftest import DATASET, Warehouse

TABLES = read_tables()
SCHEMAS = {**DATASETS, "training_examples": TRAINING_EXAMPLES}


def kind(dtype: pl.DataType) -> str:
    """BigQuery's name of a column's type."""
    if isinstance(dtype, pl.Datetime):
        return "TIMESTAMP"
    names = {"String": "STRING", "Boolean": "BOOLEAN", "Binary": "BYTES", "Date": "DATE"}
    return names.get(str(dtype), "INTEGER" if dtype.is_integer() else "FLOAT")


def test_every_dataset_has_a_table_with_its_columns_in_their_order() -> None:
    tables = {table.name: table for table in TABLES}
    for name, schema in SCHEMAS.items():
        columns = [(column["name"], column["type"]) for column in tables[name].fields]
        assert columns == [(column, kind(dtype)) for column, dtype in schema.items()], name
    assert {"targets", "messages", "customers", "tracks"} <= set(tables)


def test_analytics_know_no_names_addresses_or_phones() -> None:
    columns = {column["name"] for table in TABLES for column in table.fields}
    assert not columns & {"name", "address", "phone", "contact", "email"}


def test_every_table_and_column_says_what_it_is() -> None:
    for table in TABLES:
        for text in (table.description, *(column["description"] for column in table.fields)):
            assert re.fullmatch(r"[\"A-Z0-9\w].*\.", text), (table.name, text)


def test_whatever_grows_by_the_day_is_kept_by_days_that_a_query_has_to_name() -> None:
    apart = {table.name for table in TABLES if table.partition is None}
    assert apart == {"interests", "customers", "tracks"}
    for table in TABLES:
        assert table.cluster
        if table.partition:
            assert table.partition.require_filter
            assert table.partition.expiration_days == (30 if table.name == "dead_letters" else 400)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_ddl_file_is_in_step_with_the_schema_file(table: TableFile) -> None:
    assert (folder() / "ddl" / f"{table.name}.sql").read_text("utf-8") == ddl(table)


def test_there_is_no_file_of_a_table_that_is_not_there() -> None:
    names = {table.name for table in TABLES}
    for kind_of_file in ("ddl", "schemas"):
        assert {path.stem for path in (folder() / kind_of_file).iterdir()} == names


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_the_ddl_makes_the_table_that_create_tables_makes(
    warehouse: Warehouse, table: TableFile
) -> None:
    client = warehouse.client
    client.create_dataset("from_ddl", exists_ok=True)
    for _ in range(2):
        client.query_and_wait(ddl(table).replace("encore.", "from_ddl."))
    made, wanted = (
        client.get_table(f"{warehouse.config.project}.{dataset}.{table.name}")
        for dataset in ("from_ddl", DATASET)
    )
    for part in ("schema", "description", "clustering_fields", "require_partition_filter"):
        assert getattr(made, part) == getattr(wanted, part), part
    assert days(made) == days(wanted)


def days(table: bigquery.Table) -> object:
    """How a table is partitioned; the emulator does not tell how long DDL keeps a day."""
    partition = table.time_partitioning
    return partition and (partition.field, partition.type_)


def test_making_the_tables_again_adds_a_column_that_a_schema_file_has_gained(
    warehouse: Warehouse,
) -> None:
    client, name = warehouse.client, f"{warehouse.config.project}.gains.health"
    client.create_dataset("gains", exists_ok=True)
    client.delete_table(name, not_found_ok=True)
    health = next(table for table in TABLES if table.name == "health")
    older = [bigquery.SchemaField.from_api_repr(column) for column in health.fields[:-1]]
    client.create_table(bigquery.Table(name, older))
    for _ in range(2):
        create_tables(client, "gains")
    assert [column.name for column in client.get_table(name).schema] == [
        column["name"] for column in health.fields
    ]


def test_a_query_that_names_no_day_is_refused(warehouse: Warehouse) -> None:
    for table in TABLES:
        if table.partition:
            with pytest.raises(Exception, match="partition elimination"):
                warehouse.rows(f"SELECT * FROM encore.{table.name}")
