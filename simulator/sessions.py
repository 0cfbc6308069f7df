"""Plays as they happen, before anything goes wrong: sessions, bursts of one track, bots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.catalogue import Catalogue
from simulator.crowd import Crowd
from simulator.habits import Habits
from simulator.people import People
from simulator.places import Places
from simulator.rules import HALF_HOUR_MS, HOUR_MS
from simulator.seeds import stream
from simulator.taste import Taste

PLAYS = pl.Schema(
    {
        "published": pl.Int64(),
        "played": pl.Int64(),
        "offset": pl.Int16(),
        "person": pl.Int32(),
        "customer_id": pl.Int64(),
        "track": pl.Int32(),
        "track_id": pl.Int64(),
        "mobile": pl.Boolean(),
        "place": pl.Int32(),
        "session": pl.Int32(),
        "series": pl.Int64(),
        "half": pl.Int64(),
        "rank": pl.Int32(),
        "copied": pl.Boolean(),
        "newer": pl.Boolean(),
        "flaw": pl.UInt8(),
    }
)
"""A slice of plays: times in ms of the UTC epoch, offset in minutes; person, track and place are
rows (-1: not in the reference data); series, half and rank make the event id; `copied` marks a
play sent more than once, `newer` a client with fields of the future, `flaw` the number of a
malformation (0 none)."""

LONGEST_SESSION = 40
TRAVELLING = 0.04
SWITCHING = 0.04
BURST_PLAYS = (3, 8)
BURST_MEAN = (BURST_PLAYS[0] + BURST_PLAYS[1]) / 2
EDGE_PLAYS = 3
BOT_PAUSE_S = 31.0

Columns = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True, eq=False)
class Town:
    """Everything that a slice of plays is drawn from; `bursts` and `bots` are shares of plays."""

    people: People
    habits: Habits
    catalogue: Catalogue
    places: Places
    crowd: Crowd
    taste: Taste
    seed: int
    rate: float
    bursts: float
    bots: float
    bots_seed: int


def plays_begun(town: Town, at_ms: int, length_ms: int) -> pl.DataFrame:
    """All plays of the sessions begun in one slice of time, as PLAYS, published as played.

    A session runs on past the end of the slice; nothing depends on other slices.
    """
    parts = []
    for hour_ms in range(at_ms, at_ms + length_ms, HOUR_MS):
        within_ms = min(HOUR_MS, at_ms + length_ms - hour_ms)
        parts += [make(town, hour_ms, within_ms) for make in (_sessions, _bursts, _bots)]
    first = 0
    for part in parts:
        part["session"] = part["session"] + first
        first = int(part["session"].max(initial=first - 1)) + 1
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    person, track, place = columns["person"], columns["track"], columns["place"]
    ids = town.people.ids[person]
    offset = town.places.offsets(town.places.zone_at(place), columns["played"])
    return pl.DataFrame(
        {
            "published": columns["played"],
            "played": columns["played"],
            "offset": offset,
            "person": person,
            "customer_id": ids,
            "track": track,
            "track_id": town.catalogue.ids[track],
            "mobile": columns["mobile"],
            "place": place,
            "session": columns["session"],
            "series": np.full(len(person), at_ms // 1000, np.int64),
            "half": ids // 2,
            "rank": running_number(ids),
            "copied": np.zeros(len(person), bool),
            "newer": np.zeros(len(person), bool),
            "flaw": np.zeros(len(person), np.uint8),
        },
        schema=PLAYS,
    )


def running_number(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """0, 1, 2 … for each id separately, in the order given."""
    order = np.argsort(ids, kind="stable")
    sorted_ids = ids[order]
    fresh = np.concatenate([[True], sorted_ids[1:] != sorted_ids[:-1]])[: len(ids)]
    place = np.arange(len(ids))
    first = np.maximum.accumulate(np.where(fresh, place, 0)) if len(ids) else place
    number = np.empty(len(ids), np.int32)
    number[order] = place - first
    return number


def _sessions(town: Town, at_ms: int, length_ms: int) -> Columns:
    rng = stream(town.seed, "sessions", at_ms)
    who = town.crowd.sessions(rng, at_ms, length_ms, 1 - town.bursts - town.bots)
    plays = np.minimum(rng.geometric(1 / town.habits.session_plays[who]), LONGEST_SESSION)
    start = at_ms + rng.integers(0, length_ms, len(who))
    session = np.repeat(np.arange(len(who), dtype=np.int32), plays)
    person = who[session]
    track = town.taste.tracks(rng, person)
    again = running_number(session * np.int64(len(town.catalogue.ids)) + track) > 0
    track[again] = town.taste.discoveries(rng, int(again.sum()))
    heard = town.catalogue.length_s[track] * 1000.0
    fate = rng.random(len(person))
    skipping = town.habits.skipping[person]
    heard = np.where(fate < skipping, rng.uniform(5_000, 30_000, len(person)), heard)
    heard = np.where(fate > 0.93, heard * rng.uniform(0.3, 1, len(person)), heard)
    ends = (heard + rng.uniform(200, 3_000, len(person))).astype(np.int64).cumsum()
    began = np.concatenate([[0], ends])[: len(person)]
    first = np.concatenate([[0], plays.cumsum()[:-1]])[: len(who)].astype(np.int64)
    played = start[session] + began - began[first][session]
    switch = np.where(rng.random(len(who)) < SWITCHING, rng.integers(1, LONGEST_SESSION, len(who)),
                      LONGEST_SESSION)  # fmt: skip
    nth = np.arange(len(person)) - first[session]
    mobile = (rng.random(len(who)) < town.habits.mobile[who])[session] ^ (nth >= switch[session])
    place = _whereabouts(town, rng, who)[session]
    return {"played": played, "person": person, "track": track, "mobile": mobile, "place": place,
            "session": session}  # fmt: skip


def _bursts(town: Town, at_ms: int, length_ms: int) -> Columns:
    """One track again and again: mostly looped, some slowly, some at exactly 30 minutes."""
    rng = stream(town.seed, "bursts", at_ms)
    mean = town.bursts * town.crowd.expected(at_ms, length_ms) / BURST_MEAN
    who = town.crowd.some(rng, at_ms, int(rng.poisson(mean)))
    style = rng.random(len(who))
    edge = style > 0.95
    plays = np.where(edge, EDGE_PLAYS, rng.integers(*BURST_PLAYS, len(who), endpoint=True))
    session = np.repeat(np.arange(len(who), dtype=np.int32), plays)
    track = town.taste.tracks(rng, who)[session]
    looped = town.catalogue.length_s[track] * 1000 * rng.uniform(0.3, 1, len(track)) + 1_000
    slow = rng.uniform(360_000, 960_000, len(track))
    gap = np.where((style > 0.75)[session], slow, looped).astype(np.int64)
    began = np.concatenate([[0], gap.cumsum()])[: len(track)]
    first = np.concatenate([[0], plays.cumsum()[:-1]])[: len(who)].astype(np.int64)
    since = began - began[first][session]
    nth = np.arange(len(track)) - first[session]
    beyond = rng.integers(0, 1, len(who), endpoint=True)
    since = np.where(edge[session] & (nth == EDGE_PLAYS - 1), HALF_HOUR_MS + beyond[session], since)
    start = at_ms + rng.integers(0, length_ms, len(who))
    mobile = rng.random(len(who)) < town.habits.mobile[who]
    return {"played": start[session] + since, "person": who[session], "track": track,
            "mobile": mobile[session], "place": _whereabouts(town, rng, who)[session],
            "session": session}  # fmt: skip


def _bots(town: Town, at_ms: int, length_ms: int) -> Columns:
    """A few accounts that play one track round the clock, as fast as a play counts."""
    wanted = town.bots * town.rate
    count = min(int(np.ceil(wanted * BOT_PAUSE_S)), len(town.people))
    pick = stream(town.bots_seed, "bots")
    bots = pick.choice(len(town.people), count, replace=False).astype(np.int32)
    loops = town.taste.tracks(pick, bots)
    pause_ms = int(1000 * count / wanted) if count else 1
    nth = np.arange(at_ms // pause_ms, (at_ms + length_ms) // pause_ms + 1) * pause_ms
    shift = pick.integers(0, pause_ms, count)
    at = (nth[None, :] + shift[:, None]).ravel()
    person, track = np.repeat(bots, len(nth)), np.repeat(loops, len(nth))
    mine = (at >= at_ms) & (at < at_ms + length_ms)
    person = person[mine]
    return {"played": at[mine], "person": person, "track": track[mine],
            "mobile": np.zeros(len(person), bool), "place": town.people.place[person],
            "session": np.arange(len(person), dtype=np.int32)}  # fmt: skip


def _whereabouts(
    town: Town, rng: np.random.Generator, who: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Home, or now and then anywhere."""
    away = rng.choice(town.places.homes, len(who))
    return np.where(rng.random(len(who)) < TRAVELLING, away, town.people.place[who])
