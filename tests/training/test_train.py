"""The training command: what it promotes, refuses and turns away, and what it leaves behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from beam_pipeline.domain.score import matrix, read_model, score
from beam_pipeline.edges.models import ModelsConfig
from beam_pipeline.training import rollback
from beam_pipeline.training.report import Report
from beam_pipeline.training.train import BAD_INPUT, PROMOTED, REFUSED, Surroundings, main
from tests.training.synthetic import AFTER, BEFORE, START, Crowd, crowd

ORIGINAL = Path(__file__).parents[3] / "shared" / "data" / "features.txt"

PICKLING = re.compile(r"^\s*(import|from) (pickle|cloudpickle|dill|joblib|marshal|shelve)\b", re.M)


class Workshop:
    """A folder to train in, with a clock that goes on by a minute each time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.models = root / "models"
        self.now = datetime(2026, 3, 20, tzinfo=UTC)
        self.artefacts: str | None = None

    def write(self, *crowds: Crowd) -> Path:
        """The examples of crowds as one Parquet file."""
        file = self.root / "examples.parquet"
        pl.concat([one.frame for one in crowds]).write_parquet(file)
        return file

    def train(self, *crowds: Crowd, flags: tuple[str, ...] = ()) -> int:
        """Train on crowds; the exit code."""
        return self.run("--examples", str(self.write(*crowds)), *flags)

    def run(self, *flags: str) -> int:
        """Run the command; the exit code."""
        self.now += timedelta(minutes=1)
        surroundings = Surroundings(lambda: self.now, self.artefacts)
        return main(["--models", str(self.models), *flags], surroundings)

    def report(self) -> Report:
        """The newest report."""
        newest = sorted(self.models.glob("*/report.json"))[-1]
        return msgspec.json.decode(newest.read_bytes(), type=Report)

    def live(self) -> str | None:
        """The version that current.json names."""
        pointer = self.models / "current.json"
        return json.loads(pointer.read_text())["live"]["version"] if pointer.exists() else None


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """An empty one."""
    return Workshop(tmp_path)


def test_a_good_model_is_promoted_and_comes_near_the_bayes_error(workshop: Workshop) -> None:
    known = crowd(n=8_000, bayes_error=0.06)
    assert workshop.train(known) == PROMOTED
    report = workshop.report()
    assert report.passed
    assert report.outcome == "passed"
    assert report.reasons == ()
    assert workshop.live() == report.version
    assert report.model.error is not None
    assert abs(report.model.error - known.bayes_error) < 0.012
    model = ModelsConfig(str(workshop.models)).open().get()
    assert model is not None
    assert model.version == report.version
    frame = known.frame
    gap = score(model, matrix(frame, model.features)) - known.propensity
    assert np.abs(gap).mean() < 0.02


def test_every_check_stands_in_the_report_with_its_figure_and_its_bound(workshop: Workshop) -> None:
    workshop.train(crowd())
    told = json.loads(next(workshop.models.glob("*/report.json")).read_text())
    assert [check["name"] for check in told["checks"]] == [
        "test examples",
        "test clicks",
        "test non-clicks",
        "error, upper bound",
        "error saved over the majority class, lower bound",
        "Brier skill",
        "AUC",
        "calibration error",
        "mean score / base rate",
        "log loss over the live model, upper bound",
    ]
    for check in told["checks"][:-1]:
        assert check["figure"] is not None
        assert {check["above"], check["least"], check["most"]} != {None}


def test_a_bayes_error_above_10_percent_is_refused_and_kept_with_its_reason(
    workshop: Workshop,
) -> None:
    assert workshop.train(crowd(n=8_000, bayes_error=0.12)) == REFUSED
    report = workshop.report()
    assert workshop.live() is None
    assert not report.passed
    assert any(reason.startswith("error, upper bound is 0.1") for reason in report.reasons)
    kept = {file.name for file in (workshop.models / report.version).iterdir()}
    assert kept == {"model.json", "report.json", "card.html"}


