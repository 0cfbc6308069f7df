"""The one image: pinned like the project, complete, and laid out so that everything is found."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from beam_pipeline.edges.environment import WORKER
from tests.infra_cloud.recording import INFRA, ROOT, Bench

DOCKERFILE = (INFRA / "dataflow" / "Dockerfile").read_text()
PIN = re.compile(r"^apache-beam(?:\[gcp\])?==(\S+)$", re.MULTILINE)


def stage(bench: Bench, what: str) -> Path:
    environment = bench.environment("all", bench.folder / "stage-log", bench.settings({}))
    script = f'source "{INFRA}/lib.sh"\nsource "{INFRA}/stage.sh"\nbegin\n{what}'
    done = subprocess.run(
        ["bash", "-c", script],
        env=environment | {"ENCORE_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.strip())


def test_the_images_beam_is_the_projects_beam() -> None:
    tag = re.search(r"^ARG BEAM=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert tag
    pins = [
        PIN.search((ROOT / name).read_text()) for name in ("requirements.in", "requirements.txt")
    ]
    assert [pin and pin[1] for pin in pins] == [tag[1], tag[1]]
    assert "apache/beam_python3.12_sdk:${BEAM}" in DOCKERFILE


def test_sdk_launcher_image_and_functions_are_of_one_python() -> None:
    versions = set(re.findall(r"(?:beam_python|python:)(3\.\d+)", DOCKERFILE))
    versions |= {f"3.{minor}" for minor in re.findall(r"python3(\d\d)-template", DOCKERFILE)}
    runtime = re.search(r"--runtime=python3(\d\d)", (INFRA / "12-functions.sh").read_text())
    assert runtime
    assert versions == {f"3.{runtime[1]}"}


def test_the_image_holds_what_it_runs_and_installs_what_that_needs(bench: Bench) -> None:
    folder = stage(bench, "stage_image")
    wanted = (folder / "requirements.in").read_text().splitlines()
    assert {"apache-beam[gcp]==2.77.0", "redis==8.1.0"} <= set(wanted)
    assert any(line.startswith("scikit-learn==") for line in wanted)
    assert not [line for line in wanted if line.startswith(("pytest", "playwright", "twilio"))]
    assert list(folder.rglob("__pycache__")) == []
    assert (folder / "constraints.txt").read_text() == (ROOT / "requirements.txt").read_text()
    script = (
        "import beam_pipeline.main, beam_pipeline.daily, beam_pipeline.reference;"
        "import beam_pipeline.training.train, infra.dataflow.launch, infra.dataflow.snapshots;"
        "import infra, sys; sys.stdout.write(infra.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == str(folder / "infra" / "__init__.py")


@pytest.mark.parametrize("script", ["indices.py", "snapshots.py", "guards.py", "launch.py"])
def test_the_images_programs_start_by_their_path(script: str, bench: Bench) -> None:
    folder = stage(bench, "stage_image")
    done = subprocess.run(
        [sys.executable, folder / "infra" / "dataflow" / script, "--help"],
        env={"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 2}
    assert "Traceback" not in done.stderr


FUNCTIONS = sorted(main.parent.name for main in ROOT.glob("functions/*/main.py"))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_staged_function_can_be_imported_from_its_folder_alone(name: str, bench: Bench) -> None:
    folder = stage(bench, f"stage_function {name}")
    assert (folder / "requirements.txt").is_file()
    if name == "board":
        charts = folder / "functions" / "board" / "static" / "vega.js"
        assert charts.stat().st_size > 100_000
    script = f"import main, functions; assert callable(main.{name}); print(functions.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(folder / "functions" / "__init__.py")


def test_every_inner_loop_is_compiled_in_the_image() -> None:
    """By the import at the end of the Dockerfile: a worker that starts has nothing to compile."""
    imported = re.search(r'^RUN .*python -c "(import \S+)"$', DOCKERFILE, re.MULTILINE)
    assert imported
    compiled = "from beam_pipeline.domain.compiled import"
    loops = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "beam_pipeline").rglob("*.py")
        if compiled in path.read_text()
    }
    done = subprocess.run(
        [sys.executable, "-c", f"{imported[1]}; import sys; print(*sys.modules)"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert loops - set(done.stdout.split()) == set()


def test_workers_find_in_the_image_the_environment_that_they_find_here() -> None:
    for name, value in WORKER.items():
        assert re.search(rf"^\s+{name}={value} \\$", DOCKERFILE, re.MULTILINE), name
