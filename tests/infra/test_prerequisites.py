"""What a machine lacks is said in one sentence, with what to install."""

import hashlib
import os
import sys
from pathlib import Path

import pytest

from infra.local import jars, pythons
from infra.local.errors import MissingPrerequisite, SetupFailed
from infra.local.services import pubsub_emulator

HERE = (sys.version_info.major, sys.version_info.minor)


def program(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine with an empty PATH and home."""
    return {"PATH": str(tmp_path / "bin"), "HOME": str(tmp_path)}


def test_no_gcloud_says_to_install_it(bare: dict[str, str]) -> None:
    with pytest.raises(MissingPrerequisite, match="install the Google Cloud CLI"):
        pubsub_emulator(bare)


def test_a_gcloud_without_the_emulator_says_which_component_is_missing(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    program(tmp_path / "bin" / "gcloud", f"echo {tmp_path}")
    with pytest.raises(MissingPrerequisite, match="gcloud components install beta pubsub-emulator"):
        pubsub_emulator(bare)


def test_the_emulator_is_found_where_gcloud_says_its_root_is(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    emulator = tmp_path / "sdk" / "platform" / "pubsub-emulator" / "bin" / "cloud-pubsub-emulator"
    program(emulator, "")
    program(tmp_path / "bin" / "gcloud", f"echo {tmp_path}/sdk")
    assert pubsub_emulator(bare) == emulator


def test_no_python_for_the_bigquery_emulator_says_which_to_install(bare: dict[str, str]) -> None:
    with pytest.raises(MissingPrerequisite, match=r"needs Python 3\.13 or 3\.14"):
        pythons.bigquery_python(bare)


def test_no_python_for_the_project_says_which_to_install(bare: dict[str, str]) -> None:
    with pytest.raises(MissingPrerequisite, match=r"No usable Python 3\.12"):
        pythons.project_python(bare)


def test_a_shim_that_does_not_run_is_passed_over_for_the_version_behind_it(tmp_path: Path) -> None:
    name = f"python{HERE[0]}.{HERE[1]}"
    program(tmp_path / "pyenv" / "shims" / name, "echo 'command not found' >&2; exit 127")
    real = tmp_path / "pyenv" / "versions" / f"{HERE[0]}.{HERE[1]}.9" / "bin" / name
    program(real, f'exec {sys.executable} "$@"')
    found = pythons.find([HERE], {"PATH": str(tmp_path / "pyenv" / "shims"), "HOME": "/nowhere"})
    assert found is not None
    assert found.version == HERE
    assert found.path == Path(sys.executable)


def test_a_python_of_another_version_than_its_name_says_is_passed_over(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "python3.99", f'exec {sys.executable} "$@"')
    assert pythons.find([(3, 99)], {"PATH": str(tmp_path / "bin"), "HOME": "/nowhere"}) is None


def test_versions_are_tried_in_the_order_given() -> None:
    found = pythons.find([(2, 99), HERE], os.environ)
    assert found is not None
    assert found.version == HERE


def test_a_jar_that_is_not_byte_for_byte_the_listed_one_is_refused(tmp_path: Path) -> None:
    jar = tmp_path / "a.jar"
    jar.write_bytes(b"good")
    wanted = {"a.jar": hashlib.sha256(b"good").hexdigest()}
    jars.verify([jar], wanted)
    jar.write_bytes(b"evil")
    with pytest.raises(SetupFailed, match=r"a\.jar has another sha256"):
        jars.verify([jar], wanted)


def test_a_jar_too_few_or_too_many_is_refused(tmp_path: Path) -> None:
    jar = tmp_path / "a.jar"
    jar.write_bytes(b"good")
    with pytest.raises(SetupFailed, match=r"a\.jar is not on the list"):
        jars.verify([jar], {})
    with pytest.raises(SetupFailed, match=r"b\.jar is missing"):
        jars.verify([], {"b.jar": "0"})


def test_the_committed_list_names_elasticsearch_and_its_transport() -> None:
    listed = jars.read_checksums(jars.CHECKSUMS)
    assert f"elasticsearch-{jars.VERSION}.jar" in listed
    assert f"transport-netty4-{jars.VERSION}.jar" in listed
    assert all(len(digest) == 64 for digest in listed.values())
