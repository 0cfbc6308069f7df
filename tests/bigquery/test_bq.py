"""The saved queries through the command that README tells people to use."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from beam_pipeline.edges.tables import folder, in_dataset, read_tables
from tests.bigquery.conftest import DATASET, Warehouse
from tests.bigquery.sql import without_comments

QUERIES = sorted((folder() / "queries").glob("*.sql"))


@pytest.mark.skipif(shutil.which("bq") is None, reason="the gcloud CLI is not installed")
def test_bq_runs_every_saved_query_as_it_stands(warehouse: Warehouse, tmp_path: Path) -> None:
    blocks = [f"BEGIN\n{path.read_text('utf-8')}END;\n" for path in QUERIES]
    done = bq(warehouse, tmp_path, "".join(blocks) + "SELECT 'all of them' AS ran;")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.strip().splitlines()[-1]) == [{"ran": "all of them"}]


def bq(warehouse: Warehouse, home: Path, sql: str) -> subprocess.CompletedProcess[str]:
    """Runs a script by `bq query`, as README says, against the emulator."""
    token = home / "token"
    token.write_text("anything")
    environment = os.environ | {
        "CLOUDSDK_CONFIG": str(home / "gcloud"),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_BIGQUERY": f"{warehouse.config.endpoint}/",
    }
    flags = (f"--project_id={warehouse.config.project}", "--headless", "--quiet", "--format=json")
    return subprocess.run(
        ["bq", *flags, "query", "--use_legacy_sql=false", "--max_child_jobs=1"],
        input=in_dataset(sql, DATASET),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def readme() -> str:
    return (folder() / "README.md").read_text("utf-8")


def test_readme_names_every_query_function_and_view() -> None:
    named = set(re.findall(r"`(\w+)(?:\(since, until\))?`", readme()))
    made = {path.stem for path in [*QUERIES, *(folder() / "views").glob("*.sql")]}
    assert made <= named
    for table in read_tables():
        assert table.name in readme()


def test_the_example_of_readme_runs(warehouse: Warehouse) -> None:
    (example,) = re.findall(r"^    SELECT artist.*?DESC$", readme(), re.MULTILINE | re.DOTALL)
    assert isinstance(warehouse.rows(without_comments(example)), list)
