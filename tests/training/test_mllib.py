"""The Spark trainer agrees with scikit-learn, and the same gate judges it.

Needs pyspark: in this environment, or in `.local/spark-venv` (make test-spark makes it).
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from beam_pipeline.training.fitted import Fitted, Numbers, read_fitted
from beam_pipeline.training.inputs import of_frame
from beam_pipeline.training.learn import learn, parts_by_time
from beam_pipeline.training.split import cut
from beam_pipeline.training.train import BAD_INPUT, PROMOTED
from infra.local.paths import ROOT, SPARK_VENV
from infra.local.services import java_home
from tests.training.synthetic import crowd
from tests.training.test_train import Workshop

SPARK = SPARK_VENV / "bin" / "python"
_PYTHON = sys.executable if importlib.util.find_spec("pyspark") else str(SPARK)

pytestmark = pytest.mark.skipif(
    not Path(_PYTHON).exists(), reason="pyspark is not installed: make test-spark"
)

_JAVA = """#!/bin/sh
# Spark asks for a module that this runtime leaves out and that it works without.
for word do
  shift
  [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec "{home}/bin/java" "$@"
"""


def submit(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Run the trainer on two local cores, on the project's own Java."""
    java = folder / "java" / "bin" / "java"
    java.parent.mkdir(parents=True, exist_ok=True)
    java.write_text(_JAVA.format(home=java_home()))
    java.chmod(0o755)
    settings = {
        "spark.master": "local[2]",
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "2",
    }
    words = " ".join(f"--conf {name}={value}" for name, value in settings.items())
    environment = {
        **os.environ,
        "JAVA_HOME": str(java.parents[1]),
        "PYTHONPATH": str(ROOT),
        "PYSPARK_PYTHON": _PYTHON,
        "PYSPARK_SUBMIT_ARGS": f"{words} pyspark-shell",
    }
    return subprocess.run(
        [_PYTHON, str(ROOT / "beam_pipeline" / "training" / "mllib.py"), *flags],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


def gap(one: Numbers, other: Numbers) -> float:
    """The largest difference of two fits' numbers."""
    return max(
        float(np.abs(np.array(getattr(one, name)) - np.array(getattr(other, name))).max())
        for name in ("mean", "scale", "coefficients", "intercept")
    )


def by_scikit_learn(frame: pl.DataFrame) -> Fitted:
    """What the other trainer makes of the same examples."""
    examples = of_frame(frame)
    cuts = cut(examples.by_hour())
    return learn(examples, parts_by_time(examples, cuts), cuts)


def test_both_trainers_agree_within_a_millionth_and_the_gate_takes_either(tmp_path: Path) -> None:
    workshop = Workshop(tmp_path)
    known = crowd(n=6_000)
    chosen = pl.Series([i % 10 == 0 for i in range(6_000)])
    frame = known.frame.with_columns(
        explore=pl.when(chosen).then(pl.lit(value=False)).otherwise("explore"),
        night_share=pl.when(pl.col("customer_id") == 1).then(None).otherwise("night_share"),
    )
    examples = tmp_path / "examples.parquet"
    frame.write_parquet(examples)
    candidate = tmp_path / "candidate.json"
    done = submit(tmp_path, "--examples", str(examples), "--candidate", str(candidate))
    assert done.returncode == 0, done.stderr[-3_000:]
    ours, theirs = by_scikit_learn(frame), read_fitted(candidate.read_bytes())
    assert theirs.trainer.startswith("Spark MLlib")
    assert (theirs.validate_ms, theirs.test_ms) == (ours.validate_ms, ours.test_ms)
    assert theirs.regularisation == ours.regularisation
    gaps = [gap(ours.chosen, theirs.chosen), gap(ours.final, theirs.final)]
    print(f"largest difference of a number of the two trainers' fits: {max(gaps):.1e}")
    assert max(gaps) < 1e-6
    for one, other in zip(ours.losses, theirs.losses, strict=True):
        assert one.log_loss == pytest.approx(other.log_loss, abs=1e-7)
    flags = ("--examples", str(examples), "--candidate", str(candidate))
    assert workshop.run(*flags) == PROMOTED
    assert workshop.report().trainer == theirs.trainer
    crowd(n=6_000, seed=9, days=10).frame.write_parquet(examples)
    assert workshop.run(*flags) == BAD_INPUT


def test_bad_input_gives_one_sentence_and_exit_code_2(tmp_path: Path) -> None:
    done = submit(tmp_path, "--examples", str(tmp_path / "absent"), "--candidate", "c.json")
    assert done.returncode == 2
    assert "absent" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "c.json").exists()
    done = submit(tmp_path, "--examples", "x", "--candidate", "c.json", "--until", "soon")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "Argument --until: a date like 2026-03-14 is wanted, not soon"
    ]
