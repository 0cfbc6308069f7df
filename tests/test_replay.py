"""The command line of a replay: what it cannot use is said in one sentence."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from beam_pipeline.replay import main
from infra.local.stack import Stack

NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
FINE = {
    "--reason": "unknown_schema",
    "--since": "2026-03-14",
    "--bigquery": "p.d",
    "--topic": "projects/p/topics/t",
}


def words(flags: dict[str, str]) -> list[str]:
    return [word for pair in flags.items() for word in pair]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ({"--reason": "bad"}, "invalid choice: 'bad'"),
        ({"--since": "yesterday"}, "expected 2026-03-14 or 2026-03-14T09:30:00Z, not yesterday"),
        ({"--since": "2026-03-14T09:30:00"}, "expected 2026-03-14"),
        ({"--since": "2026-03-15"}, "--since must lie before --until"),
        ({"--until": "2026-03-14"}, "--since must lie before --until"),
        ({"--bigquery": "dataset"}, "--bigquery takes PROJECT.DATASET, not dataset"),
        ({"--topic": "events"}, "--topic takes projects/P/topics/T, not events"),
        ({"--bogus": "1"}, "--bogus"),
    ],
)
def test_a_flag_that_cannot_be_used_is_said_in_one_sentence(
    flags: dict[str, str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words(FINE | flags), NOW) == 2
    told = capsys.readouterr()
    assert sentence in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_a_replay_needs_a_topic_and_a_dry_run_none(capsys: pytest.CaptureFixture[str]) -> None:
    flags = {name: value for name, value in FINE.items() if name != "--topic"}
    assert main(words(flags), NOW) == 2
    assert "Name --topic" in capsys.readouterr().err


def test_a_dataset_that_there_is_not_is_said_in_one_sentence(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {"--bigquery": f"{stack.endpoints.project}.nobody_made_it"}
    flags |= {"--bigquery-endpoint": stack.bigquery}
    flags |= {"--bigquery-grpc-endpoint": stack.endpoints.bigquery_grpc}
    assert main([*words(FINE | flags), "--dry-run"], NOW) == 2
    told = capsys.readouterr()
    assert "nobody_made_it" in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_help_tells_a_stranger_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"], NOW)
    assert ended.value.code == 0
    told = capsys.readouterr().out
    for word in ("--dry-run", "unknown_schema", "Running again is safe", "projects/P/topics/T"):
        assert word in told
