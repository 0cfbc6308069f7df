"""The Pub/Sub and BigQuery steps, carried out for real: by gcloud and bq, on the emulators."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.local.stack import Stack
from tests.infra_cloud.recording import INFRA, ROOT

pytestmark = pytest.mark.slow
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def scripts(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Runs a script of infra/ against the emulators, with the real gcloud and bq."""
    folder = tmp_path_factory.mktemp("emulated")
    settings = folder / "settings.env"
    settings.write_text(
        f"ENCORE_PROJECT={stack.endpoints.project}\n"
        "ENCORE_REGION=us-central1\nENCORE_ES_MODE=cloud\nENCORE_SKIP_IAM=1\n"
    )
    token = folder / "token"
    token.write_text("anything")
    environment = os.environ | {
        "CLOUDSDK_CONFIG": str(folder / "gcloud"),
        "CLOUDSDK_AUTH_DISABLE_CREDENTIALS": "true",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": f"http://{stack.pubsub}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_BIGQUERY": stack.bigquery,
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "ENCORE_SETTINGS": str(settings),
        "ENCORE_BUILD": str(folder / "build"),
    }

    def run(script: str, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [INFRA / script],
            env=environment | changes,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def test_topic_and_subscription_are_made_and_made_again(stack: Stack, scripts: Run) -> None:
    base = f"http://{stack.pubsub}/v1/projects/{stack.endpoints.project}"
    for path in ("subscriptions/events-pipeline", "topics/events"):
        request = urllib.request.Request(f"{base}/{path}", method="DELETE")
        urllib.request.urlopen(request, timeout=30).close()
    first = scripts("05-pubsub.sh")
    assert first.returncode == 0, first.stderr
    assert "topics create" in first.stderr
    subscription = get(f"{base}/subscriptions/events-pipeline")
    assert subscription["topic"].endswith("/topics/events")
    assert subscription["retainAckedMessages"] is True
    assert subscription["messageRetentionDuration"] == f"{7 * 86400}s"
    assert subscription["ackDeadlineSeconds"] == 60
    again = scripts("05-pubsub.sh")
    assert again.returncode == 0, again.stderr
    assert " create " not in again.stderr
    assert get(f"{base}/subscriptions/events-pipeline") == subscription


def test_dataset_tables_and_views_are_made_and_made_again(stack: Stack, scripts: Run) -> None:
    first = scripts("06-bigquery.sh")
    assert first.returncode == 0, first.stderr + first.stdout
    base = f"{stack.bigquery}/bigquery/v2/projects/{stack.endpoints.project}/datasets/encore"
    listed = get(f"{base}/tables?maxResults=1000")["tables"]
    names = {each["tableReference"]["tableId"] for each in listed}
    tables = {file.stem for file in Path(ROOT, "bigquery", "ddl").glob("*.sql")}
    assert tables <= names
    plays = get(f"{base}/tables/plays")
    schema = json.loads(Path(ROOT, "bigquery", "schemas", "plays.json").read_text())
    assert [field["name"] for field in plays["schema"]["fields"]] == [
        field["name"] for field in schema
    ]
    again = scripts("06-bigquery.sh")
    assert again.returncode == 0, again.stderr + again.stdout
    assert " mk " not in again.stderr
    assert get(f"{base}/tables/plays")["schema"] == plays["schema"]
