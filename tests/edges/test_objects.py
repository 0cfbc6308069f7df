"""Shared small files: the same promises from a folder and from a bucket."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage

from beam_pipeline.edges.fake_storage import FakeStorage
from beam_pipeline.edges.objects import (
    ABSENT,
    BucketObjects,
    Conflict,
    FolderObjects,
    Objects,
    Unreachable,
)


def bucket_of(fake: FakeStorage) -> storage.Bucket:
    """The official client's bucket `encore`, at the fake."""
    client = storage.Client(
        project="encore-local",
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": fake.url},
    )
    return client.bucket("encore")


@pytest.fixture(params=["folder", "bucket"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    """One of each kind."""
    if request.param == "folder":
        yield FolderObjects(tmp_path / "models")
        return
    with FakeStorage("encore") as fake:
        yield BucketObjects(bucket_of(fake), "some/models")
        assert fake.refused == [], "the client asked for something else"


def test_a_file_is_read_as_it_was_written(objects: Objects) -> None:
    assert objects.read("v1/model.json") is None
    objects.write("v1/model.json", b'{"a": 1}', ABSENT)
    found = objects.read("v1/model.json")
    assert found is not None
    assert found.content == b'{"a": 1}'
    assert found.generation != ABSENT


def test_a_file_that_is_there_is_not_created_again(objects: Objects) -> None:
    objects.write("v1/model.json", b"first", ABSENT)
    with pytest.raises(Conflict):
        objects.write("v1/model.json", b"second", ABSENT)
    found = objects.read("v1/model.json")
    assert found is not None
    assert found.content == b"first"


def test_of_two_writers_that_read_the_same_only_one_writes(objects: Objects) -> None:
    objects.write("current.json", b"0", ABSENT)
    found = objects.read("current.json")
    assert found is not None
    objects.write("current.json", b"1", found.generation)
    with pytest.raises(Conflict):
        objects.write("current.json", b"2", found.generation)
    again = objects.read("current.json")
    assert again is not None
    assert again.content == b"1"


def test_a_crowd_of_writers_loses_no_write(objects: Objects) -> None:
    objects.write("count", b"0", ABSENT)

    def add_one() -> None:
        while True:
            found = objects.read("count")
            assert found is not None
            try:
                objects.write("count", b"%d" % (int(found.content) + 1), found.generation)
            except Conflict:
                continue
            return

    threads = [threading.Thread(target=add_one) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = objects.read("count")
    assert found is not None
    assert found.content == b"6"


def test_folders_are_the_first_parts_of_names(objects: Objects) -> None:
    assert objects.folders() == []
    for name in ("b/model.json", "a/model.json", "a/report.json", "current.json"):
        objects.write(name, b"x", ABSENT)
    assert objects.folders() == ["a", "b"]


def test_a_retry_that_meets_its_own_first_try_has_succeeded() -> None:
    lost = iter([True, False])
    with FakeStorage("encore") as fake:
        objects = BucketObjects(bucket_of(fake), "m")
        fake.lose_answer = lambda name: next(lost)
        objects.write("current.json", b"mine", ABSENT)
        found = objects.read("current.json")
        assert found is not None
        assert found.content == b"mine"
        assert fake.refused == []
        fake.put("encore", "m/other.json", b"mine")
        with pytest.raises(Conflict):
            objects.write("other.json", b"mine", ABSENT)


def test_a_bucket_that_refuses_is_unreachable() -> None:
    with FakeStorage() as fake:
        objects = BucketObjects(bucket_of(fake), "m")
        with pytest.raises(Unreachable):
            objects.write("current.json", b"x", ABSENT)
        assert objects.read("current.json") is None


def test_a_folder_that_cannot_be_made_is_unreachable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unreachable):
        FolderObjects(tmp_path / "file").write("v1/model.json", b"x", ABSENT)
    assert FolderObjects(tmp_path / "file").read("v1/model.json") is None


def test_a_half_written_file_is_never_seen(tmp_path: Path) -> None:
    objects = FolderObjects(tmp_path)
    contents = [bytes([65 + i]) * 200_000 for i in range(8)]
    objects.write("current.json", contents[0], ABSENT)
    seen = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add((tmp_path / "current.json").read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for content in contents[1:]:
        found = objects.read("current.json")
        assert found is not None
        objects.write("current.json", content, found.generation)
    done.set()
    reader.join()
    assert seen <= set(contents)
