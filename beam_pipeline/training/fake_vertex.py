"""Vertex AI's API for tests: in the place of the SDK's own clients, below everything it checks.

Strict: it takes the calls that we make, only as the API's own message types, refuses what the
API would refuse of them, and fails on every other call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from google.api_core.exceptions import InvalidArgument, NotFound
from google.auth.credentials import AnonymousCredentials
from google.cloud.aiplatform import initializer
from google.cloud.aiplatform_v1.types import (
    CustomJob,
    JobState,
    Model,
    UploadModelRequest,
    UploadModelResponse,
)

_PARENT = re.compile(r"projects/[a-z0-9-]{6,30}/locations/[a-z]+-[a-z]+\d")
_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
_IMAGE = re.compile(r"[a-z0-9.-]+(/[A-Za-z0-9._-]+)+:[A-Za-z0-9._-]+")
_ALIAS = re.compile(r"[a-z][a-z0-9-]{0,126}[a-z0-9]")


class FakeVertex:
    """What was asked of the API, in order."""

    def __init__(self) -> None:
        self.jobs: list[CustomJob] = []
        self.models: list[Model] = []

    @contextmanager
    def installed(self) -> Iterator[FakeVertex]:
        """Every client that the SDK makes is this, until the end of the `with`."""
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call]
        sdk = initializer.global_config
        with (
            patch.object(sdk, "create_client", self._client),
            patch.object(sdk, "_credentials", nobody),
        ):
            yield self

    def _client(self, **_: Any) -> _Client:
        return _Client(
            {
                "create_custom_job": self._create_custom_job,
                "upload_model": self._upload_model,
                "get_model": self._get_model,
            }
        )

    def _create_custom_job(self, *, parent: str, custom_job: CustomJob, timeout: Any) -> CustomJob:
        _require(_PARENT.fullmatch(parent), f"parent {parent}")
        _require(isinstance(custom_job, CustomJob), "a CustomJob is wanted")
        _require(custom_job.display_name, "display_name")
        spec = custom_job.job_spec
        _require(len(spec.worker_pool_specs) == 1, "one worker pool")
        pool = spec.worker_pool_specs[0]
        _require(pool.replica_count >= 1, "replica_count")
        _require(pool.machine_spec.machine_type, "machine_type")
        _require(_IMAGE.fullmatch(pool.container_spec.image_uri), "image_uri with its tag")
        out = spec.base_output_directory.output_uri_prefix
        _require(not out or out.startswith("gs://"), "output_uri_prefix")
        _require(not spec.service_account or "@" in spec.service_account, "service_account")
        _labels(dict(custom_job.labels))
        stored = CustomJob(custom_job)
        stored.name = f"{parent}/customJobs/{len(self.jobs) + 1}"
        stored.state = JobState.JOB_STATE_PENDING  # type: ignore[assignment]
        self.jobs.append(stored)
        return stored

    def _upload_model(self, *, request: UploadModelRequest, timeout: Any = None) -> _Operation:
        _require(isinstance(request, UploadModelRequest), "an UploadModelRequest is wanted")
        _require(_PARENT.fullmatch(request.parent), f"parent {request.parent}")
        model = request.model
        _require(model.display_name, "display_name")
        _require(model.artifact_uri.startswith("gs://"), "artifact_uri")
        _require(all(map(_ALIAS.fullmatch, model.version_aliases)), "version_aliases")
        _labels(dict(model.labels))
        stored = Model(model)
        versions = [one for one in self.models if one.name == request.parent_model]
        _require(bool(versions) or not request.parent_model, f"no model {request.parent_model}")
        _require(bool(request.model_id) != bool(request.parent_model), "model_id or parent_model")
        stored.name = request.parent_model or f"{request.parent}/models/{request.model_id}"
        stored.version_id = str(len(versions) + 1)
        self.models.append(stored)
        return _Operation(
            UploadModelResponse(model=stored.name, model_version_id=stored.version_id)
        )

    def _get_model(self, *, name: str, **options: Any) -> Model:
        name, _, version = name.partition("@")
        found = [one for one in self.models if one.name == name]
        if not found:
            raise NotFound(f"no model {name}")  # type: ignore[no-untyped-call]
        return next((one for one in found if one.version_id == version), found[-1])


class _Client:
    """The calls that there are; another is an AttributeError, as a call that nobody foresaw."""

    def __init__(self, calls: dict[str, Callable[..., Any]]) -> None:
        self.__dict__.update(calls)

    def select_version(self, version: str) -> _Client:
        """Every version of the API is this one."""
        return self


class _Operation:
    """A long-running operation that is over."""

    def __init__(self, response: UploadModelResponse) -> None:
        self._response = response
        self.operation = self

    @property
    def name(self) -> str:
        """Its resource name."""
        return f"{self._response.model}/operations/1"

    def result(self, timeout: float | None = None) -> UploadModelResponse:
        """What came of it."""
        return self._response


def _labels(labels: dict[str, str]) -> None:
    for name, value in labels.items():
        _require(_LABEL.fullmatch(name) and _LABEL.fullmatch(value), f"label {name}={value}")


def _require(holds: object, what: str) -> None:
    if not holds:
        raise InvalidArgument(what)  # type: ignore[no-untyped-call]
