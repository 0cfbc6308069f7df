"""The job as Dataflow would get it: built whole by Dataflow's own runner, and not submitted."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

from beam_pipeline import main as pipeline_main
from beam_pipeline.edges.pubsub import ReadBlocks
from beam_pipeline.options import beam_options, read_settings
from infra.dataflow import launch
from tests.infra_cloud.recording import PROJECT

STEPS = Path(__file__).with_name("steps.txt")
NOW = datetime(2026, 3, 14, 1, 15, tzinfo=UTC)
DATAFLOW = (
    "--runner=DataflowRunner",
    f"--project={PROJECT}",
    "--region=us-central1",
    f"--temp_location=gs://{PROJECT}-encore-temp/dataflow",
    f"--staging_location=gs://{PROJECT}-encore-temp/dataflow",
    "--sdk_container_image=registry.example/pipeline:tested",
    "--sdk_location=container",
    "--no_auth",
    "--dry_run=True",
)
STREAM = (
    f"--subscription=projects/{PROJECT}/subscriptions/events-pipeline",
    "--redis=rediss://:hidden@10.0.0.3:6378/0",
    "--elasticsearch=https://elastic.example:443",
    "--elasticsearch-api-key=hidden",
    f"--bigquery={PROJECT}.encore",
    "--shards=4",
)


def job() -> beam_runner_api_pb2.Pipeline:
    """The stream's pipeline, as the runner would send it."""
    settings = read_settings([*STREAM, *DATAFLOW, "--streaming"])
    options: PipelineOptions = beam_options(settings)
    pipeline = beam.Pipeline(runner=DataflowRunner(), options=options)
    assert settings.subscription
    pipeline_main._assemble(pipeline | "Read" >> ReadBlocks(settings.subscription), settings, None)
    pipeline.run()
    runner = pipeline.runner
    assert isinstance(runner, DataflowRunner)
    return runner.proto_pipeline


@pytest.fixture(scope="module")
def built() -> beam_runner_api_pb2.Pipeline:
    return job()


def steps(proto: beam_runner_api_pb2.Pipeline) -> list[str]:
    """The names of the steps that Dataflow knows work by: those without steps of their own."""
    transforms = proto.components.transforms.values()
    return sorted(each.unique_name for each in transforms if not each.subtransforms)


def test_the_steps_keep_their_names_so_that_a_running_job_can_be_updated(
    built: beam_runner_api_pb2.Pipeline,
) -> None:
    """Changed on purpose? Then a running job has to be replaced: say so where it is released, and
    write the new names to steps.txt."""
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


def test_the_launcher_starts_the_stream_and_fetches_its_secrets_by_reference() -> None:
    asked: list[str] = []

    def fetch(name: str) -> str:
        asked.append(name)
        return "rediss://:hidden@10.0.0.3:6378/0" if "redis" in name else "hidden"

    words = [
        word if "hidden" not in word else f"{word.split('=')[0]}=secret:projects/p/{number}-redis"
        for number, word in enumerate(STREAM)
    ]
    code = launch.main(["--entry=stream", *words, *DATAFLOW], NOW, fetch)
    assert code == 0
    assert asked == ["projects/p/1-redis", "projects/p/3-redis"]


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
