"""What infra/README.md says of how long what is kept is what the files say."""

from __future__ import annotations

import json
import re
from typing import Any

from infra.dataflow import snapshots
from tests.infra_cloud.recording import INFRA, ROOT


def table() -> dict[tuple[str, str], str]:
    """How long by store and what."""
    readme = (INFRA / "README.md").read_text()
    section = readme.partition("## How long what is kept")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if "|" in line]
    return {(row[0], row[1]): row[2] for row in rows[2:]}


def kept(store: str, words: str) -> str:
    """The row of a store whose second column has these words."""
    (found,) = [how for (name, what), how in table().items() if name == store and words in what]
    return found


def storage(name: str) -> Any:
    return json.loads((INFRA / "storage" / f"{name}.json").read_text())


def default(setting: str) -> str:
    example = (INFRA / "settings.example.env").read_text()
    found = re.search(rf"^{setting}=(\S+)", example, re.MULTILINE)
    assert found
    return found[1]


def test_bigquery_keeps_every_table_as_long_as_its_file_says() -> None:
    tables = json.loads((ROOT / "bigquery" / "tables.json").read_text())
    for name, each in tables.items():
        partition = each["partition"]
        words = {"training_examples": "examples"}.get(name, name.replace("_", " "))
        wanted = f"{partition['expiration_days']} days" if partition else "for ever"
        assert kept("BigQuery", words).startswith(wanted), name


def test_buckets_images_messages_and_indices_are_kept_as_long_as_is_said() -> None:
    (rule,) = storage("backups")["rule"]
    assert kept("Backups", "exports of Redis") == f"{rule['condition']['age']} days"
    ages = {each["condition"]["age"] for each in storage("temp")["rule"]}
    assert {f"{age} days" for age in ages} == {kept("Temp bucket", "staging")}
    policies = {each["action"]["type"]: each for each in storage("images")}
    newest = policies["Keep"]["mostRecentVersions"]["keepCount"]
    days = policies["Delete"]["condition"]["olderThan"].removesuffix("d")
    assert kept("Registry", "images") == f"the newest {newest}, and {days} days"
    pubsub = (INFRA / "05-pubsub.sh").read_text()
    assert set(re.findall(r"--message-retention-duration=(\d+)d", pubsub)) == {"7"}
    assert kept("Pub/Sub", "events") == "7 days"
    assert (
        kept("Elasticsearch", "plays") == f"`ENCORE_ES_KEEP_DAYS`, {default('ENCORE_ES_KEEP_DAYS')}"
    )
    assert '"expire_after": "30d"' in (INFRA / "dataflow" / "snapshots.py").read_text()
    assert kept("Backups", "snapshots").endswith("trial: 30 days")
    assert "plays-*" in snapshots.INDICES
