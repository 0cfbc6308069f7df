"""The job as Dataflow would get it: built whole by Dataflow's own runner, and not submitted."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from infra.dataflow import launch
from tests.infra_cloud.graph import DATAFLOW, STEPS, STREAM, job, steps

NOW = datetime(2026, 3, 14, 1, 15, tzinfo=UTC)


@pytest.fixture(scope="module")
def built() -> beam_runner_api_pb2.Pipeline:
    return job()


def test_the_steps_keep_their_names_so_that_a_running_job_can_be_updated(
    built: beam_runner_api_pb2.Pipeline,
) -> None:
    """Changed on purpose? `python -m tests.infra_cloud.graph` writes steps.txt anew; a running job
    then has to be drained and replaced."""
    assert steps(built) == STEPS.read_text().splitlines()


def test_every_name_is_ours_and_none_is_made_up_by_the_library(
    built: beam_runner_api_pb2.Pipeline,
) -> None:
    own = {name.split("/")[0] for name in steps(built)}
    assert not [name for name in own if name.endswith(")") or name[0].islower()]


def test_the_job_runs_in_our_image(built: beam_runner_api_pb2.Pipeline) -> None:
    environments = built.components.environments.values()
    images = {
        beam_runner_api_pb2.DockerPayload.FromString(each.payload).container_image
        for each in environments
        if each.payload
    }
    assert images == {"registry.example/pipeline:tested"}


def test_the_launcher_starts_the_stream_with_references_alone() -> None:
    assert launch.main(["--entry=stream", *STREAM, *DATAFLOW], NOW) == 0


def test_the_daily_run_takes_yesterday_and_a_launcher_does_not_wait() -> None:
    assert launch.daily(["--redis=r"], NOW) == ["--redis=r", "--day=2026-03-13"]
    assert launch.daily(["--day=2026-01-01", "--template_location=gs://t"], NOW) == [
        "--day=2026-01-01",
        "--template_location=gs://t",
        "--no_wait_until_finish",
    ]


@pytest.mark.parametrize("words", [[], ["--entry=nothing"], ["--entry=daily", "--entry=stream"]])
def test_the_launcher_says_what_it_can_start(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert launch.main(words, NOW) == 2
    assert capsys.readouterr().err == "Give one --entry=stream|daily|reference\n"
