"""The model file: whole or refused; and the score, to the last bits of scikit-learn's."""

from __future__ import annotations

import json
import math

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

from beam_pipeline.domain.features import FEATURE_HASH, FEATURES
from beam_pipeline.domain.score import InvalidModel, Model, logistic, matrix, read_model, score

WIDTH = len(FEATURES)


def model(**changes: object) -> Model:
    """A model of the present features."""
    fields: dict[str, object] = {
        "version": "v1",
        "features": FEATURES,
        "mean": (0.1,) * WIDTH,
        "scale": (0.3,) * WIDTH,
        "coefficients": tuple(float(i) / 3 for i in range(WIDTH)),
        "intercept": -1.0,
        "threshold": 0.5,
        "feature_hash": FEATURE_HASH,
        "trained_from": "2026-03-01T00:00:00+00:00",
        "trained_until": "2026-03-14T00:00:00+00:00",
        "examples": 10,
        "regularisation": 1e-3,
        "trainer": "hand",
        "code_version": "0",
        "metrics": {"error": 0.05},
    }
    return Model(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_model_survives_its_file_to_the_last_bit() -> None:
    numbers = tuple(np.random.default_rng(1).normal(size=WIDTH).tolist())
    written = model(coefficients=numbers, intercept=1 / 3)
    assert read_model(written.to_json()) == written


def test_every_cut_of_a_file_is_refused() -> None:
    content = model().to_json()
    for size in range(len(content) - 2):
        with pytest.raises(InvalidModel):
            read_model(content[:size])


@pytest.mark.parametrize(
    "changes",
    [
        {"format": "encore-model/2"},
        {"feature_hash": "0123456789abcdef"},
        {"coefficients": [1.0] * (WIDTH - 1)},
        {"scale": [0.0] * WIDTH},
        {"threshold": 1.0},
        {"intercept": None},
        {"mean": ["0.1"] * WIDTH},
        {"features": [], "mean": [], "scale": [], "coefficients": []},
        {"extra": 1},
        {"threshold": "half"},
    ],
)
def test_a_foreign_file_is_refused(changes: dict[str, object]) -> None:
    told = {**json.loads(model().to_json()), **changes}
    with pytest.raises(InvalidModel):
        read_model(json.dumps(told).encode())


@pytest.mark.parametrize("content", [b"", b"\x80\x04\x95", b"null", b"[]", b"{}", b"NaN", b"\xff"])
def test_what_is_no_json_object_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidModel):
        read_model(content)


def test_the_score_is_what_scikit_learn_predicts() -> None:
    rng = np.random.default_rng(2)
    values = rng.random((500, WIDTH))
    fitted = LogisticRegression(C=3.0).fit(
        (values - 0.1) / 0.3, values[:, 0] + values[:, 4] + rng.normal(0, 0.3, 500) > 1
    )
    same = model(
        coefficients=tuple(fitted.coef_[0].tolist()), intercept=float(fitted.intercept_[0])
    )
    predicted = fitted.predict_proba((values - 0.1) / 0.3)[:, 1]
    assert np.abs(score(read_model(same.to_json()), values) - predicted).max() < 5e-16


def test_a_missing_feature_has_no_score() -> None:
    frame = pl.DataFrame({name: [0.2, None, 0.4] for name in FEATURES})
    found = score(model(), matrix(frame, FEATURES))
    assert [math.isnan(one) for one in found] == [False, True, False]


def test_the_logistic_neither_overflows_nor_loses_its_tails() -> None:
    with np.errstate(all="raise", under="ignore"):
        found = logistic(np.array([-800.0, -40.0, 0.0, 40.0, 800.0]))
    assert found[0] == 0
    assert found[1] == pytest.approx(math.exp(-40))
    assert found[2:].tolist() == [0.5, 1.0, 1.0]
