"""Vertex AI: what is sent, as far as the SDK and the API's own types can be asked here."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from google.api_core.exceptions import InvalidArgument
from google.auth.credentials import AnonymousCredentials

from beam_pipeline.edges.fake_storage import FakeStorage
from beam_pipeline.edges.models import ModelsConfig
from beam_pipeline.training.fake_vertex import FakeVertex
from beam_pipeline.training.train import PROMOTED, Surroundings, main, parser
from beam_pipeline.training.vertex import Place, register, submit, training_job
from tests.domain.test_score import model
from tests.training.synthetic import crowd

PLACE = Place("encore-project", "europe-west4", "gs://encore-models", AnonymousCredentials())  # type: ignore[no-untyped-call]
IMAGE = "europe-west4-docker.pkg.dev/encore-project/encore/encore:2.77.0"
ARGUMENTS = ["--bigquery=encore-project.encore", "--models=gs://encore-models/models"]
NOW = datetime(2026, 3, 20, tzinfo=UTC)
ACCOUNT = "encore-train@encore-project.iam.gserviceaccount.com"


def test_the_job_runs_the_training_command_in_our_image_as_its_own_account() -> None:
    with FakeVertex().installed() as vertex:
        job = training_job(PLACE, IMAGE, ARGUMENTS, labels={"app": "encore"})
        assert vertex.jobs == []
        name = submit(job, ACCOUNT)
        assert name == "projects/encore-project/locations/europe-west4/customJobs/1"
    (sent,) = vertex.jobs
    (pool,) = sent.job_spec.worker_pool_specs
    assert list(pool.container_spec.command) == ["python", "-m", "beam_pipeline.training.train"]
    assert list(pool.container_spec.args) == ARGUMENTS
    assert pool.container_spec.image_uri == IMAGE
    assert sent.job_spec.service_account == ACCOUNT
    assert sent.job_spec.scheduling.timeout.seconds == 7200
    assert sent.job_spec.base_output_directory.output_uri_prefix == "gs://encore-models/training"


def test_the_jobs_arguments_are_ones_that_the_command_takes() -> None:
    args = parser().parse_args(ARGUMENTS)
    assert (args.bigquery, args.models) == ("encore-project.encore", "gs://encore-models/models")


def test_a_job_that_the_api_would_refuse_is_refused_here() -> None:
    with FakeVertex().installed() as vertex:
        for image, labels in ((IMAGE.partition(":")[0], None), (IMAGE, {"App": "Encore"})):
            with pytest.raises(InvalidArgument):
                submit(training_job(PLACE, image, ARGUMENTS, labels=labels), ACCOUNT)
        assert vertex.jobs == []


def test_a_live_model_is_copied_and_the_next_becomes_its_second_version() -> None:
    models = "gs://encore-models/models"
    with FakeVertex().installed() as vertex:
        register(PLACE, model(version="20260320T000100Z-aa"), models, IMAGE)
        register(PLACE, model(version="20260321T000100Z-bb"), models, IMAGE)
    one, two = vertex.models
    assert one.name == two.name
    assert one.name.endswith("/locations/europe-west4/models/encore-clicks")
    assert (one.version_id, two.version_id) == ("1", "2")
    assert two.artifact_uri == f"{models}/20260321T000100Z-bb"
    assert "live" in two.version_aliases
    assert "error 5.00%" in two.version_description


def test_a_promotion_in_a_bucket_is_copied_and_stays_one_where_no_copy_can_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file, clock = tmp_path / "examples.parquet", itertools.count()
    crowd().frame.write_parquet(file)
    surroundings = Surroundings(lambda: NOW + timedelta(minutes=next(clock)), None)
    flags = ["--examples", str(file), "--models", "gs://encore/models", "--image", IMAGE]
    with FakeStorage("encore") as storage, FakeVertex().installed() as vertex:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", storage.url)
        place = "encore-project/europe-west4"
        assert main([*flags, "--register", place], surroundings) == PROMOTED
        assert main([*flags, "--register", "encore-project/nowhere"], surroundings) == PROMOTED
        assert "is live and not copied to Vertex AI" in capsys.readouterr().err
        live = ModelsConfig("gs://encore/models").open().get()
        assert main([*flags, "--register", place], surroundings) == PROMOTED
    one, two = vertex.models
    assert live is not None
    assert one.artifact_uri < f"gs://encore/models/{live.version}" < two.artifact_uri
    assert (one.version_id, two.version_id) == ("1", "2")
