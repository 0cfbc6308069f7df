"""The alarm of too many dead letters: on a stream whose clocks the test moves, and on files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import apache_beam as beam
from apache_beam.metrics.metric import MetricsFilter
from apache_beam.testing.test_stream import TestStream
from apache_beam.testing.util import assert_that, equal_to

from beam_pipeline.domain.lines import Block
from beam_pipeline.domain.ratio import LEAST_EVENTS, REMEMBERED, Alarm
from beam_pipeline.transforms.count import Pace
from beam_pipeline.transforms.decode import Decode
from beam_pipeline.transforms.frames import register_coders
from beam_pipeline.transforms.ratio import LOOK, WatchRatio
from tests.domain.harness import block_of
from tests.oracle import Message
from tests.oracle_lines import MINUTE
from tests.strategies import NOON, Sent
from tests.transforms.collect import _streaming

SECONDS = LOOK.total_seconds() + 1


def lines(good: int, bad: int, minute: int = 0, name: str = "") -> list[Block]:
    """Two messages of a minute: so many events, and so many lines that are none."""
    at = NOON + minute * MINUTE
    event = Sent("play", "{}", 1, at, at).line()
    events = b"\n".join(event.replace(b"{}", b"%s%d" % (name.encode(), n)) for n in range(good))
    found = [Message("play", at, events)] * bool(good)
    found += [Message("play", at, b"\n".join([b"{"] * bad))] * bool(bad)
    return [block_of(message, f"{name}{minute}") for message in found]


_clock = [0.0]


def now() -> float:
    """The processing time of the test."""
    return _clock[0]


def tick(block: Block) -> Block:
    """Heartbeats carry the processing time of the test."""
    if block.kind == "heartbeat":
        _clock[0] = float(block.id)
    return block


def raised(bundles: Sequence[Sequence[Block]], limit: float = 0.2) -> list[str]:
    """What a stream logs, bundle after bundle, each followed by a look."""
    events, _clock[0] = TestStream(), 0.0
    for number, bundle in enumerate([*bundles, [], [], []], 1):
        moment = block_of(Message("heartbeat", NOON, b""), str(number * SECONDS))
        events = events.add_elements([*bundle, moment]).advance_processing_time(SECONDS)
    register_coders()
    log, heard = logging.getLogger("beam_pipeline.transforms.ratio"), Heard()
    log.addHandler(heard)
    try:
        with beam.Pipeline(runner="BundleBasedDirectRunner", options=_streaming()) as pipeline:
            blocks = pipeline | events.advance_watermark_to_infinity()
            ticking = blocks | beam.Map(tick).with_output_types(Block)
            (ticking | Decode()).verdicts | WatchRatio(limit, Pace(now=now))
    finally:
        log.removeHandler(heard)
    return heard.said


class Heard(logging.Handler):
    """Keeps what was logged."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def test_a_minute_past_the_limit_is_said_once_with_its_ratio_and_reasons() -> None:
    unknown = [replace(block, schema="9") for block in lines(300, 0, name="v")]
    bundles = [lines(600, 100), unknown, lines(200, 0, name="w"), lines(1_000, 0, minute=1)]
    sentence = (
        "dead letter ratio 33.3% in the minute 2026-03-01T12:00:00Z: 400 of 1200 events were "
        "rejected (unknown_schema 300, not_json 100); the limit is 20.0%"
    )
    assert raised(bundles) == [sentence]


def test_exactly_the_limit_is_no_alarm_and_one_more_is() -> None:
    assert raised([lines(800, 200)]) == []
    assert len(raised([lines(800, 201)])) == 1


def test_a_minute_of_few_events_raises_none() -> None:
    assert raised([lines(0, LEAST_EVENTS - 1)]) == []
    assert len(raised([lines(0, LEAST_EVENTS)])) == 1


def test_a_minute_that_still_grows_is_not_judged_by_its_beginning() -> None:
    beginning, rest = lines(0, 1_000), [lines(1_000, 0, name=f"r{n}") for n in range(4)]
    assert raised([beginning, *rest]) == []
    assert len(raised([beginning, *rest[:3]])) == 1


def test_events_that_come_later_can_raise_the_alarm_and_never_twice() -> None:
    fine, elsewhere = lines(1_000, 100), [lines(10, 0, minute=9, name=f"e{n}") for n in range(3)]
    late = lines(0, 300)
    assert len(raised([fine, *elsewhere, late, *elsewhere, late, late])) == 1


def test_each_minute_past_the_limit_is_said_and_the_stream_goes_on() -> None:
    bundles = [lines(500 + minute, 600, minute=minute) for minute in range(4)]
    said = raised([*bundles, lines(5_000, 0, minute=5)])
    assert [f"T12:0{minute}:00Z" in text for minute, text in enumerate(said)] == [True] * 4


def test_a_minute_that_lies_too_far_back_is_forgotten_and_one_of_the_far_future_hides_none() -> (
    None
):
    fine, late = lines(1_000, 0), lines(0, 900)
    much_later = [block for n in range(REMEMBERED) for block in lines(1, 0, minute=n + 1)]
    assert raised([fine, much_later, lines(1, 0, minute=9), late]) == []
    assert len(raised([fine, lines(1, 0, minute=2**31), lines(1, 0, minute=9), late])) == 1


def test_a_limit_of_one_raises_none() -> None:
    assert raised([lines(0, 5_000)], limit=1.0) == []


def test_a_bounded_run_judges_every_minute_whole_and_counts_the_alarms() -> None:
    register_coders()
    blocks = [*lines(900, 300), *lines(1_000, 10, minute=1), *lines(0, 2_000, minute=500)]
    pipeline = beam.Pipeline(runner="FnApiRunner")
    found = (pipeline | beam.Create(blocks) | Decode()).verdicts | WatchRatio()
    alarms = [
        Alarm(NOON // MINUTE, 1_200, 300, (("not_json", 300),), 0.2),
        Alarm(NOON // MINUTE + 500, 2_000, 2_000, (("not_json", 2_000),), 0.2),
    ]
    assert_that(found, equal_to(alarms))
    result = pipeline.run()
    result.wait_until_finish()
    name = MetricsFilter().with_name("dead_letter_ratio_alarms")
    assert [each.committed for each in result.metrics().query(name)["counters"]] == [2]
