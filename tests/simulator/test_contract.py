"""What the simulator writes, the pipeline's own decoder reads, and refuses for the same reason."""

import json
from collections import Counter
from datetime import datetime
from typing import Literal

import pytest

from tests.simulator.conftest import Made

Kind = Literal["play", "ad"]

events = pytest.importorskip("beam_pipeline.domain.events")


def published_ms(line: bytes, time: str) -> int:
    """When a line of a file was published; some moment for a line that does not say."""
    try:
        fields = json.loads(line)
        at = datetime.fromisoformat(fields.get("published_at", fields[time]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        at = datetime.fromisoformat("2026-03-02T12:00:00Z")
    return int(at.timestamp() * 1000)


@pytest.mark.parametrize("kind", ["play", "ad"])
def test_lines_are_accepted_and_refused_by_the_contract(faulty_day: Made, kind: Kind) -> None:
    reasons: Counter[str] = Counter()
    accepted = 0
    for line in faulty_day.lines(kind):
        try:
            events.decode_line(
                kind, line, published_ms(line, "played_at" if kind == "play" else "at")
            )
            accepted += 1
        except events.InvalidEvent as refusal:
            reasons[str(refusal.reason)] += 1
    rejects = faulty_day.key("rejects").filter(kind=kind)
    assert reasons == Counter(rejects["reason"].to_list())
    assert accepted == len(faulty_day.lines(kind)) - rejects.height


def test_every_flaw_is_refused_for_the_reason_it_names() -> None:
    from simulator.malformed import AD_FLAWS, PLAY_FLAWS

    play = {"event_id": "e1", "customer_id": 1, "track_id": 2, "zip": "72132", "is_mobile": True,
            "played_at": "2026-03-02T12:00:00.000-06:00"}  # fmt: skip
    ad = {"event_id": "e1", "customer_id": 1, "ad": "ADV_FREE_REFERRAL", "action": "shown",
          "offer_id": "none", "at": "2026-03-02T12:00:00.000-06:00"}  # fmt: skip
    now = int(datetime.fromisoformat("2026-03-02T18:00:00Z").timestamp() * 1000)
    for kind, fields, flaws in (("play", play, PLAY_FLAWS), ("ad", ad, AD_FLAWS)):
        for flaw in flaws:
            line = flaw.line(fields)
            assert b"\n" not in line, flaw.name
            with pytest.raises(events.InvalidEvent) as refusal:
                events.decode_line(kind, line, now)
            assert refusal.value.reason == flaw.reason, flaw.name
