"""What goes wrong between a listener and us; each fault has its own rate and its own seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from simulator.malformed import AD_FLAWS, PLAY_FLAWS
from simulator.rules import DAY_MS, HORIZON_MS, HOUR_MS, LATE_MS, MINUTE_MS, SKEW_MS
from simulator.seeds import stream
from simulator.sessions import Town

MARGIN_MS = 5 * MINUTE_MS
"""How far every play keeps from the two-hour limit, so that all its copies lie on one side even
when a request gives its whole batch one time of publication."""
LONGEST_RETRY_MS = 5 * HOUR_MS
HERD_MS = 2 * MINUTE_MS
MADE_UP = 1_000_000
"""Added to the rank of a malformed line, so that its event id is nobody else's."""


@dataclass(frozen=True)
class Fault:
    """How often (a share, unless its flag says otherwise) and by which seed (None: the run's)."""

    rate: float = 0.0
    seed: int | None = None


OFF = Fault()


def usually(rate: float, text: str) -> dict[str, float | str]:
    """What a field of Faults knows of its fault: its rate on a bad day, and its help."""
    return {"usual": rate, "help": text}


@dataclass(frozen=True)
class Faults:
    """All faults of a run; `Faults.usual()` has every one of them on."""

    duplicates: Fault = field(
        default=OFF, metadata=usually(0.02, "plays sent again, seconds to 5 hours later")
    )
    far_duplicates: Fault = field(
        default=OFF,
        metadata=usually(0.0005, "plays sent again beyond the dedup horizon of 6 hours"),
    )
    disorder: Fault = field(
        default=OFF, metadata=usually(0.2, "plays that arrive up to a minute late, out of order")
    )
    offline: Fault = field(
        default=OFF, metadata=usually(0.03, "plays kept on a phone and sent minutes to a day later")
    )
    skew: Fault = field(
        default=OFF,
        metadata=usually(0.004, "plays of a clock that runs ahead; half of them too far"),
    )
    stale: Fault = field(default=OFF, metadata=usually(0.001, "plays older than 30 days"))
    unknown_customers: Fault = field(
        default=OFF, metadata=usually(0.01, "plays of customers that nobody knows")
    )
    unknown_tracks: Fault = field(
        default=OFF, metadata=usually(0.01, "plays of tracks that nobody knows")
    )
    unknown_zips: Fault = field(
        default=OFF, metadata=usually(0.005, "plays at a zip that does not exist")
    )
    malformed: Fault = field(
        default=OFF, metadata=usually(0.006, "lines that are no valid event, of many kinds")
    )
    newer: Fault = field(
        default=OFF, metadata=usually(0.02, "lines of future clients, with fields we do not know")
    )
    bots: Fault = field(
        default=OFF, metadata=usually(0.002, "plays of accounts that loop one track day and night")
    )
    surges: Fault = field(
        default=OFF,
        metadata=usually(0.5, "times an hour that two minutes of plays arrive within a second"),
    )

    @classmethod
    def usual(cls) -> Faults:
        """Every fault on, at the rate of a bad day."""
        return cls(**{f.name: Fault(f.metadata["usual"]) for f in fields(cls)})

    def replaced(self, changes: dict[str, Fault]) -> Faults:
        """The same with some faults changed."""
        return replace(self, **changes)


@dataclass(frozen=True)
class _Chance:
    """One fault's random stream in one slice."""

    rng: np.random.Generator
    rate: float

    def hits(self, count: int) -> npt.NDArray[np.bool_]:
        """Which of `count` plays it strikes."""
        return self.rng.random(count) < self.rate

    def between(self, low: float, high: float, count: int) -> npt.NDArray[np.int64]:
        """Milliseconds spread evenly over the orders of magnitude from `low` to `high`."""
        return np.exp(self.rng.uniform(np.log(low), np.log(high), count)).astype(np.int64)


Step = Callable[[pl.DataFrame, _Chance, Town], pl.DataFrame]


