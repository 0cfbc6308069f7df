"""Training on Spark: what the batch is given suffices, and what it fitted is what is judged."""

from __future__ import annotations

import ast
import zipfile
from datetime import UTC, datetime, timedelta

from beam_pipeline.training import train
from tests.infra_cloud.recording import PROJECT, ROOT, Bench, Recording

MLLIB = ROOT / "beam_pipeline" / "training" / "mllib.py"


def flag(words: list[str], name: str) -> str:
    """The value of a flag, `name` with its dashes."""
    (value,) = (word.partition("=")[2] for word in words if word.startswith(f"{name}="))
    return value


def test_the_job_that_judges_reads_what_the_batch_fitted_on_examples_to_the_same_day(
    recordings: dict[str, Recording],
) -> None:
    commands = recordings["train mllib"].commands
    batch = next(command for command in commands if "pyspark" in command)
    judge = next(command for command in commands if "custom-jobs" in command)
    given = flag(judge, "--args").split(",")
    assert given[:2] == ["-m", "beam_pipeline.training.train"]
    args = train.parser().parse_args(given[2:])
    own = batch[batch.index("--") + 1 :]
    assert commands.index(batch) < commands.index(judge)
    assert args.candidate == flag(own, "--candidate")
    assert args.candidate.startswith("gs://")
    assert args.bigquery == flag(own, "--bigquery") == f"{PROJECT}.encore"
    assert str(args.last) == flag(own, "--until")
    assert args.last >= datetime.now(UTC).date() - timedelta(days=2)


def test_the_batch_is_given_every_module_of_ours_that_it_imports(
    bench: Bench, recordings: dict[str, Recording]
) -> None:
    batch = next(command for command in recordings["train mllib"].commands if "pyspark" in command)
    assert flag(batch, "--py-files").endswith("/encore.zip")
    with zipfile.ZipFile(bench.folder / "build" / "mllib" / "encore.zip") as zipped:
        names = {name for name in zipped.namelist() if not name.endswith("/")}
    wanted = {
        f"{node.module.replace('.', '/')}.py"
        for node in ast.walk(ast.parse(MLLIB.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("beam_")
    }
    packages = {"beam_pipeline/__init__.py", "beam_pipeline/training/__init__.py"}
    assert names == wanted | packages
