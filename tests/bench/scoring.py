"""What scoring adds: the whole pipeline with all features known and a model that is live."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from beam_pipeline.domain.features import FEATURE_HASH, FEATURE_ROWS, FEATURES
from beam_pipeline.domain.score import score
from beam_pipeline.edges.features import FeaturesConfig
from beam_pipeline.edges.models import ModelsConfig
from beam_pipeline.edges.objects import FolderObjects
from beam_pipeline.edges.targets import TargetsConfig
from beam_pipeline.transforms.score import Targeting
from tests.bench.work import Work
from tests.domain.test_score import model
from tests.edges.test_models import promote

EXPLORE = 0.05
CHOSEN = 0.1
"""Share of all customers whom the model scores at its threshold or above."""
DAY = date(2026, 3, 1)


def prepare(work: Work, redis: str, models: Path) -> Targeting:
    """Features of every listener in Redis, a model in a folder, and nothing decided yet."""
    listeners = pl.read_csv(work.customers, columns=["CustID"])["CustID"]
    drawn = np.random.default_rng(5).random((len(listeners), len(FEATURES)))
    rows = pl.DataFrame(
        {
            "customer_id": listeners,
            "as_of": [DAY] * len(listeners),
            **{name: drawn[:, column] for column, name in enumerate(FEATURES)},
            "feature_hash": [FEATURE_HASH] * len(listeners),
        },
        schema=FEATURE_ROWS,
    )
    FeaturesConfig(redis).open().write("features", rows)
    models.mkdir()
    threshold = float(np.quantile(score(model(), drawn), 1 - CHOSEN))
    promote(FolderObjects(models), model(threshold=threshold))
    return Targeting(ModelsConfig(str(models)), TargetsConfig(redis), EXPLORE)
