"""Spark MLlib's logistic regression on the same examples, in the same terms as scikit-learn's.

    spark-submit mllib.py --examples DIR… --candidate FILE
    gcloud dataproc batches submit pyspark mllib.py --py-files=encore.zip … -- \
        --bigquery=PROJECT.DATASET --candidate=gs://BUCKET/candidate.json

Fits, and chooses the regularisation by time; what it fitted is written as a candidate, which the
gate judges on the same examples: `python -m beam_pipeline.training.train --candidate FILE`.
Needs nothing but pyspark and `beam_pipeline.training.split`. Exit codes: 0 done, 2 bad input.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NoReturn

from pyspark import __version__
from pyspark.errors import AnalysisException
from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import StandardScaler, VectorAssembler
from pyspark.ml.functions import vector_to_array
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - as all of Spark's documentation has it

from beam_pipeline.training.split import HOUR_MS, CannotSplit, Cuts, cut

REGULARISATIONS = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
NO_FEATURES = frozenset(
    {
        "shown_event_id",
        "customer_id",
        "ad",
        "shown_at",
        "as_of",
        "clicked",
        "explore",
        "feature_hash",
    }
)
"""The columns of training_examples that a model does not look at."""

_LEAST = 1e-15


class BadInput(Exception):
    """The examples cannot be used; the text says why."""


@dataclass(frozen=True)
class Fit:
    """A fitted regression on (x - mean) / scale."""

    mean: list[float]
    scale: list[float]
    coefficients: list[float]
    intercept: float


def main(arguments: Sequence[str]) -> int:
    """Fit as the command line says; the exit code."""
    try:
        args = parser().parse_args(arguments)
    except BadInput as error:
        sys.stderr.write(f"{error}\n")
        return 2
    spark = SparkSession.builder.appName("encore-mllib").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    try:
        candidate = fit_candidate(_read(spark, args))
    except (BadInput, CannotSplit, AnalysisException) as error:
        sys.stderr.write(f"{str(error).splitlines()[0]}\n")
        return 2
    else:
        _write(spark, args.candidate, json.dumps(candidate))
        sys.stdout.write(f"{args.candidate} is fitted: the gate judges it\n")
        return 0
    finally:
        spark.stop()


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].upper()}{message[1:]}")


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a date like 2026-03-14 is wanted, not {text}") from None


def parser() -> argparse.ArgumentParser:
    """Every flag."""
    top = _Parser(
        prog="mllib.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    source = top.add_mutually_exclusive_group(required=True)
    source.add_argument("--examples", nargs="+", metavar="PATH", help="Parquet files or folders")
    source.add_argument("--bigquery", metavar="PROJECT.DATASET", help="its table training_examples")
    top.add_argument("--candidate", required=True, metavar="FILE", help="local, or gs://")
    top.add_argument("--from", dest="first", type=_date, default=date(1970, 1, 1),
                     metavar="DATE", help="the first day (as_of) to take")  # fmt: skip
    top.add_argument("--until", dest="last", type=_date, default=date(9999, 12, 31),
                     metavar="DATE", help="the last day (as_of) to take")  # fmt: skip
    return top


def fit_candidate(frame: DataFrame) -> dict[str, Any]:
    """The candidate of training_examples, as `fitted.Fitted` reads it.

    Raises:
        BadInput: there are no examples, or they are of several feature definitions.
        CannotSplit: they lie too close in time.
    """
    names = [name for name in frame.columns if name not in NO_FEATURES]
    hashes = [row[0] for row in frame.select("feature_hash").distinct().collect() if row[0]]
    if len(hashes) != 1:
        raise BadInput(f"One feature definition is wanted, there are {len(hashes)}")
    examples = _usable(frame, names).cache()
    cuts = cut(_by_hour(examples))
    shown = F.col("shown_ms")
    before = _scaled(examples.where(shown < cuts.fit_end_ms), names)
    between = examples.where(_between(cuts)).cache()
    tried = [(value, _fit(before, value)) for value in REGULARISATIONS]
    losses = [_loss(between, one) for _, one in tried]
    best = min(range(len(tried)), key=lambda i: (losses[i], -tried[i][0]))
    final = _scaled(examples.where(shown < cuts.choose_end_ms), names)
    return {
        "trainer": f"Spark MLlib {__version__}",
        "features": names,
        "feature_hash": hashes[0],
        "validate_ms": cuts.validate_ms,
        "test_ms": cuts.test_ms,
        "regularisation": tried[best][0],
        "losses": [
            {"regularisation": value, "log_loss": loss}
            for (value, _), loss in zip(tried, losses, strict=True)
        ],
        "chosen": vars(tried[best][1]),
        "final": vars(_fit(final, tried[best][0])),
    }


@dataclass(frozen=True)
class _Scaled:
    """Examples with their features scaled, and by what."""

    frame: DataFrame
    mean: list[float]
    scale: list[float]
    examples: int
    clicks: int


def _scaled(examples: DataFrame, names: list[str]) -> _Scaled:
    scaler = StandardScaler(inputCol="vector", outputCol="scaled", withMean=True, withStd=True)
    counted = examples.agg(F.count("*"), F.coalesce(F.sum("label"), F.lit(0.0))).first()
    assert counted is not None
    if not counted[0]:
        return _Scaled(examples, [0.0] * len(names), [1.0] * len(names), 0, 0)
    fitted = scaler.fit(examples)
    scale = [float(value) if value > 0 else 1.0 for value in fitted.std]
    frame = fitted.transform(examples).cache()
    return _Scaled(frame, fitted.mean.tolist(), scale, int(counted[0]), int(counted[1]))


def _fit(scaled: _Scaled, regularisation: float) -> Fit:
    """Minimise the mean log loss + regularisation / 2 * |coefficients|²."""
    if scaled.clicks in (0, scaled.examples):
        share = (scaled.clicks + 0.5) / (scaled.examples + 1)
        odds = math.log(share / (1 - share))
        return Fit(scaled.mean, scaled.scale, [0.0] * len(scaled.mean), odds)
    regression = LogisticRegression(
        featuresCol="scaled",
        labelCol="label",
        regParam=regularisation,
        elasticNetParam=0.0,
        standardization=False,
        tol=1e-10,
        maxIter=1_000,
    )
    model = regression.fit(scaled.frame)
    return Fit(scaled.mean, scaled.scale, model.coefficients.tolist(), float(model.intercept))


def _loss(examples: DataFrame, one: Fit) -> float:
    """The mean log loss of a fit; 0 where there is no example."""
    values = vector_to_array("vector")
    logit: Column = F.lit(one.intercept)
    for place, (mean, scale, weight) in enumerate(
        zip(one.mean, one.scale, one.coefficients, strict=True)
    ):
        logit = logit + (values[place] - mean) / scale * weight
    right = 1 / (1 + F.exp(-F.when(F.col("label") == 1, logit).otherwise(-logit)))
    row = examples.agg(F.avg(-F.log(F.greatest(right, F.lit(_LEAST))))).first()
    return 0.0 if row is None or row[0] is None else float(row[0])


def _usable(frame: DataFrame, names: list[str]) -> DataFrame:
    """Examples with features: `vector`, `label`, `shown_ms`, and `counts`, as inputs.Examples."""
    known = frame
    for name in names:
        known = known.where(F.col(name).isNotNull() & ~F.isnan(name))
    assembled = VectorAssembler(inputCols=names, outputCol="vector").transform(known)
    return assembled.select(
        "vector",
        F.col("clicked").cast("double").alias("label"),
        F.unix_millis(F.col("shown_at").cast("timestamp")).alias("shown_ms"),
        F.coalesce("explore", F.lit(True)).alias("counts"),
    )


def _by_hour(examples: DataFrame) -> dict[int, int]:
    hour = F.floor(F.col("shown_ms") / HOUR_MS).alias("hour")
    rows = examples.where("counts").groupBy(hour).count().collect()
    return {int(row["hour"]): int(row["count"]) for row in rows}


def _between(cuts: Cuts) -> Column:
    shown = F.col("shown_ms")
    return F.col("counts") & (shown >= cuts.validate_ms) & (shown < cuts.choose_end_ms)


def _read(spark: SparkSession, args: argparse.Namespace) -> DataFrame:
    day = F.col("as_of")
    if args.examples:
        frame = spark.read.parquet(*args.examples)
        return frame.where((day >= F.lit(args.first)) & (day <= F.lit(args.last)))
    window = f"as_of BETWEEN '{args.first}' AND '{args.last}'"
    reader = spark.read.format("bigquery").option("filter", window)
    return reader.load(f"{args.bigquery}.training_examples")


def _write(spark: SparkSession, place: str, text: str) -> None:
    if "://" not in place:
        Path(place).write_text(text, "utf-8")
        return
    path = spark._jvm.org.apache.hadoop.fs.Path(place)
    system = path.getFileSystem(spark._jsc.hadoopConfiguration())
    stream = system.create(path, True)
    stream.write(bytearray(text.encode()))
    stream.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