def spoil(plays: pl.DataFrame, faults: Faults, town: Town, at_ms: int) -> pl.DataFrame:
    """One slice of PLAYS or ADS with its faults: some rows moved or changed, others added."""
    kind = "ad" if "ad" in plays.columns else "play"
    steps = (*(AD_STEPS if kind == "ad" else PLAY_STEPS), *COPYING)
    for name, step in steps:
        one: Fault = getattr(faults, name)
        if one.rate > 0 and plays.height:
            seed = town.seed if one.seed is None else one.seed
            rng = stream(seed, f"fault {name} {kind}", at_ms)
            plays = step(plays, _Chance(rng, one.rate), town)
        if name == "stale":
            plays = _away_from_the_limit(plays)
    return _herd(plays, faults.surges, town.seed) if plays.height else plays


def _unknown_customers(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    ids = plays["customer_id"].to_numpy()
    hit = chance.hits(len(ids))
    return plays.with_columns(
        customer_id=np.where(hit, town.people.stranger + ids % 97, ids),
        person=np.where(hit, np.int32(-1), plays["person"].to_numpy()),
    )


def _unknown_tracks(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    ids = plays["track_id"].to_numpy()
    hit = chance.hits(len(ids))
    return plays.with_columns(
        track_id=np.where(hit, town.catalogue.stranger + ids % 997, ids),
        track=np.where(hit, np.int32(-1), plays["track"].to_numpy()),
    )


def _unknown_zips(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    hit = chance.hits(plays.height)
    return plays.with_columns(place=np.where(hit, np.int32(-1), plays["place"].to_numpy()))


def _newer(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    return plays.with_columns(newer=chance.hits(plays.height))


def _disorder(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    delay = np.where(chance.hits(plays.height), chance.between(50, MINUTE_MS, plays.height), 0)
    return plays.with_columns(published=plays["published"].to_numpy() + delay)


def _offline(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    """Whole sessions on a phone without a network: their plays arrive together."""
    session = plays["session"].to_numpy()
    sessions = int(session.max()) + 1
    hit = chance.hits(sessions)[session]
    over = np.zeros(sessions, np.int64)
    np.maximum.at(over, session, plays["played"].to_numpy())
    back = (over + chance.between(5 * MINUTE_MS, DAY_MS, sessions))[session]
    return plays.with_columns(
        published=np.where(hit, np.maximum(back, plays["published"].to_numpy()),
                           plays["published"].to_numpy()),
        mobile=plays["mobile"].to_numpy() | hit,
    )  # fmt: skip


def _skew(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    """Half within the five minutes that are forgiven, half well beyond."""
    count = plays.height
    hit, far = chance.hits(count), chance.rng.random(count) < 0.5
    ahead = np.where(far, chance.between(SKEW_MS + MINUTE_MS, 3 * HOUR_MS, count),
                     chance.between(1_000, SKEW_MS - MINUTE_MS, count))  # fmt: skip
    hit &= plays["published"].to_numpy() - plays["played"].to_numpy() < MINUTE_MS
    played = plays["published"].to_numpy() + ahead
    return plays.with_columns(played=np.where(hit, played, plays["played"].to_numpy()))


def _stale(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    age = chance.between(31 * DAY_MS, 400 * DAY_MS, plays.height)
    played = plays["played"].to_numpy()
    return plays.with_columns(played=np.where(chance.hits(plays.height), played - age, played))


def _away_from_the_limit(plays: pl.DataFrame) -> pl.DataFrame:
    """Nobody within MARGIN of being too late: what is nearer arrives a little later."""
    late = pl.col("published") - pl.col("played")
    near = late.is_between(LATE_MS - MARGIN_MS, LATE_MS + MARGIN_MS)
    return plays.with_columns(
        published=pl.when(near)
        .then(pl.col("played") + LATE_MS + MARGIN_MS)
        .otherwise(pl.col("published"))
    )


def _far_duplicates(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    """Plays that arrive too late, and once more when the pipeline has forgotten them."""
    count = plays.height
    hit = chance.hits(count) & _sound(plays)
    played = plays["played"].to_numpy()
    first = played + chance.between(LATE_MS + MARGIN_MS, 4 * HOUR_MS, count)
    again = chance.rng.integers(HORIZON_MS + 10 * MINUTE_MS, 8 * HOUR_MS, count)
    plays = plays.with_columns(
        published=np.where(hit, first, plays["published"].to_numpy()),
        copied=plays["copied"].to_numpy() | hit,
    )
    return pl.concat([plays, plays.filter(hit).with_columns(published=(first + again)[hit])])


def _duplicates(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    """One to three copies each, on the same side of the lateness limit as the first."""
    hit = chance.hits(plays.height) & _sound(plays)
    times = np.minimum(chance.rng.geometric(0.75, int(hit.sum())), 3)
    copies = plays.filter(hit)[np.repeat(np.arange(len(times)), times)]
    published = copies["published"].to_numpy()
    late = published - copies["played"].to_numpy()
    room = np.where(late > LATE_MS, LONGEST_RETRY_MS, LATE_MS - MARGIN_MS - late)
    delay = chance.between(1_000, LONGEST_RETRY_MS, len(room))
    delay = np.where(delay < room, delay, (room * chance.rng.random(len(room))).astype(np.int64))
    copies = copies.with_columns(published=published + delay, copied=True)
    return pl.concat([plays.with_columns(copied=plays["copied"].to_numpy() | hit), copies])


def _sound(plays: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Plays that are accepted whatever happens, and not yet copied."""
    late = plays["published"].to_numpy() - plays["played"].to_numpy()
    return (late >= -SKEW_MS) & (late < 2 * DAY_MS) & ~plays["copied"].to_numpy()


def _malformed(plays: pl.DataFrame, chance: _Chance, town: Town) -> pl.DataFrame:
    """Further lines beside the plays, each with one thing wrong with it."""
    made = plays.filter(chance.hits(plays.height) & _sound(plays))
    kinds = len(AD_FLAWS if "ad" in plays.columns else PLAY_FLAWS)
    flaw = chance.rng.integers(1, kinds, made.height, endpoint=True)
    made = made.with_columns(flaw=flaw.astype(np.uint8), newer=False, rank=pl.col("rank") + MADE_UP)
    return pl.concat([plays, made])


def _herd(plays: pl.DataFrame, surges: Fault, seed: int) -> pl.DataFrame:
    """Now and then two minutes of plays are held up and arrive at once."""
    if surges.rate <= 0:
        return plays
    published = plays["published"].to_numpy().copy()
    hours = published // HOUR_MS
    for hour in np.unique(hours):
        for moment in surge_moments(int(hour), surges, seed):
            held = (published >= moment - HERD_MS) & (published < moment)
            published[held] = moment + (published[held] * 7919) % 1000
    return plays.with_columns(published=published)


def surge_moments(hour: int, surges: Fault, seed: int) -> Iterator[int]:
    """When the herds of an hour (since the epoch) arrive, ms."""
    rng = stream(seed if surges.seed is None else surges.seed, "fault surges", hour)
    for _ in range(int(rng.poisson(surges.rate))):
        yield hour * HOUR_MS + int(rng.integers(HERD_MS, HOUR_MS))


PLAY_STEPS: tuple[tuple[str, Step], ...] = (
    ("unknown_customers", _unknown_customers),
    ("unknown_tracks", _unknown_tracks),
    ("unknown_zips", _unknown_zips),
    ("newer", _newer),
    ("disorder", _disorder),
    ("offline", _offline),
    ("skew", _skew),
    ("stale", _stale),
)
AD_STEPS = tuple(step for step in PLAY_STEPS if step[0] in {"newer", "disorder", "skew", "stale"})
COPYING: tuple[tuple[str, Step], ...] = (
    ("malformed", _malformed),
    ("far_duplicates", _far_duplicates),
    ("duplicates", _duplicates),
)
