"""Accepted plays → who is offered something: the model's word, the policy's, and the decision.

Three steps. Who has played and is not decided on gets its features; the live model scores them,
a bundle at a time; those chosen are decided on in one place for all workers. What comes out are
rows of targets, as they were decided, for the other stores to write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apache_beam as beam
import numpy as np
import polars as pl
from apache_beam import typehints
from apache_beam.metrics.metric import Metrics
from apache_beam.ml.inference.base import ModelHandler, RunInference
from apache_beam.pvalue import PCollection
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue
from numpy.typing import NDArray

from beam_pipeline.domain.offers import OFFERS
from beam_pipeline.domain.references import References
from beam_pipeline.domain.rows import where
from beam_pipeline.domain.score import Model
from beam_pipeline.domain.targeting import eligible, proposals, scored
from beam_pipeline.domain.times import epoch_ms
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import Rows
from beam_pipeline.transforms.resources import Opens, opened

PLAYS_AT_ONCE = 50_000
"""Plays of a bundle whose customers are looked at together; of a larger bundle, one part after
the other."""


class LiveModel(Protocol):
    """The model that is live, read again every few seconds."""

    problem: str | None
    """Why the model that should be live is not the one that is given, None when it is."""

    def get(self) -> Model | None:
        """The model; None while there is none."""
        ...


class Decisions(Protocol):
    """Where it is decided, once for each offer and customer."""

    def candidates(
        self, customers: NDArray[np.int64], published_ms: NDArray[np.int64]
    ) -> pl.DataFrame:
        """CANDIDATES among the customers of these plays."""
        ...

    def decide(self, proposals: pl.DataFrame) -> pl.DataFrame:
        """TARGETS as decided, for TARGETS as proposed."""
        ...


@dataclass(frozen=True, slots=True)
class Targeting:
    """How customers are chosen."""

    models: Opens[LiveModel]
    decisions: Opens[Decisions]
    explore: float
    """Share of the eligible who are chosen by chance, in [0, 1]."""


class Score(beam.PTransform):
    """PCollection[Rows] → PCollection[Rows] of targets; rows other than plays pass by.

    Args:
        references: the customers' traits.
        targeting: how to choose.
    """

    def __init__(self, references: Opens[References], targeting: Targeting) -> None:
        super().__init__()
        self._references = references
        self._targeting = targeting

    def expand(self, rows: PCollection[Rows]) -> PCollection[Rows]:
        """Find, score, decide."""
        targeting = self._targeting
        return (
            rows
            | "Candidates" >> beam.ParDo(_CandidatesFn(self._references, targeting.decisions))
            | "Model" >> RunInference(FrameModelHandler(targeting.models))
            | "Decide" >> beam.ParDo(_DecideFn(targeting.decisions, targeting.explore))
        )


@typehints.with_input_types(Rows)
@typehints.with_output_types(pl.DataFrame)
class _CandidatesFn(DoFn):
    def __init__(self, references: Opens[References], decisions: Opens[Decisions]) -> None:
        self._references = references
        self._decisions = decisions
        self._plays: list[pl.DataFrame] = []
        self._count = 0

    def start_bundle(self) -> None:
        self._plays, self._count = [], 0

    def process(self, rows: Rows) -> Iterable[pl.DataFrame]:
        if rows.dataset != "plays":
            return
        self._plays.append(rows.frame[["customer_id", "published_at"]])
        self._count += rows.frame.height
        if self._count >= PLAYS_AT_ONCE:
            yield from self._found()

    def finish_bundle(self) -> Iterable[WindowedValue]:
        for found in self._found():
            yield WindowedValue(found, 0, (GlobalWindow(),))

    def _found(self) -> Iterable[pl.DataFrame]:
        """CANDIDATES among those who played, if there are any."""
        if not self._plays:
            return
        plays = pl.concat(self._plays, rechunk=True)
        self._plays, self._count = [], 0
        found = opened(self._decisions).candidates(
            plays["customer_id"].to_numpy(), epoch_ms(plays["published_at"])
        )
        if found.is_empty():
            return
        traits = opened(self._references).customers(found["customer_id"].to_numpy())
        found = where(found, eligible(traits) | found["again"].to_numpy())
        if found.height:
            yield found


class FrameModelHandler(ModelHandler[pl.DataFrame, pl.DataFrame, LiveModel]):
    """Our model for RunInference: a frame is the batch, its rows are the examples.

    The loaded "model" looks after itself: it reads the pointer again and swaps what it gives.
    """

    def __init__(self, models: Opens[LiveModel]) -> None:
        super().__init__()
        self._models = models

    def load_model(self) -> LiveModel:
        """The same holder for every bundle of this process."""
        return opened(self._models)

    def run_inference(
        self,
        batch: Sequence[pl.DataFrame] | pl.DataFrame,
        model: LiveModel,
        inference_args: dict[str, Any] | None = None,
    ) -> Iterable[pl.DataFrame]:
        """SCORED of a frame of CANDIDATES."""
        assert isinstance(batch, pl.DataFrame)
        live = model.get()
        if model.problem is not None:
            Metrics.counter("score", "model_alarm").inc()
        return [scored(batch, live)]

    def get_num_bytes(self, batch: Sequence[pl.DataFrame] | pl.DataFrame) -> int:
        """The size of the frame."""
        assert isinstance(batch, pl.DataFrame)
        return int(batch.estimated_size())

    def get_metrics_namespace(self) -> str:
        """Where Beam's own measures of inference are found."""
        return "score"

    def should_skip_batching(self) -> bool:
        """True: a frame is a batch already."""
        return True

    def validate_inference_args(self, inference_args: Mapping[str, Any] | None) -> None:
        """There are none."""
        if inference_args:
            raise ValueError("The model takes no arguments")


@typehints.with_input_types(pl.DataFrame)
@typehints.with_output_types(Rows)
class _DecideFn(DoFn):
    def __init__(self, decisions: Opens[Decisions], explore: float) -> None:
        self._decisions = decisions
        self._explore = explore
        self._decided = Metrics.counter("score", "decided")

    def process(self, subjects: pl.DataFrame) -> Iterable[Rows]:
        proposed = proposals(subjects, OFFERS.values(), self._explore)
        if proposed.is_empty():
            return
        targets = opened(self._decisions).decide(proposed)
        self._decided.inc(targets.height)
        if targets.height:
            yield Rows("targets", targets)
