"""`python -m beam_pipeline.training.train`: examples → model → gate → the live model, or not."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError

from beam_pipeline.domain.score import InvalidModel, Model
from beam_pipeline.edges.bigquery import BigQueryConfig
from beam_pipeline.edges.bigquery_read import QueryFailed, query
from beam_pipeline.edges.objects import Conflict, Unreachable, open_objects
from beam_pipeline.training import inputs
from beam_pipeline.training.assess import Assessed, Task, assess
from beam_pipeline.training.errors import BadInput
from beam_pipeline.training.fitted import read_fitted
from beam_pipeline.training.inputs import Examples
from beam_pipeline.training.learn import learn, parts_at_random, parts_by_time, worths
from beam_pipeline.training.registry import NotPromotable, Registry
from beam_pipeline.training.report import headline
from beam_pipeline.training.split import CannotSplit, Cuts, cut

PROMOTED, BAD_INPUT, REFUSED = 0, 2, 3

ABOUT = """Learn who clicks an offer, judge the model by the gate, and make it live if it passes.

  python -m beam_pipeline.training.train --examples out/training_examples --models models
  python -m beam_pipeline.training.train --bigquery PROJECT.DATASET --models gs://BUCKET/models
  python -m beam_pipeline.training.train --libsvm features.txt --split random --models models

Every version is kept in MODELS/VERSION (model.json, report.json, card.html), passed or refused;
MODELS/current.json names the live one and is changed only by a pass. A random split is for a
report only and never becomes live.

