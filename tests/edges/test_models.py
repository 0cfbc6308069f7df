"""The live model for those who score: found, swapped, and kept when the next one is broken."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from beam_pipeline.domain.score import InvalidModel, Model
from beam_pipeline.edges.models import (
    POINTER,
    CurrentModel,
    ModelsConfig,
    Pointer,
    Promotion,
    model_name,
    read_promoted,
)
from beam_pipeline.edges.objects import ABSENT, FolderObjects
from tests.domain.test_score import model


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.seconds


def promote(objects: FolderObjects, one: Model, content: bytes | None = None) -> None:
    """Make a model live, or what `content` says in its place."""
    written = one.to_json() if content is None else content
    objects.write(model_name(one.version), written, ABSENT)
    digest = hashlib.sha256(written).hexdigest()
    point(objects, Pointer(Promotion(one.version, digest, "2026-03-15T00:00:00Z")).to_json())


def point(objects: FolderObjects, content: bytes) -> None:
    """Replace the pointer."""
    found = objects.read(POINTER)
    objects.write(POINTER, content, found.generation if found else ABSENT)


def test_there_is_no_model_before_the_first_promotion_and_that_is_no_problem(
    tmp_path: Path,
) -> None:
    current = ModelsConfig(str(tmp_path)).open()
    assert current.get() is None
    assert current.problem is None


def test_a_promotion_is_seen_ten_seconds_after_the_last_look(tmp_path: Path) -> None:
    objects, clock = FolderObjects(tmp_path), Clock()
    current = CurrentModel(objects, clock)
    first, second = model(version="v1"), model(version="v2", intercept=2.0)
    promote(objects, first)
    assert current.get() == first
    promote(objects, second)
    clock.seconds += 9.9
    assert current.get() == first
    clock.seconds += 0.2
    assert current.get() == second


@pytest.mark.parametrize(
    "content",
    [
        b"",
        model(version="v2").to_json()[:-40],
        model(version="v2", feature_hash="0" * 16).to_json(),
        model(version="v9").to_json(),
        b"\x80\x04\x95pickle",
    ],
)
def test_a_broken_or_foreign_model_leaves_the_last_good_one(tmp_path: Path, content: bytes) -> None:
    objects, clock = FolderObjects(tmp_path), Clock()
    current = CurrentModel(objects, clock)
    good = model(version="v1")
    promote(objects, good)
    assert current.get() == good
    promote(objects, model(version="v2"), content)
    clock.seconds += 11
    assert current.get() == good
    assert current.problem
    promote(objects, model(version="v3"))
    clock.seconds += 11
    assert current.get() == model(version="v3")
    assert current.problem is None


def test_a_broken_or_vanished_pointer_leaves_the_last_good_model(tmp_path: Path) -> None:
    objects, clock = FolderObjects(tmp_path), Clock()
    current = CurrentModel(objects, clock)
    promote(objects, model(version="v1"))
    assert current.get() is not None
    for content in (b"{", b'{"live": "v1"}', b"[]"):
        point(objects, content)
        clock.seconds += 11
        assert current.get() == model(version="v1")
        assert current.problem
    (tmp_path / POINTER).unlink()
    clock.seconds += 11
    assert current.get() == model(version="v1")


def test_a_model_file_that_was_changed_after_its_promotion_is_not_used(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    promote(objects, model(version="v1"))
    file = tmp_path / "v1" / "model.json"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    file.write_bytes(model(version="v1", intercept=9.0).to_json())
    with pytest.raises(InvalidModel, match="not the promoted one"):
        read_promoted(objects, Promotion("v1", digest, ""))