def test_noise_a_single_class_and_too_few_examples_are_refused(workshop: Workshop) -> None:
    noise = crowd(bayes_error=0.06)
    shuffled = noise.frame.with_columns(clicked=noise.frame["clicked"].shuffle(seed=1))
    assert workshop.train(Crowd(shuffled, noise.propensity)) == REFUSED
    never = Crowd(noise.frame.with_columns(clicked=pl.lit(value=False)), noise.propensity)
    assert workshop.train(never) == REFUSED
    assert workshop.train(crowd(n=2_000)) == REFUSED
    assert workshop.report().reasons[0].startswith("test examples is 594 ")
    assert workshop.live() is None


def test_after_a_drift_a_retrain_on_new_examples_repairs_the_error(workshop: Workshop) -> None:
    before = crowd(n=6_000, seed=1, weights=BEFORE)
    drift = START + timedelta(days=14)
    after = crowd(n=6_000, seed=2, weights=AFTER, start=drift)
    assert workshop.train(before) == PROMOTED
    old = ModelsConfig(str(workshop.models)).open().get()
    assert old is not None
    days = after.frame.with_columns(
        wrong=pl.Series(score(old, matrix(after.frame, old.features)) >= old.threshold)
        != pl.col("clicked")
    )
    assert days["wrong"].mean() > 0.25  # type: ignore[operator]
    recent = ("--from", f"{drift:%Y-%m-%d}")
    assert workshop.train(before, after, flags=recent) == PROMOTED
    report = workshop.report()
    assert report.live_version == old.version
    assert report.live is not None
    assert report.live.error is not None
    assert report.model.error is not None
    assert report.live.error > 0.25
    assert report.model.error < 0.08


def test_a_model_worse_than_the_live_one_is_refused_and_the_live_one_stays(
    workshop: Workshop,
) -> None:
    known = crowd(n=12_000, bayes_error=0.05)
    assert workshop.train(known) == PROMOTED
    live = workshop.live()
    rng = np.random.default_rng(1)
    worn = known.frame.with_columns(
        clicked=pl.when(
            (pl.col("shown_at") < START + timedelta(days=9.5))
            & pl.Series(rng.random(known.frame.height) < 0.12)
        )
        .then(~pl.col("clicked"))
        .otherwise("clicked")
    )
    assert workshop.train(Crowd(worn, known.propensity)) == REFUSED
    assert workshop.live() == live
    assert any("over the live model" in reason for reason in workshop.report().reasons)


def test_training_again_on_the_same_examples_passes_as_no_worse(workshop: Workshop) -> None:
    known = crowd()
    assert workshop.train(known) == PROMOTED
    assert workshop.train(known) == PROMOTED
    pointer = json.loads((workshop.models / "current.json").read_text())
    assert len(pointer["before"]) == 1


