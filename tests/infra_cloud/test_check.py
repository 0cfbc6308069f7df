"""What is missing is said before anything is made, and the plan can be read without it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.infra_cloud.recording import INFRA, ROOT, Bench
from tests.infra_cloud.test_commands import CREATES, things

NOTHING_BUT_A_PROJECT = dict.fromkeys(
    (
        *("ENCORE_BILLING_ACCOUNT", "ENCORE_BUDGET", "ENCORE_ALERT_EMAIL", "ENCORE_ES_URL"),
        *("ENCORE_SECRETS_DIR", "ENCORE_BOARD_VIEWERS", "ENCORE_CUSTOMERS", "ENCORE_TRACKS"),
        *("TWILIO_ACCOUNT_SID", "TWILIO_FROM"),
    ),
    "",
)


def test_all_that_is_missing_is_said_at_once_and_nothing_is_made(bench: Bench) -> None:
    told = bench.run("nothing", "deploy.sh", **NOTHING_BUT_A_PROJECT)
    assert told.code == 2
    for word in ("ALERT_EMAIL", "BILLING_ACCOUNT", "BUDGET", "ES_URL", "es-api-key", "es-board-"):
        assert word in told.err
    assert told.err.splitlines()[-1].startswith("6 missing; nothing was made.")
    assert things(told, CREATES) == set()


def test_the_plan_can_be_read_with_nothing_but_a_project(bench: Bench) -> None:
    plan = bench.run("nothing", "deploy.sh", "--dry-run", **NOTHING_BUT_A_PROJECT)
    assert (plan.code, plan.commands) == (0, []), plan.err
    assert "gcloud billing budgets create" in plan.out
    assert "functions deploy encore-board" in plan.out
    assert "functions deploy encore-sms" not in plan.out


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("ENCORE_REGION", "Iowa", "ENCORE_REGION is a region, like us-central1, not Iowa."),
        ("ENCORE_ES_MODE", "none", "ENCORE_ES_MODE is cloud or vm, not none."),
        ("ENCORE_BUDGET", "lots", "ENCORE_BUDGET is an amount and a currency, like 1000USD"),
        ("ENCORE_TRACKS", "/no/such.csv", "ENCORE_TRACKS cannot be read: /no/such.csv."),
        ("TWILIO_FROM", "", "TWILIO_FROM is empty: the number that messages come from."),
        ("ENCORE_SECRETS_DIR", str(ROOT), "ENCORE_SECRETS_DIR lies in the repository"),
        ("ENCORE_PYTHON", "false", "false is not Python 3.11 to 3.13 with pip"),
    ],
)
def test_a_setting_that_cannot_be_right_is_said_before_anything_is_made(
    name: str, value: str, sentence: str, bench: Bench
) -> None:
    told = bench.run("nothing", "00-check.sh", **{name: value})
    assert told.code == 2
    assert sentence in told.err


def test_a_project_that_cannot_be_reached_or_paid_for_is_said(bench: Bench, tmp_path: Path) -> None:
    answers = {
        "echo 'ERROR: no permission' >&2; exit 1": "gcloud does not reach the project",
        "echo False": "has no billing",
    }
    for answer, sentence in answers.items():
        (tmp_path / "gcloud").write_text(f"#!/bin/sh\n{answer}\n")
        (tmp_path / "gcloud").chmod(0o755)
        environment = bench.environment("nothing", tmp_path / "log", bench.settings({}))
        environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
        done = subprocess.run(
            [INFRA / "00-check.sh"], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert sentence in done.stderr


def test_dashboards_go_into_kibana_with_the_key_on_standard_input(bench: Bench) -> None:
    there = {"ENCORE_KIBANA_URL": "https://kibana.example:443"}
    plan = bench.run("nothing", "deploy.sh", "--dry-run", "--only=11", **there)
    assert (plan.code, plan.commands) == (0, []), plan.err
    assert plan.out.splitlines()[-1].endswith(
        "kibana/import.sh https://kibana.example:443 < the secret encore-es-api-key"
    )
