"""The whole flow, from blocks of lines to the stores.

blocks ─ decode ─┬─ events ─ shard by customer ─ history ─┬─ rows ─┬────────┐
                 │                                        │        └ score ─┤
                 ├─ changes ──────────────────────────────┤ changes ─ count ┤
                 ├─ dead letters, outcomes of messages ────────────────────┴─ write
                 └─ verdicts ─ ratio ─ alarm
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.pvalue import PCollection

from beam_pipeline.domain.lines import Block
from beam_pipeline.domain.ratio import DEFAULT_LIMIT
from beam_pipeline.domain.references import Places, References
from beam_pipeline.transforms.count import Count, Pace
from beam_pipeline.transforms.decode import Decode
from beam_pipeline.transforms.frames import Rows, register_coders
from beam_pipeline.transforms.history import TrackHistory
from beam_pipeline.transforms.ratio import WatchRatio
from beam_pipeline.transforms.resources import Opens
from beam_pipeline.transforms.score import Score, Targeting
from beam_pipeline.transforms.shard import ShardByCustomer
from beam_pipeline.transforms.write import Recorder, Store, WriteTo


@dataclass(frozen=True, slots=True)
class Destination:
    """A store to write to."""

    store: Opens[Store]
    keeps_versions: bool = False
    """It keeps every version of a row, so it is given changed counts at a slower pace."""


def build(
    blocks: PCollection[Block],
    references: Opens[References],
    places: Opens[Places],
    destinations: Sequence[Destination],
    *,
    targeting: Targeting | None = None,
    progress: Opens[Recorder] | None = None,
    shards: int = 1,
    pace: Pace | None = None,
    dead_letter_limit: float = DEFAULT_LIMIT,
    write_behind: bool = False,
) -> PCollection[Rows]:
    """Put the pipeline together; whether it ends is for `blocks` to say.

    Args:
        blocks: what came in.
        references, places: the sides of the enrichment join.
        destinations: every one is given every dataset, and takes those it knows.
        targeting: how customers are chosen for offers; without it nobody is.
        progress: where to record how far the plays of each store have come.
        shards: how many ways customers are split.
        pace: how often changed counts are given.
        dead_letter_limit: the share of a minute's events past which an alarm is raised.
        write_behind: whether a bundle may end before its rows are written (see `WriteTo`).

    Returns:
        The dead letters of rows that a store refused; they were given to the destinations again.
    """
    register_coders()
    decoded = blocks | "Decode" >> Decode()
    history = (
        decoded.events
        | "Shard" >> ShardByCustomer(shards)
        | "History" >> TrackHistory(references, places)
    )
    rows = {"events": history.rows, "letters": decoded.rows}
    if targeting is not None:
        rows["targets"] = history.rows | "Score" >> Score(references, targeting)
    counts = (decoded.changes, history.changes) | "Count" >> Count(pace or Pace())
    decoded.verdicts | "Ratio" >> WatchRatio(dead_letter_limit, pace)
    given = {what: (some, destinations) for what, some in rows.items()}
    given["counts"] = counts.live, [one for one in destinations if not one.keeps_versions]
    given["versions of counts"] = counts.ledger, [one for one in destinations if one.keeps_versions]
    refused = []
    for what, (some, takers) in given.items():
        write = WriteTo([one.store for one in takers], progress, behind=write_behind)
        if takers:
            refused.append(some | f"Write {what}" >> write)
    letters = refused | "Refused" >> beam.Flatten()
    letters | "Write refused" >> WriteTo([one.store for one in destinations])
    return letters
