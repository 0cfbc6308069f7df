"""Verdicts of lines → an alarm for each minute in which too many were rejected; the run goes on."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import apache_beam as beam
import polars as pl
from apache_beam import typehints
from apache_beam.coders import BooleanCoder, VarIntCoder
from apache_beam.metrics.metric import Metrics
from apache_beam.pvalue import PCollection
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import (
    BagStateSpec,
    ReadModifyWriteStateSpec,
    TimerSpec,
    on_timer,
)
from apache_beam.transforms.window import GlobalWindow

from beam_pipeline.domain.ratio import DEFAULT_LIMIT, VERDICTS, Alarm, alarms, total
from beam_pipeline.transforms.count import Pace
from beam_pipeline.transforms.dofn import DoFn
from beam_pipeline.transforms.frames import FrameCoder

LOOK = timedelta(seconds=10)
"""Of processing time: a minute that has not grown for so long is judged as a whole."""

log = logging.getLogger(__name__)


class WatchRatio(beam.PTransform):
    """PCollection[tuple[int, pl.DataFrame]] of VERDICTS, all under one key → PCollection[Alarm].

    Each alarm is also logged and counted, once a minute of published_at (again after a restart
    that reads the minute again).

    Args:
        limit: the share of a minute's events, of 1, that may be rejected.
        pace: the clock of the runner's processing time.
    """

    def __init__(self, limit: float = DEFAULT_LIMIT, pace: Pace | None = None) -> None:
        super().__init__()
        self._limit = limit
        self._pace = pace or Pace()

    def expand(self, verdicts: PCollection[tuple[int, pl.DataFrame]]) -> PCollection[Alarm]:
        """Choose the shell by whether the input ends."""
        verdicts.element_type = typehints.Tuple[int, pl.DataFrame]
        if verdicts.is_bounded:
            return (
                verdicts
                | "Group verdicts" >> beam.GroupByKey()
                | "Judge minutes" >> beam.ParDo(_JudgeFn(self._limit))
            )
        return verdicts | "Running ratio" >> beam.ParDo(_RunningRatioFn(self._limit, self._pace))


class Bell:
    """Logs alarms and counts them."""

    def __init__(self) -> None:
        self._raised = Metrics.counter("decode", "dead_letter_ratio_alarms")

    def ring(self, raised: list[Alarm]) -> list[Alarm]:
        """One line each at the level of a warning; gives them back."""
        for alarm in raised:
            log.warning("%s", alarm)
        self._raised.inc(len(raised))
        return raised


@typehints.with_input_types(tuple[int, Iterable[pl.DataFrame]])
@typehints.with_output_types(Alarm)
class _JudgeFn(DoFn):
    """The shell of a bounded run: every minute is whole."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._bell = Bell()

    def process(self, element: tuple[int, Iterable[pl.DataFrame]]) -> Iterable[Alarm]:
        summed = pl.concat([VERDICTS.to_frame(), *element[1]]).group_by("minute", "reason").sum()
        return self._bell.ring(alarms(summed, self._limit))


@typehints.with_input_types(tuple[int, pl.DataFrame])
@typehints.with_output_types(Alarm)
class _RunningRatioFn(DoFn):
    """The shell of a stream: looks every 10 s at the minutes that did not grow meanwhile."""

    SEEN = BagStateSpec("seen", FrameCoder())
    """The sum as of the last look."""
    GROWTH = BagStateSpec("growth", FrameCoder())
    """What came since."""
    RAISED = BagStateSpec("raised", VarIntCoder())
    """Minutes that an alarm was raised for."""
    WAITING = ReadModifyWriteStateSpec("waiting", BooleanCoder())
    """Whether the next look is set."""
    NEXT_LOOK = TimerSpec("next look", TimeDomain.REAL_TIME)
    END = TimerSpec("end", TimeDomain.WATERMARK)

    def __init__(self, limit: float, pace: Pace) -> None:
        self._limit = limit
        self._pace = pace
        self._bell = Bell()

    def process(
        self,
        element: tuple[int, pl.DataFrame],
        growth: Any = beam.DoFn.StateParam(GROWTH),  # noqa: B008
        waiting: Any = beam.DoFn.StateParam(WAITING),  # noqa: B008
        next_look: Any = beam.DoFn.TimerParam(NEXT_LOOK),  # noqa: B008
        end: Any = beam.DoFn.TimerParam(END),  # noqa: B008
    ) -> None:
        growth.add(element[1])
        if not waiting.read():
            next_look.set(self._pace.after(LOOK))
            end.set(GlobalWindow().max_timestamp())
            waiting.write(True)

    @on_timer(NEXT_LOOK)
    def look(
        self,
        seen: Any = beam.DoFn.StateParam(SEEN),  # noqa: B008
        growth: Any = beam.DoFn.StateParam(GROWTH),  # noqa: B008
        raised: Any = beam.DoFn.StateParam(RAISED),  # noqa: B008
        waiting: Any = beam.DoFn.StateParam(WAITING),  # noqa: B008
        next_look: Any = beam.DoFn.TimerParam(NEXT_LOOK),  # noqa: B008
    ) -> Iterable[Alarm]:
        came = list(growth.read())
        growing = pl.concat([VERDICTS.to_frame(), *came])["minute"]
        summed = total([*seen.read(), *came])
        seen.clear()
        seen.add(summed)
        growth.clear()
        if came:
            next_look.set(self._pace.after(LOOK))
        else:
            waiting.clear()
        still = summed.filter(~pl.col("minute").is_in(growing.unique().implode()))
        return self._judge(still, summed, raised)

    @on_timer(END)
    def judge_the_rest(
        self,
        seen: Any = beam.DoFn.StateParam(SEEN),  # noqa: B008
        growth: Any = beam.DoFn.StateParam(GROWTH),  # noqa: B008
        raised: Any = beam.DoFn.StateParam(RAISED),  # noqa: B008
    ) -> Iterable[Alarm]:
        summed = total([*seen.read(), *growth.read()])
        return self._judge(summed, summed, raised)

    def _judge(self, still: pl.DataFrame, summed: pl.DataFrame, raised: Any) -> list[Alarm]:
        """Ring for minutes of `still` that it was not rung for; forget those not remembered."""
        before = set(raised.read()) & set(summed["minute"])
        new = [alarm for alarm in alarms(still, self._limit) if alarm.minute not in before]
        raised.clear()
        for minute in before | {alarm.minute for alarm in new}:
            raised.add(minute)
        return self._bell.ring(new)
