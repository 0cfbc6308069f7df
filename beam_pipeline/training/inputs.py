"""Examples as a trainer takes them, from Parquet, BigQuery or libsvm."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.datasets import load_svmlight_file

from beam_pipeline.domain.examples import TRAINING_EXAMPLES
from beam_pipeline.domain.features import FEATURE_HASH, FEATURES
from beam_pipeline.domain.score import matrix
from beam_pipeline.training.errors import BadInput
from beam_pipeline.training.split import HOUR_MS

ORIGINAL_FEATURES = "original"
"""The hash in a report on libsvm input, whose columns somebody else computed."""


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples with features, in the order of time; columns [n]."""

    values: NDArray[np.float64]
    """[n, k], a column a feature."""
    clicked: NDArray[np.bool_]
    customer: NDArray[np.int64]
    shown_ms: NDArray[np.int64]
    counts: NDArray[np.bool_]
    """Whether an example may choose or judge: those that a model chose say too little of others."""
    features: tuple[str, ...]
    feature_hash: str
    left_out: int
    """Examples without features: customers that had not been heard."""

    def __len__(self) -> int:
        return len(self.clicked)

    def by_hour(self) -> dict[int, int]:
        """How many examples count in each hour since the epoch."""
        hours, numbers = np.unique(self.shown_ms[self.counts] // HOUR_MS, return_counts=True)
        return dict(zip(hours.tolist(), numbers.tolist(), strict=True))

    def moment(self, row: int) -> str:
        """`shown_at` of a row, RFC 3339."""
        return datetime.fromtimestamp(int(self.shown_ms[row]) / 1000, UTC).isoformat()


def of_frame(frame: pl.DataFrame) -> Examples:
    """Examples of TRAINING_EXAMPLES.

    Raises:
        BadInput: a column is missing or not of its type, or the features are not of this
            definition.
    """
    missing = [name for name in TRAINING_EXAMPLES if name not in frame.columns]
    if missing:
        raise BadInput(f"The examples lack the column {missing[0]}")
    try:
        frame = frame.select(list(TRAINING_EXAMPLES)).cast(TRAINING_EXAMPLES)
    except pl.exceptions.PolarsError as error:
        raise BadInput(f"The examples are not of their types: {error}") from error
    others = set(frame["feature_hash"].drop_nulls().unique().to_list()) - {FEATURE_HASH}
    if others:
        raise BadInput(
            f"The examples are of the feature definition {min(others)}, this code is of "
            f"{FEATURE_HASH}: build them again with the daily run"
        )
    finite = pl.all_horizontal(pl.col(name).is_finite() for name in FEATURES)
    known = frame.filter(finite.fill_null(value=False)).sort(
        "shown_at", "customer_id", "shown_event_id"
    )
    return Examples(
        values=matrix(known, FEATURES),
        clicked=known["clicked"].to_numpy(),
        customer=known["customer_id"].to_numpy(),
        shown_ms=known["shown_at"].to_physical().to_numpy(),
        counts=known["explore"].fill_null(value=True).to_numpy(),
        features=FEATURES,
        feature_hash=FEATURE_HASH,
        left_out=frame.height - known.height,
    )


def of_parquet(paths: Sequence[str], first: date | None, last: date | None) -> Examples:
    """Examples of Parquet files: paths, folders and glob patterns, local or gs://.

    Args:
        paths: what to read.
        first, last: the days of `as_of` to take, both included; None for no limit.

    Raises:
        BadInput: there is no such file, or it holds no examples.
    """
    files = [file for path in paths for file in _files(path)]
    try:
        frame = pl.scan_parquet(files, glob=False).filter(_between(first, last)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise BadInput(f"Cannot read examples: {str(error).splitlines()[0]}") from error
    return of_frame(frame)


def of_libsvm(path: Path) -> Examples:
    """Examples of a libsvm file; every row is a customer of its own and has no time.

    Raises:
        BadInput: there is no such file, or it is not libsvm.
    """
    try:
        sparse, labels = load_svmlight_file(str(path))
    except (OSError, ValueError) as error:
        raise BadInput(f"Cannot read {path}: {error}") from error
    values = np.asarray(sparse.todense(), np.float64)
    kinds = set(np.unique(labels).tolist())
    if not kinds <= {0.0, 1.0} and not kinds <= {-1.0, 1.0}:
        raise BadInput(f"{path} has other labels than 0 and 1")
    n, width = values.shape
    names = FEATURES if width == len(FEATURES) else tuple(f"f{i + 1}" for i in range(width))
    return Examples(
        values=values,
        clicked=labels > 0,
        customer=np.arange(n),
        shown_ms=np.zeros(n, np.int64),
        counts=np.ones(n, np.bool_),
        features=names,
        feature_hash=ORIGINAL_FEATURES,
        left_out=0,
    )


def examples_query(
    table: str, first: date | None, last: date | None
) -> tuple[str, Mapping[str, date]]:
    """The SQL that reads `table` (`dataset.training_examples`) and its parameters."""
    window = {"first": first or date(1970, 1, 1), "last": last or date(9999, 12, 31)}
    columns = ", ".join(TRAINING_EXAMPLES)
    return f"SELECT {columns} FROM `{table}` WHERE as_of BETWEEN @first AND @last", window  # noqa: S608


def _between(first: date | None, last: date | None) -> pl.Expr:
    day = pl.col("as_of")
    return (day >= (first or date.min)) & (day <= (last or date.max))


def _files(path: str) -> list[str]:
    if "://" in path:
        return [path]
    if Path(path).is_dir():
        found = sorted(str(file) for file in Path(path).rglob("*.parquet"))
    else:
        found = sorted(glob.glob(path, recursive=True))
    if not found:
        raise BadInput(f"There are no Parquet files at {path}")
    return found
