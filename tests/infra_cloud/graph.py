"""The job as Dataflow would get it: `python -m tests.infra_cloud.graph` writes its steps anew."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.dataflow.dataflow_runner import DataflowRunner

from beam_pipeline import main as pipeline_main
from beam_pipeline.edges.pubsub import ReadBlocks
from beam_pipeline.options import beam_options, read_settings
from tests.infra_cloud.recording import PROJECT

STEPS = Path(__file__).with_name("steps.txt")
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
    f"--redis=secret:projects/{PROJECT}/secrets/encore-redis-url/versions/7",
    "--elasticsearch=https://elastic.example:443",
    f"--elasticsearch-api-key=secret:projects/{PROJECT}/secrets/encore-es-api-key/versions/7",
    f"--bigquery={PROJECT}.encore",
    f"--models=gs://{PROJECT}-encore-models/models",
    "--shards=4",
)


def job() -> beam_runner_api_pb2.Pipeline:
    """The stream's pipeline, as the runner would send it."""
    settings = read_settings([*STREAM, *DATAFLOW, "--streaming"])
    options: PipelineOptions = beam_options(settings)
    pipeline = beam.Pipeline(options=options)
    assert settings.subscription
    pipeline_main._assemble(pipeline | "Read" >> ReadBlocks(settings.subscription), settings, None)
    pipeline.run()
    runner = pipeline.runner
    assert isinstance(runner, DataflowRunner)
    return runner.proto_pipeline


def steps(proto: beam_runner_api_pb2.Pipeline) -> list[str]:
    """The names of the steps that Dataflow knows work by: those without steps of their own."""
    transforms = proto.components.transforms.values()
    return sorted(each.unique_name for each in transforms if not each.subtransforms)


if __name__ == "__main__":
    STEPS.write_text("\n".join(steps(job())) + "\n")
