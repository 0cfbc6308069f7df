"""Every metric counts a line that the code really logs, and every trouble it logs is counted."""

from __future__ import annotations

import ast
import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis import Redis

from beam_pipeline.domain.ratio import Alarm
from beam_pipeline.edges.models import ModelsConfig
from beam_pipeline.edges.redis import Progress
from beam_pipeline.edges.retry import Outage
from beam_pipeline.training.report import Report, headline
from beam_pipeline.transforms.ratio import Bell
from functions.sms import run as sms_run
from infra.local.stack import Stack
from tests.infra_cloud.logql import matches
from tests.infra_cloud.recording import INFRA, ROOT

METRICS = {
    file.stem: json.loads(file.read_text()) for file in INFRA.glob("monitoring/metrics/*.json")
}
NOT_COUNTED = {
    "redis_up": "the good end of redis_down",
    "board_search": "one chart's question, shown in its place on the page",
}
NOW = datetime(2026, 3, 14, 9, 26, 53, tzinfo=UTC)


def function_entry(name: str, severity: str, message: str, metric: str) -> dict[str, Any]:
    """A line of a function as Cloud Logging holds it."""
    resource = {"type": "cloud_run_revision", "labels": {"service_name": f"encore-{name}"}}
    payload = {"message": message, "metric": metric}
    return {"resource": resource, "severity": severity, "jsonPayload": payload}


def worker_entry(message: str) -> dict[str, Any]:
    """A line of a Dataflow worker as Cloud Logging holds it."""
    resource = {"type": "dataflow_step", "labels": {"job_name": "encore-stream"}}
    return {"resource": resource, "severity": "WARNING", "jsonPayload": {"message": message}}


def strings(node: ast.expr) -> list[str]:
    """The values that an expression in a call to `log` may have."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return []
    return list(sms_run._METRICS.values())


def function_lines() -> Iterator[dict[str, Any]]:
    """Every line with a metric that the functions' code can log, found at its calls."""
    for file in (ROOT / "functions").rglob("*.py"):
        room = file.relative_to(ROOT / "functions").parts[0]
        names = ("ingest", "offer", "sms") if room == "shared" else (room,)
        for call in ast.walk(ast.parse(file.read_text())):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            values = [each.value for each in call.keywords if each.arg == "metric"]
            if call.func.id == "Tally":
                severity, metrics, message = "WARNING", strings(call.args[0]), call.args[1]
            elif call.func.id == "log" and values:
                severity, metrics = strings(call.args[0])[0], strings(values[0])
                message = call.args[1]
            else:
                continue
            told = message.value if isinstance(message, ast.Constant) else ""
            for metric in metrics:
                if isinstance(message, ast.Constant):
                    yield from (function_entry(n, severity, str(told), metric) for n in names)


def a_refused_report() -> Report:
    """As much of a report as its headline reads."""
    model = SimpleNamespace(error=0.2, error_upper=0.21)
    part = SimpleNamespace(examples=2000, clicks=120)
    report = SimpleNamespace(version="v1", outcome="refused", parts=(part,), model=model)
    return cast(Report, report)


def outage(_: Stack) -> None:
    Outage("Redis", sleep=lambda _: None).wait("Unreachable: nobody there")


def progress(stack: Stack) -> None:
    published_ms = int(NOW.timestamp() * 1000) - 95_000
    client = Redis.from_url(stack.redis)
    Progress(client, clock=lambda: NOW).record("elasticsearch", published_ms, published_ms)
    client.close()


def unusable_model(_: Stack) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "current.json").write_text("{}")
        assert ModelsConfig(folder).open().get() is None


def alarm(_: Stack) -> None:
    Bell().ring([Alarm(0, 1_000, 300, (("not_json", 300),), 0.2)])


WORKERS: dict[str, Callable[[Stack], None]] = {
    "store_outage": outage,
    "progress_behind": progress,
    "model_alarm": unusable_model,
    "dead_letter_alarm": alarm,
}


def counted_by(entry: dict[str, Any]) -> set[str]:
    return {name for name, metric in METRICS.items() if matches(metric["filter"], entry)}


def test_every_metric_of_functions_counts_a_line_that_they_log() -> None:
    lines = list(function_lines())
    assert len(lines) > 15
    counted = set().union(*(counted_by(line) for line in lines))
    of_functions = {n for n, each in METRICS.items() if "cloud_run_revision" in each["filter"]}
    assert len(of_functions) >= 9
    assert counted == of_functions


def test_no_trouble_that_a_function_logs_goes_uncounted() -> None:
    for line in function_lines():
        metric = line["jsonPayload"]["metric"]
        if line["severity"] != "INFO" and metric not in NOT_COUNTED:
            assert counted_by(line), metric


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_a_metric_of_the_pipeline_counts_a_line_that_it_logs(
    name: str, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        WORKERS[name](stack)
    (line,) = [each.getMessage() for each in caplog.records]
    assert counted_by(worker_entry(line)) == {name}


def test_a_training_that_is_refused_is_counted_however_vertex_keeps_the_line() -> None:
    line = headline(a_refused_report())
    for payload in ({"textPayload": line}, {"jsonPayload": {"message": line}}):
        assert counted_by({"resource": {"type": "ml_job"}, **payload}) == {"gate_refused"}


def test_staleness_is_read_out_of_the_line_of_progress(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        progress(stack)
    metric = METRICS["progress_behind"]
    found = []
    for extractor in (metric["labelExtractors"]["store"], metric["valueExtractor"]):
        pattern = re.fullmatch(r'REGEXP_EXTRACT\(jsonPayload\.message, "(.+)"\)', extractor)
        assert pattern
        value = re.search(pattern[1], caplog.records[0].getMessage())
        found.append(value and value[1])
    assert found == ["elasticsearch", "95"]


def test_a_line_of_another_service_or_kind_is_counted_by_nothing() -> None:
    assert counted_by(function_entry("offer", "INFO", "redis answers again", "redis_up")) == set()
    foreign = function_entry("ingest", "ERROR", "not published", "ingest_not_published")
    foreign["resource"]["labels"]["service_name"] = "somebody-else"
    assert counted_by(foreign) == set()
    with pytest.raises(ValueError, match="not understood"):
        matches('severity>="ERROR"', {})


def test_the_runbook_knows_every_metric_that_a_function_logs() -> None:
    runbook = Path(INFRA / "RUNBOOK.md").read_text()
    for name in ("sms_unclear", "sms_not_published", "ingest_not_published", "board_down"):
        assert f"`{name}`" in runbook