Exit codes: 0 promoted (or, of a report only, every check held), 3 refused, 2 bad input."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].upper()}{message[1:]}")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a training needs from outside, read once in `main`."""

    now: Callable[[], datetime]
    artefacts: str | None
    """AIP_MODEL_DIR, where Vertex AI wants a copy of the files."""


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a date like 2026-03-14 is wanted, not {text}") from None


def parser() -> argparse.ArgumentParser:
    """Every flag."""
    top = _Parser(
        prog="python -m beam_pipeline.training.train",
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    source = top.add_argument_group("examples, from one of").add_mutually_exclusive_group(
        required=True
    )
    source.add_argument(
        "--examples",
        nargs="+",
        metavar="PATH",
        help="Parquet: files, folders or patterns, gs:// too",
    )
    source.add_argument("--bigquery", metavar="PROJECT.DATASET", help="its table training_examples")
    source.add_argument("--libsvm", type=Path, metavar="FILE", help="needs --split random")
    top.add_argument(
        "--models", required=True, metavar="PLACE", help="a folder, or gs://BUCKET/PREFIX"
    )
    top.add_argument("--from", dest="first", type=_date, metavar="DATE",
                     help="the first day (as_of) to take")  # fmt: skip
    top.add_argument("--until", dest="last", type=_date, metavar="DATE",
                     help="the last day (as_of) to take")  # fmt: skip
    top.add_argument("--split", choices=("time", "random"), default="time",
                     help="time, or random for a report only (default time)")  # fmt: skip
    top.add_argument("--seed", type=int, default=1, metavar="N", help="of the random split (1)")
    top.add_argument("--candidate", metavar="FILE",
                     help="judge what Spark fitted on these examples, gs:// too")  # fmt: skip
    top.add_argument("--register", metavar="PROJECT/REGION",
                     help="copy what is promoted to Vertex AI; needs --image")  # fmt: skip
    top.add_argument("--image", metavar="IMAGE", help="the project's image, with its tag")
    top.add_argument("--bigquery-endpoint", metavar="URL", help="an emulator's address")
    top.add_argument("--bigquery-grpc-endpoint", metavar="HOST:PORT", help="an emulator's address")
    return top


def main(arguments: Sequence[str], surroundings: Surroundings) -> int:
    """Train as the command line says; the exit code."""
    try:
        args = parser().parse_args(arguments)
        _check(args)
        registry = Registry(open_objects(args.models))
        assessed = train(args, registry, surroundings.now())
        code = _settle(assessed, registry, surroundings, args.models)
        if code == PROMOTED and args.register and assessed.report.passed:
            _register(assessed.model, args)
        return code
    except (BadInput, QueryFailed, Unreachable) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT


def train(args: argparse.Namespace, registry: Registry, now: datetime) -> Assessed:
    """Read, learn and judge; nothing is written.

    Raises:
        BadInput, QueryFailed, Unreachable: what is wrong with the examples or the models.
    """
    examples, source = _examples(args)
    timed = args.split == "time"
    cuts = _cuts(examples) if timed else Cuts(0, 0)
    parts = parts_by_time(examples, cuts) if timed else parts_at_random(examples, args.seed)
    if args.candidate is None:
        fitted = learn(examples, parts, cuts)
    else:
        fitted = read_fitted(_content(args.candidate))
        same = (fitted.features, fitted.feature_hash, fitted.validate_ms, fitted.test_ms)
        if same != (examples.features, examples.feature_hash, cuts.validate_ms, cuts.test_ms):
            raise BadInput(f"{args.candidate} was fitted on other examples than these")
    live, note = _live(registry, examples)
    task = Task(source, now, timed)
    worth = worths(examples, parts, fitted.regularisation)
    return assess(task, examples, parts, fitted, live, note, worth)


def _settle(assessed: Assessed, registry: Registry, surroundings: Surroundings, models: str) -> int:
    """Keep the version, and promote it if it passed."""
    report = assessed.report
    files = assessed.files()
    registry.keep(report.version, files)
    if surroundings.artefacts:
        _copy(files, surroundings.artefacts)
    if not report.passed and report.outcome == "refused":
        sys.stderr.write(f"gate refused {report.version}\n")
    lines = [headline(report), *(f"  {reason}" for reason in report.reasons)]
    lines.append(f"{models}/{report.version}/report.json and card.html say more")
    sys.stdout.write("\n".join(lines) + "\n")
    if report.outcome == "report only":
        return PROMOTED if all(check.holds for check in report.checks) else REFUSED
    if not report.passed:
        return REFUSED
    try:
        registry.promote(report.version, surroundings.now())
    except (Conflict, NotPromotable, InvalidModel) as error:
        sys.stderr.write(f"{report.version} passed and is not live: {error}\n")
        return REFUSED
    sys.stdout.write(f"{report.version} is live\n")
    return PROMOTED


def _register(model: Model, args: argparse.Namespace) -> None:
    """Copy the live model to where people look for models; without the copy it is no less live."""
    from beam_pipeline.training.vertex import Place, register  # two seconds that few trainings need

    project, region = args.register.split("/")
    bucket = "/".join(args.models.split("/")[:3])
    try:
        register(Place(project, region, bucket), model, args.models.rstrip("/"), args.image)
    except (GoogleAPIError, GoogleAuthError, ValueError) as error:
        sys.stderr.write(f"{model.version} is live and not copied to Vertex AI: {error}\n")


def _check(args: argparse.Namespace) -> None:
    if args.libsvm and args.split == "time":
        raise BadInput("A libsvm file has no time in it: add --split random")
    if args.candidate and args.split == "random":
        raise BadInput("--candidate needs examples that are cut in time")
    if args.register and (args.register.count("/") != 1 or not args.image):
        raise BadInput("--register takes PROJECT/REGION, and --image beside it")
    if args.register and not args.models.startswith("gs://"):
        raise BadInput("--register needs models in a bucket: Vertex AI reads them there")
    if args.bigquery and args.bigquery.count(".") != 1:
        raise BadInput(f"--bigquery takes PROJECT.DATASET, not {args.bigquery}")


def _examples(args: argparse.Namespace) -> tuple[Examples, str]:
    if args.libsvm:
        examples, source = inputs.of_libsvm(args.libsvm), f"the libsvm file {args.libsvm.name}"
    elif args.examples:
        examples = inputs.of_parquet(args.examples, args.first, args.last)
        source = "training_examples in Parquet"
    else:
        project, dataset = args.bigquery.split(".")
        config = BigQueryConfig(
            project, dataset, args.bigquery_endpoint, args.bigquery_grpc_endpoint
        )
        sql, window = inputs.examples_query("training_examples", args.first, args.last)
        examples = inputs.of_frame(query(config, sql, window))
        source = "training_examples in BigQuery"
    if not len(examples):
        raise BadInput(f"There are no examples with features in {source}")
    return examples, source


def _cuts(examples: Examples) -> Cuts:
    try:
        return cut(examples.by_hour())
    except CannotSplit as error:
        raise BadInput(f"These examples cannot be cut in time: {error}") from error


def _live(registry: Registry, examples: Examples) -> tuple[Model | None, str]:
    """The live model where it can score these examples, and what to say of it."""
    try:
        live = registry.live()
    except InvalidModel as error:
        return None, f"the live model cannot be compared: {error}"
    if live is None:
        return None, "no model is live"
    if live.features != examples.features or live.feature_hash != examples.feature_hash:
        return None, f"the live model {live.version} is of other features"
    return live, f"the live model {live.version}"


def _content(place: str) -> bytes:
    """A file's content; a folder's, or gs://."""
    folder, _, name = place.rpartition("/")
    found = open_objects(folder or ".").read(name)
    if found is None:
        raise BadInput(f"There is no file {place}")
    return found.content


def _copy(files: dict[str, bytes], place: str) -> None:
    """Put the files where Vertex AI looks for a job's artefacts."""
    folder = Path("/gcs") / place[5:] if place.startswith("gs://") else Path(place)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    raise SystemExit(
        main(
            sys.argv[1:],
            Surroundings(lambda: datetime.now(UTC), os.environ.get("AIP_MODEL_DIR")),
        )
    )
