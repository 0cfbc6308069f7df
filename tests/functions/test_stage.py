"""A staged folder is all that a function needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from functions.stage import main, stage
from infra.local.stack import Stack
from tests.functions.conftest import ingest_environ
from tests.functions.events import ndjson, play
from tests.functions.inbox import Inbox
from tests.functions.process import running


def test_a_staged_function_runs_on_what_was_staged_alone(
    stack: Stack, inbox: Inbox, logs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "staged"
    paths = stage("ingest", folder)
    assert "beam_pipeline/domain/events.py" in paths
    assert not any("offer" in path or "sms" in path or "schemas" in path for path in paths)
    environ = ingest_environ(stack, inbox) | {"PYTHONPATH": ""}
    with running("ingest", environ, logs, source=folder / "main.py") as ingest:
        assert ingest.post("/v1/plays", ndjson(play())).status_code == 202


@pytest.mark.parametrize("name", ["shared", "no-such-function"])
def test_what_is_no_function_is_refused_in_one_sentence(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "new").exists()


def test_a_folder_with_something_in_it_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["ingest", str(tmp_path)]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
