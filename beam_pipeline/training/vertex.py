"""Vertex AI: the training as a CustomJob in our image, and a promoted model's copy in its registry.

`current.json` stays the authority; the copy is there for people who look for models in Vertex.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from google.api_core.exceptions import NotFound
from google.auth.credentials import Credentials
from google.cloud import aiplatform

from beam_pipeline.domain.score import Model

MACHINE = "n1-standard-4"
TIMEOUT_S = 2 * 3600
LIVE = "live"
"""The alias of the version that is live."""
MODEL_ID = "encore-clicks"


@dataclass(frozen=True, slots=True)
class Place:
    """Where in Google Cloud: a project, a region, and a bucket for artefacts (gs://…)."""

    project: str
    region: str
    bucket: str
    credentials: Credentials | None = field(default=None, repr=False)


def training_job(
    place: Place,
    image: str,
    arguments: list[str],
    *,
    name: str = "encore-training",
    labels: dict[str, str] | None = None,
) -> aiplatform.CustomJob:
    """The job, its specification checked by the SDK; nothing is sent.

    Args:
        place: where it runs; the job's AIP_MODEL_DIR lies in its bucket.
        image: the one image of the project, with its tag.
        arguments: of `python -m beam_pipeline.training.train`.
        name: what people see.
        labels: of the job.

    Raises:
        ValueError, TypeError: the SDK finds the specification wrong.
    """
    return aiplatform.CustomJob(
        display_name=name,
        worker_pool_specs=[
            {
                "machine_spec": {"machine_type": MACHINE},
                "replica_count": 1,
                "container_spec": {
                    "image_uri": image,
                    "command": ["python", "-m", "beam_pipeline.training.train"],
                    "args": arguments,
                },
            }
        ],
        base_output_dir=f"{place.bucket}/training",
        project=place.project,
        location=place.region,
        credentials=place.credentials,
        labels=labels,
        staging_bucket=place.bucket,
    )


def submit(job: aiplatform.CustomJob, service_account: str) -> str:
    """Start a job and do not wait for it; its resource name."""
    job.submit(service_account=service_account, timeout=TIMEOUT_S)
    return str(job.resource_name)


def register(place: Place, model: Model, models: str, image: str) -> aiplatform.Model:
    """Copy a live model into the Vertex Model Registry: a version more, with the alias `live`.

    Args:
        place: where.
        model: the live model.
        models: gs:// of the models; the version's folder below it becomes the artefact.
        image: the one image of the project: the registry asks for one, nothing serves from it.

    Raises:
        GoogleAPIError, GoogleAuthError: the copy could not be made.
        ValueError: there is no such region.
    """
    parent = _registered(place)
    error = model.metrics.get("error")
    told = f"{model.trainer}; features {model.feature_hash}" + (
        f"; error {error:.2%}" if error is not None else ""
    )
    return aiplatform.Model.upload(
        serving_container_image_uri=image,
        display_name=MODEL_ID,
        model_id=None if parent else MODEL_ID,
        artifact_uri=f"{models}/{model.version}",
        parent_model=parent,
        is_default_version=True,
        version_aliases=[LIVE],
        version_description=told,
        labels={"version": model.version.lower(), "features": model.feature_hash},
        project=place.project,
        location=place.region,
        credentials=place.credentials,
        staging_bucket=place.bucket,
        sync=True,
    )


def _registered(place: Place) -> str | None:
    """The resource name of the model that further versions belong to; None before the first."""
    name = f"projects/{place.project}/locations/{place.region}/models/{MODEL_ID}"
    try:
        found = aiplatform.Model(name, credentials=place.credentials)
    except NotFound:
        return None
    return str(found.resource_name)
