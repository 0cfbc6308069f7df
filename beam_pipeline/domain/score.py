"""The model: a logistic regression written out as plain JSON, and the score that it gives.

A model file is read strictly: what is cut short, of another format, out of shape or made for
other features is an InvalidModel, never a model that scores wrongly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import polars as pl
from msgspec import Struct
from numpy.typing import NDArray

from beam_pipeline.domain.features import FEATURE_HASH, FEATURES

FORMAT = "encore-model/1"


class InvalidModel(ValueError):
    """A file that is no model of ours; the text says why."""


class Model(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A logistic regression on scaled features.

    p = 1 / (1 + exp(-(intercept + sum over i of coefficients[i] * (x[i] - mean[i]) / scale[i])))
    """

    format: str = FORMAT
    version: str
    features: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    """Sample deviation (ddof 1), 1 for a feature that does not vary."""
    coefficients: tuple[float, ...]
    intercept: float
    threshold: float
    """A score of at least this much says: will click."""
    feature_hash: str
    trained_from: str
    trained_until: str
    """RFC 3339: the first and last `shown_at` that it was fitted on."""
    examples: int
    regularisation: float
    """L2 penalty an example, Spark's regParam."""
    trainer: str
    code_version: str
    metrics: dict[str, float]
    """On the test part, which it was not fitted on."""

    def to_json(self) -> bytes:
        """The file, for people to read as well; numbers survive to the last bit."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def read_model(content: bytes, feature_hash: str = FEATURE_HASH) -> Model:
    """A model file's model.

    Args:
        content: the whole file.
        feature_hash: the definition of the features that it will be given.

    Raises:
        InvalidModel: why this is not a model that can be used.
    """
    try:
        model = msgspec.json.decode(content, type=Model)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidModel(f"not a model file: {error}") from error
    if model.format != FORMAT:
        raise InvalidModel(f"a model of the format {model.format!r}, not {FORMAT!r}")
    if model.feature_hash != feature_hash:
        raise InvalidModel(
            f"made for the features {model.feature_hash!r}, these are {feature_hash!r}"
        )
    unknown = set(model.features) - set(FEATURES)
    if unknown:
        raise InvalidModel(f"it asks for unknown features: {', '.join(sorted(unknown))}")
    width = len(model.features)
    if not width or any(
        len(column) != width for column in (model.mean, model.scale, model.coefficients)
    ):
        raise InvalidModel("features, mean, scale and coefficients are not of one length")
    numbers = (*model.mean, *model.scale, *model.coefficients, model.intercept, model.threshold)
    if not all(map(math.isfinite, numbers)):
        raise InvalidModel("a number in it is not finite")
    if min(model.scale) <= 0 or not 0 < model.threshold < 1:
        raise InvalidModel("its scale or its threshold is out of range")
    return model


def matrix(frame: pl.DataFrame, names: Sequence[str]) -> NDArray[np.float64]:
    """The named columns as float64 [n, k]; null becomes NaN."""
    columns = [frame[name].cast(pl.Float64).to_numpy() for name in names]
    return np.column_stack(columns) if columns else np.zeros((frame.height, 0))


def score(model: Model, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The chance of a click for each row, float64 [n]; NaN where a feature is NaN.

    Args:
        values: float64 [n, k], the columns in the order of `model.features`.
    """
    scaled = (values - np.array(model.mean)) / np.array(model.scale)
    return logistic(scaled @ np.array(model.coefficients) + model.intercept)


def logistic(logit: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-logit)), without overflow at either end."""
    small = np.exp(-np.abs(logit))
    return np.where(logit >= 0, 1.0, small) / (1.0 + small)
