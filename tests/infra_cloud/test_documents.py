"""Alerts, metrics, dashboard, job bodies and templates: what Google's APIs take, and explained."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from beam_pipeline import daily, options
from beam_pipeline.training import train, vertex
from tests.infra_cloud.recording import INFRA, PROJECT, Bench

MONITORING = INFRA / "monitoring"
ALERTS = sorted((MONITORING / "alerts").glob("*.json"))
METRICS = sorted((MONITORING / "metrics").glob("*.json"))
WANTED = ("stale", "waiting", "rejected", "refused", "SMS", "ingest")
"""What issue and runbook ask for: a word of each alert's name."""
NOT_IN_A_TEMPLATE = {
    "help",
    "output",
    "input",
    "bigquery-endpoint",
    "bigquery-grpc-endpoint",
    "so-far",
    "settled-after",
}
"""Folders of one's own machine, emulators, and days that are not over: a template closes days."""
OF_THE_LAUNCHER = {"entry", "sdk_container_image"}


def read(file: Path) -> Any:
    return json.loads(file.read_text())


def anchors(markdown: Path) -> set[str]:
    return set(re.findall(r"^#+ (.+)$", markdown.read_text(), re.MULTILINE))


def complaints(*checks: tuple[str, str, str, Any]) -> list[str]:
    """What Google's API messages say against values, given as (api, version, message, value)."""
    told = subprocess.run(
        ["gcloud", "info", "--format=value(installation.sdk_root,basic.python_location)"],
        capture_output=True,
        text=True,
        check=True,
    )
    root, python = told.stdout.split()
    names = ("api", "version", "message", "value")
    done = subprocess.run(
        [python, Path(__file__).with_name("messages.py"), root],
        input=json.dumps([dict(zip(names, check, strict=True)) for check in checks]),
        capture_output=True,
        text=True,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_google_takes_every_alert_metric_and_the_dashboard() -> None:
    assert len(ALERTS) >= 6
    checks = [("monitoring", "v3", "AlertPolicy", read(file)) for file in ALERTS]
    checks += [("logging", "v2", "LogMetric", read(file)) for file in METRICS]
    checks.append(("monitoring", "v1", "Dashboard", read(MONITORING / "dashboard.json")))
    assert complaints(*checks) == []


def test_a_wrong_alert_is_noticed() -> None:
    alert = read(ALERTS[0])
    alert["conditions"][0]["conditionThreshold"]["treshold"] = 1
    assert complaints(("monitoring", "v3", "AlertPolicy", alert)) == [
        "AlertPolicy.conditions.conditionThreshold: treshold"
    ]


def test_google_takes_the_templates_and_the_bodies_of_the_schedules(bench: Bench) -> None:
    done = bench.run("all", "deploy.sh", "--only=14")
    assert done.code == 0, done.err
    bodies = bench.folder / "build" / "bodies"
    launch = read(bodies / "daily.json")
    training = read(bodies / "training.json")
    templates = [read(INFRA / "dataflow" / f"{name}.json") for name in ("stream", "daily")]
    found = complaints(
        ("dataflow", "v1b3", "LaunchFlexTemplateRequest", launch),
        ("aiplatform", "v1", "GoogleCloudAiplatformV1CustomJob", training),
        *(("dataflow", "v1b3", "TemplateMetadata", each) for each in templates),
    )
    assert found == []


def test_the_scheduled_training_is_the_one_that_the_training_room_describes(bench: Bench) -> None:
    assert bench.run("all", "deploy.sh", "--only=14").code == 0
    body = read(bench.folder / "build" / "bodies" / "training.json")
    (pool,) = body["jobSpec"]["workerPoolSpecs"]
    assert pool["machineSpec"] == {"machineType": vertex.MACHINE}
    assert body["jobSpec"]["scheduling"] == {"timeout": f"{vertex.TIMEOUT_S}s"}
    arguments = train.parser().parse_args(pool["containerSpec"]["args"])
    assert (arguments.models, arguments.bigquery) == (
        f"gs://{PROJECT}-encore-models/models",
        f"{PROJECT}.encore",
    )


@pytest.mark.parametrize("alert", ALERTS, ids=lambda file: file.stem)
def test_every_alert_says_where_to_read_on(alert: Path) -> None:
    document = read(alert)["documentation"]["content"]
    section = re.search(r'infra/RUNBOOK\.md, "(.+)"', document)
    assert section
    assert section[1] in anchors(INFRA / "RUNBOOK.md")


def test_all_that_was_asked_for_has_an_alert() -> None:
    names = " ".join(read(file)["displayName"] for file in ALERTS)
    assert [word for word in WANTED if word not in names] == []


def test_alerts_and_dashboard_use_metrics_that_there_are() -> None:
    made = {read(file)["name"] for file in METRICS}
    text = "".join(file.read_text() for file in [*ALERTS, MONITORING / "dashboard.json"])
    used = set(re.findall(r"logging\.googleapis\.com/user/([a-z_/]+)", text))
    assert used == made
    assert {f"encore/{file.stem}" for file in METRICS} == made


def flags(parser: Any) -> dict[str, Any]:
    return {
        action.option_strings[-1].removeprefix("--"): action
        for action in parser._actions
        if action.option_strings
    }


@pytest.mark.parametrize(
    ("name", "parser"), [("stream", options.parser), ("daily", daily.parser)], ids=str
)
def test_a_template_has_every_parameter_of_its_program(name: str, parser: Any) -> None:
    template = read(INFRA / "dataflow" / f"{name}.json")
    parameters = {each["name"]: each for each in template["parameters"]}
    program = flags(parser())
    assert set(parameters) - OF_THE_LAUNCHER == set(program) - NOT_IN_A_TEMPLATE
    for key, each in parameters.items():
        assert len(each["helpText"]) > 20, key
        assert all(re.compile(regex) for regex in each["regexes"]), key
        default = program[key].default if key in program else None
        if "defaultValue" in each and default is not None:
            shown = default.total_seconds() if hasattr(default, "total_seconds") else default
            assert str(each["defaultValue"]) == f"{shown:g}" if key != "replay" else default, key


def test_what_the_scripts_give_fits_the_templates(bench: Bench) -> None:
    given = {
        "stream": bench.run("all", "deploy.sh", "--only=13"),
        "daily": bench.run("all", "daily.sh", "--day=2026-03-01"),
    }
    for name, recording in given.items():
        template = read(INFRA / "dataflow" / f"{name}.json")
        parameters = {each["name"]: each for each in template["parameters"]}
        (run,) = [each for each in recording.commands if each[1:4:2] == ["dataflow", "run"]]
        (word,) = [each for each in run if each.startswith("--parameters=")]
        values = dict(each.split("=", 1) for each in word.removeprefix("--parameters=").split(","))
        needed = {key for key, each in parameters.items() if not each.get("isOptional")}
        assert needed <= set(values) <= set(parameters)
        for key, value in values.items():
            for regex in parameters[key]["regexes"]:
                assert re.fullmatch(regex, value), (key, value)
