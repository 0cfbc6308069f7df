"""The proof, small but whole, as `make prove` runs it; and what it says of flags."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local import processes
from infra.local.paths import ROOT

PATIENCE_S = 600
EVENTS = 3_000
SUBJECTS = {
    "answers": {"Ingest"},
    "plays": {"Elasticsearch", "BigQuery"},
    "ad events": {"Elasticsearch", "BigQuery"},
    "interests": {"Elasticsearch", "Redis", "BigQuery"},
    "window counts": {"Elasticsearch", "BigQuery"},
    "late": {"Elasticsearch", "BigQuery"},
    "duplicates": {"Elasticsearch", "BigQuery"},
    "rejects by reason": {"BigQuery"},
    "counters by minute": {"Elasticsearch", "BigQuery"},
    "conservation": {"Elasticsearch", "BigQuery"},
    "profiles": {"BigQuery"},
}


def proof(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.prove", *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )


@pytest.mark.slow
def test_every_store_is_exact_after_a_faulty_hour(tmp_path: Path) -> None:
    home, cards = tmp_path / "home", tmp_path / "cards"
    flags = ("--json", cards / "card.json", "--html", cards / "card.html")
    done = proof("--events", str(EVENTS), "--home", home, *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Exact: precision 1.0, recall 1.0" in done.stdout
    card = json.loads((cards / "card.json").read_text())
    assert card["verdict"] == "exact"
    assert card["sent"]["received"] >= EVENTS
    grades: dict[str, set[str]] = {}
    for grade in card["grades"]:
        assert grade["expected"] == grade["held"] == grade["right"] > 0, grade
        grades.setdefault(grade["subject"], set()).add(grade["store"])
    assert grades == SUBJECTS
    assert {name: count for name, count in card["struck"].items() if not count} == {}
    assert "Exact." in (cards / "card.html").read_text()
    assert processes.read_records(home / "run") == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--events", "9"), "Argument --events: '9' is not events from 1000 to 5000000"),
        (("--seed", "x"), "Argument --seed: 'x' is not a seed from 0 to 2147483648"),
        (("--speed", "9"), "Unrecognized arguments: --speed 9"),
    ],
)
def test_a_bad_flag_is_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    done = proof(*words)
    assert done.returncode == 2
    assert done.stderr == f"{sentence} (see --help).\n"
    assert done.stdout == ""
