"""The registry: only a version that passed, whole and unchanged, becomes the live one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from beam_pipeline.domain.score import Model
from beam_pipeline.edges.fake_storage import FakeStorage
from beam_pipeline.edges.models import POINTER, Pointer
from beam_pipeline.edges.objects import (
    ABSENT,
    BucketObjects,
    Conflict,
    FolderObjects,
    Objects,
    Stored,
)
from beam_pipeline.training.registry import NotPromotable, Registry
from tests.domain.test_score import model
from tests.edges.test_objects import bucket_of

NOW = datetime(2026, 3, 20, tzinfo=UTC)


@pytest.fixture(params=["folder", "bucket"])
def registry(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    """One in a folder, one in a bucket."""
    if request.param == "folder":
        yield Registry(FolderObjects(tmp_path))
        return
    with FakeStorage("encore") as fake:
        yield Registry(BucketObjects(bucket_of(fake), "models"))
        assert fake.refused == []


def keep(registry: Registry, one: Model, *, passed: bool = True, **changes: object) -> str:
    """Keep a version, its report as training would write it but for `changes`."""
    content = one.to_json()
    verdict: dict[str, object] = {
        "version": one.version,
        "passed": passed,
        "model_sha256": hashlib.sha256(content).hexdigest(),
        "outcome": "passed",
    }
    report = json.dumps({**verdict, **changes}).encode()
    registry.keep(one.version, {"model.json": content, "report.json": report})
    return one.version


def test_promotions_follow_one_another_and_can_be_taken_back(registry: Registry) -> None:
    assert registry.live() is None
    for version in ("v1", "v2", "v3"):
        registry.promote(keep(registry, model(version=version)), NOW)
    assert registry.versions() == ["v1", "v2", "v3"]
    for expected in ("v3", "v2", "v1"):
        live = registry.live()
        assert live is not None
        assert live.version == expected
        if expected != "v1":
            registry.rollback(NOW)
    with pytest.raises(NotPromotable, match="no earlier version"):
        registry.rollback(NOW)


def test_the_pointer_says_how_good_the_live_model_is_and_what_the_gate_held_it_to(
    registry: Registry,
) -> None:
    checks = [{"name": "AUC", "holds": True, "figure": 0.9}]
    first = keep(registry, model(version="v1", metrics={"error": 0.05}), checks=checks)
    registry.promote(first, NOW)
    registry.promote(keep(registry, model(version="v2")), NOW)
    live = registry.rollback(NOW).live
    assert (live.version, live.metrics, live.gate) == ("v1", {"error": 0.05}, {"AUC": True})


def test_one_can_go_back_further_by_name(registry: Registry) -> None:
    for version in ("v1", "v2", "v3"):
        registry.promote(keep(registry, model(version=version)), NOW)
    pointer = registry.rollback(NOW, "v1")
    assert pointer.live.version == "v1"
    assert pointer.before == ()
    with pytest.raises(NotPromotable, match="v3 was not live before"):
        registry.rollback(NOW, "v3")


def test_a_version_that_was_refused_or_has_no_report_is_not_promoted(registry: Registry) -> None:
    keep(registry, model(version="v1"), passed=False)
    registry.keep("v2", {"model.json": model(version="v2").to_json()})
    for version in ("v1", "v2", "v3"):
        with pytest.raises(NotPromotable):
            registry.promote(version, NOW)
    assert registry.objects.read(POINTER) is None


@pytest.mark.parametrize("content", [b"", b"{", model(version="v1").to_json()[:200], b"\x80\x04"])
def test_a_half_written_model_is_never_promoted(registry: Registry, content: bytes) -> None:
    whole = keep(registry, model(version="v0"))
    registry.promote(whole, NOW)
    told = {"version": "v1", "passed": True, "model_sha256": hashlib.sha256(content).hexdigest()}
    registry.keep("v1", {"model.json": content, "report.json": json.dumps(told).encode()})
    with pytest.raises(NotPromotable):
        registry.promote("v1", NOW)
    live = registry.live()
    assert live is not None
    assert live.version == "v0"


def test_a_foreign_model_is_never_promoted(registry: Registry) -> None:
    other_features = keep(registry, model(version="v1", feature_hash="0123456789abcdef"))
    other_file = keep(registry, model(version="v2"), model_sha256="00")
    other_report = keep(registry, model(version="v3"), version="v4")
    garbled = keep(registry, model(version="v5"), passed=True, model_sha256=7)
    for version in (other_features, other_file, other_report, garbled):
        with pytest.raises(NotPromotable):
            registry.promote(version, NOW)
    registry.keep("v6", {"model.json": model(version="v7").to_json(), "report.json": b"{}"})
    with pytest.raises(NotPromotable):
        registry.promote("v6", NOW)


def test_what_is_kept_is_never_changed(registry: Registry) -> None:
    version = keep(registry, model(version="v1"))
    with pytest.raises(Conflict):
        registry.keep(version, {"model.json": model(version="v1", intercept=3.0).to_json()})


def test_going_back_to_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    registry = Registry(FolderObjects(tmp_path))
    for version in ("v1", "v2"):
        registry.promote(keep(registry, model(version=version)), NOW)
    (tmp_path / "v1" / "model.json").write_bytes(model(version="v1", intercept=3.0).to_json())
    with pytest.raises(NotPromotable, match="not the promoted one"):
        registry.rollback(NOW)


class _Late:
    """Objects in which somebody else promotes just before this process writes the pointer."""

    def __init__(self, objects: Objects, other: bytes) -> None:
        self._objects = objects
        self._other = other

    def read(self, name: str) -> Stored | None:
        """As it is."""
        return self._objects.read(name)

    def write(self, name: str, content: bytes, generation: int) -> None:
        """Second, where it is about the pointer."""
        if name == POINTER:
            found = self._objects.read(POINTER)
            self._objects.write(POINTER, self._other, found.generation if found else ABSENT)
        self._objects.write(name, content, generation)

    def folders(self) -> list[str]:
        """As they are."""
        return self._objects.folders()


def test_of_two_promotions_at_once_the_second_is_told(registry: Registry) -> None:
    keep(registry, model(version="v1"))
    first = registry.promote("v1", NOW)
    keep(registry, model(version="v2"))
    keep(registry, model(version="v3"))
    other = Pointer(msgspec.structs.replace(first.live, promoted_at="later"), ()).to_json()
    with pytest.raises(Conflict):
        Registry(_Late(registry.objects, other)).promote("v3", NOW)
    live = registry.live()
    assert live is not None
    assert live.version == "v1"