def test_rollback_is_one_command_and_goes_back_one_promotion(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--models", str(workshop.models)]
    assert rollback.main(flags, workshop.now) == 2
    assert "no earlier version" in capsys.readouterr().err
    workshop.train(crowd())
    first = workshop.live()
    workshop.train(crowd())
    assert workshop.live() != first
    assert rollback.main(flags, workshop.now) == 0
    assert workshop.live() == first
    assert rollback.main(flags, workshop.now) == 2


@pytest.mark.skipif(not ORIGINAL.exists(), reason="the original data are not here")
@pytest.mark.parametrize("seed", range(1, 6))
def test_the_original_data_are_learnt_to_an_error_of_1_1_percent(
    workshop: Workshop, seed: int
) -> None:
    flags = ("--libsvm", str(ORIGINAL), "--split", "random", "--seed", str(seed))
    assert workshop.run(*flags) == 0
    report = workshop.report()
    assert report.model.error is not None
    assert report.model.error <= 0.011
    assert [part.examples for part in report.parts] == [2500, 1000, 3500, 1500]
    assert report.outcome == "report only"
    assert not report.passed
    assert workshop.live() is None


def test_a_random_split_is_never_promoted(workshop: Workshop) -> None:
    assert workshop.train(crowd(), flags=("--split", "random")) == 0
    assert workshop.report().outcome == "report only"
    assert workshop.live() is None


def test_bad_input_gives_one_sentence_and_exit_code_2(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    foreign = crowd().frame.with_columns(feature_hash=pl.lit("0123456789abcdef"))
    (tmp_path / "text.parquet").write_text("not parquet")
    (tmp_path / "text.libsvm").write_text("1 one:two\n")
    foreign.write_parquet(tmp_path / "foreign.parquet")
    foreign.drop("clicked").write_parquet(tmp_path / "short.parquet")
    foreign.head(0).write_parquet(tmp_path / "none.parquet")
    crowd(days=0.1).frame.write_parquet(tmp_path / "quick.parquet")
    for flags, words in (
        (("--examples", str(tmp_path / "absent.parquet")), "no Parquet files"),
        (("--examples", str(tmp_path / "text.parquet")), "Cannot read examples"),
        (("--examples", str(tmp_path / "foreign.parquet")), "build them again"),
        (("--examples", str(tmp_path / "short.parquet")), "lack the column clicked"),
        (("--examples", str(tmp_path / "none.parquet")), "no examples"),
        (("--examples", str(tmp_path / "quick.parquet")), "cannot be cut in time"),
        (("--libsvm", str(tmp_path / "text.libsvm"), "--split", "random"), "Cannot read"),
        (("--libsvm", str(tmp_path / "absent"), "--split", "random"), "Cannot read"),
        (("--libsvm", "x"), "add --split random"),
        (("--bigquery", "nowhere"), "PROJECT.DATASET"),
        (("--examples", "x", "--register", "project/region"), "and --image beside it"),
        (("--examples", "x", "--register", "p/r", "--image", "i"), "models in a bucket"),
        (("--examples", "x", "--wrong"), "Unrecognized arguments"),
        ((), "required"),
    ):
        assert workshop.run(*flags) == BAD_INPUT
        told = capsys.readouterr()
        assert words in told.err
        assert told.err.count("\n") == 1
        assert told.out == ""
    assert not workshop.models.exists()


def test_a_broken_pointer_is_never_written_over(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.models.mkdir()
    pointer = workshop.models / "current.json"
    pointer.write_text('{"live": ')
    assert workshop.train(crowd()) == REFUSED
    assert "is no pointer" in capsys.readouterr().err
    assert pointer.read_text() == '{"live": '


def test_vertex_finds_a_copy_of_the_files_where_it_looks(workshop: Workshop) -> None:
    workshop.artefacts = str(workshop.root / "aip" / "model")
    assert workshop.train(crowd()) == PROMOTED
    copied = (workshop.root / "aip" / "model" / "model.json").read_bytes()
    assert read_model(copied).version == workshop.live()


def test_nothing_that_is_written_is_a_pickle(workshop: Workshop) -> None:
    workshop.train(crowd())
    for file in workshop.models.rglob("*"):
        if file.is_file() and file.name != ".lock":
            assert file.suffix in {".json", ".html"}
            file.read_text("utf-8")
    for room in ("beam_pipeline", "functions", "infra", "simulator"):
        for code in (Path(__file__).parents[2] / room).rglob("*.py"):
            assert not PICKLING.search(code.read_text()), code


def test_the_command_runs_as_a_stranger_would_run_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "beam_pipeline.training.train"]
    helped = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True)
    assert "Exit codes" in helped.stdout
    crowd().frame.write_parquet(tmp_path / "examples.parquet")
    flags = ["--examples", str(tmp_path), "--models", str(tmp_path / "models")]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, check=False)
    assert done.returncode == PROMOTED, done.stderr
    assert done.stdout.rstrip().endswith("is live")
    assert "has passed: error" in done.stdout
