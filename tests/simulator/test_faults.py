"""Each fault is there at its rate, follows its own seed, and leaves the rest as it was."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from simulator.faults import Faults
from tests.simulator.conftest import Made, Simulate
from tests.simulator.recount import read

EASE = timedelta(minutes=2, seconds=50)
"""What remains of the five minutes that plays keep from the limit, after a surge of two."""
HALF_DAY = ("--hours", "12", "--rate", "0.25", "--offers", "0")


def sound(run: Made) -> list[dict[str, Any]]:
    """The plays of a run that can be read, as sent."""
    return [json.loads(line) for line in run.lines("play") if read(line, "played_at")]


def delays(run: Made) -> list[timedelta]:
    return [
        datetime.fromisoformat(play["published_at"]) - datetime.fromisoformat(play["played_at"])
        for play in sound(run)
        if "published_at" in play
    ]


def identities(run: Made) -> Counter[tuple[int, str]]:
    return Counter((play["customer_id"], play["event_id"]) for play in sound(run))


@pytest.fixture(scope="module")
def clean(simulate: Simulate) -> Made:
    return simulate(*HALF_DAY)


def test_a_run_without_faults_is_clean_and_in_order(clean: Made) -> None:
    plays = sound(clean)
    assert len(plays) == len(clean.lines("play")) == clean.summary["plays"] > 9_000
    assert clean.summary["rejected"] == clean.summary["duplicate"] == clean.summary["late"] == 0
    assert clean.summary["unknown_customer"] == clean.summary["unknown_track"] == 0
    assert not any("published_at" in play for play in plays)
    times = [datetime.fromisoformat(play["played_at"]) for play in plays]
    assert times == sorted(times)
    assert set(identities(clean).values()) == {1}


def test_every_fault_can_be_seen_on_a_day_with_all_of_them(faulty_day: Made) -> None:
    summary = faulty_day.summary
    assert set(summary["rejected_by_reason"]) == {
        "too_large", "not_utf8", "not_json", "not_object", "missing_field", "wrong_type",
        "out_of_range", "too_old", "clock_skew",
    }  # fmt: skip
    for name in ("duplicate", "again", "late", "unknown_customer", "unknown_track"):
        assert summary[name] > 50, name
    plays = sound(faulty_day)
    assert any("client" in play for play in plays), "newer clients"
    assert any(play["zip"] == "00000" for play in plays), "unknown zips"
    flaws = set(faulty_day.key("rejects")["flaw"])
    assert len(flaws) > 40, "many kinds of malformed lines"


def test_duplicates_come_at_their_rate_equal_to_the_first_but_for_publication(
    simulate: Simulate, clean: Made
) -> None:
    run = simulate(*HALF_DAY, "--duplicates", "0.1")
    copied = [identity for identity, count in identities(run).items() if count > 1]
    assert 0.08 < len(copied) / clean.summary["plays"] < 0.12
    bodies: dict[Any, set[str]] = {}
    for play in sound(run):
        play.pop("published_at", None)
        identity = (play["customer_id"], play["event_id"])
        bodies.setdefault(identity, set()).add(json.dumps(play))
    assert all(len(body) == 1 for body in bodies.values())
    assert bodies.keys() == identities(clean).keys(), "the plays themselves stay as they were"


def test_all_copies_of_a_play_lie_on_one_side_of_the_lateness_limit(faulty_day: Made) -> None:
    sides: dict[Any, set[bool]] = {}
    gaps: dict[Any, list[datetime]] = {}
    for play in sound(faulty_day):
        published = datetime.fromisoformat(play.get("published_at", play["played_at"]))
        late = published - datetime.fromisoformat(play["played_at"]) > timedelta(hours=2)
        identity = (play["customer_id"], play["event_id"])
        sides.setdefault(identity, set()).add(late)
        gaps.setdefault(identity, []).append(published)
    assert all(len(side) == 1 for side in sides.values())
    near = [delay for delay in delays(faulty_day) if abs(delay - timedelta(hours=2)) < EASE]
    assert not near, "none near the limit either"
    spans = [max(times) - min(times) for times in gaps.values() if len(times) > 1]
    assert any(span > timedelta(hours=6) for span in spans)
    beyond = [span for span in spans if span > timedelta(hours=5)]
    assert all(span > timedelta(hours=6, minutes=5) for span in beyond), "none near the horizon"


def test_disorder_delays_by_up_to_a_minute(simulate: Simulate) -> None:
    run = simulate(*HALF_DAY, "--disorder", "0.3")
    late = delays(run)
    assert 0.26 < len(late) / run.summary["plays"] < 0.34
    assert timedelta(0) < min(late)
    assert max(late) <= timedelta(minutes=1)
    times = [datetime.fromisoformat(play["played_at"]) for play in sound(run)]
    assert times != sorted(times)


def test_offline_phones_deliver_whole_sessions_hours_later(simulate: Simulate) -> None:
    run = simulate(*HALF_DAY, "--offline", "0.1")
    waited = delays(run)
    assert 0.06 < len(waited) / run.summary["plays"] < 0.14
    assert max(waited) > timedelta(hours=6)
    assert min(waited) >= timedelta(minutes=5)
    together = Counter(
        (play["customer_id"], play["published_at"]) for play in sound(run) if "published_at" in play
    )
    assert max(together.values()) > 5
    assert all(play["is_mobile"] for play in sound(run) if "published_at" in play)
    assert run.summary["late"] == sum(delay > timedelta(hours=2) for delay in waited) > 100


def test_skewed_clocks_are_forgiven_up_to_five_minutes(simulate: Simulate) -> None:
    run = simulate(*HALF_DAY, "--skew", "0.1")
    ahead = [-delay for delay in delays(run)]
    assert len(ahead) > 300
    assert timedelta(0) < min(ahead) < max(ahead) < timedelta(minutes=5)
    assert run.summary["rejected_by_reason"].keys() == {"clock_skew"}
    assert 0.03 < run.summary["rejected"] / run.summary["received"] < 0.07


def test_stale_plays_are_older_than_thirty_days(simulate: Simulate) -> None:
    run = simulate(*HALF_DAY, "--stale", "0.02")
    assert run.summary["rejected_by_reason"].keys() == {"too_old"}
    assert 0.01 < run.summary["rejected"] / run.summary["received"] < 0.03


@pytest.mark.parametrize("name", ["unknown_customer", "unknown_track"])
def test_strangers_come_at_their_rate(simulate: Simulate, name: str) -> None:
    run = simulate(*HALF_DAY, f"--{name.replace('_', '-')}s", "0.05")
    assert 0.04 < run.summary[name] / run.summary["plays"] < 0.06
    assert run.summary["plays"] == run.summary["received"] - run.summary["ad_events"]


def test_bots_loop_one_track_day_and_night(simulate: Simulate, clean: Made) -> None:
    run = simulate(*HALF_DAY, "--bots", "0.1")
    loudest = run.key("interests").sort("peak", descending=True).head(1)
    assert loudest["peak"][0] > 30
    assert loudest["latest"][0] - loudest["since"][0] > timedelta(hours=11)
    assert clean.key("interests")["peak"].max() < 20  # type: ignore[operator]


def test_surges_bring_two_minutes_of_plays_within_a_second(simulate: Simulate) -> None:
    run = simulate(*HALF_DAY, "--surges", "1")
    moments = Counter(play["published_at"][:18] for play in sound(run) if "published_at" in play)
    assert max(moments.values()) > 20


def test_malformed_lines_come_beside_the_plays(simulate: Simulate, clean: Made) -> None:
    run = simulate(*HALF_DAY, "--malformed", "0.1")
    assert 0.08 < run.summary["rejected"] / clean.summary["received"] < 0.12
    assert set(clean.lines("play")) <= set(run.lines("play"))


def test_newer_clients_send_fields_and_digits_that_nobody_knows(simulate: Simulate) -> None:
    run = simulate(*HALF_DAY, "--newer", "0.1")
    newer = [play for play in sound(run) if "client" in play]
    assert 0.08 < len(newer) / run.summary["plays"] < 0.12
    assert all(len(play["played_at"]) == len("2026-03-02T00:00:00.000999-06:00") for play in newer)


def test_a_faults_own_seed_moves_that_fault_alone(simulate: Simulate) -> None:
    flags = (*HALF_DAY, "--unknown-zips", "0.05")
    one, same, other = (simulate(*flags, "--malformed", f"0.05:{n}") for n in (1, 1, 2))
    assert one.lines("play") == same.lines("play")
    assert one.lines("play") != other.lines("play")
    assert {json.dumps(play) for play in sound(one)} == {json.dumps(play) for play in sound(other)}


def test_the_usual_mix_has_every_fault_on() -> None:
    usual = Faults.usual()
    assert all(getattr(usual, name).rate > 0 for name in Faults.__dataclass_fields__)
