"""One measure in a process of its own: `python -m tests.bench.child NAME …` prints it as JSON."""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from beam_pipeline.domain.decode import decode
from beam_pipeline.edges.lookups import FileReferences
from beam_pipeline.edges.places import ZipPlaces
from beam_pipeline.transforms.resources import opened
from beam_pipeline.transforms.score import Targeting
from infra.local.stack import Ports, Stack
from tests.bench import per_event, whole
from tests.bench.core import Core, frames_of
from tests.bench.work import NEXT, Work

Result = dict[str, object]
PAIRS = 11
"""Of runs with scoring and without; the median counts."""


def decoding(work: Work, rows: int) -> Result:
    """Bytes to validated frames."""
    frames = list(frames_of(work.blocks(), rows))
    begun = time.perf_counter()
    plays = sum(decode(blocks).plays.height for blocks in frames)
    return {"seconds": time.perf_counter() - begun, "rows": {"plays": plays}}


def core(work: Work, rows: int) -> Result:
    """Bytes to encoded documents; messages are read from the file between the timings."""
    middle = Core(FileReferences(work.customers, work.tracks).open(), ZipPlaces().open())
    for blocks in frames_of(work.blocks(), rows):
        middle.take(blocks)
    middle.finish()
    return {"seconds": middle.seconds, "rows": middle.documents}


def pipeline(work: Work, rows: int) -> Result:
    """The whole pipeline; reading the file counts, reference data is opened before."""
    del rows
    seconds, told = _piped(work)
    return {"seconds": seconds, "rows": told}


def _piped(work: Work, targeting: Targeting | None = None) -> tuple[float, dict[str, int]]:
    """Seconds of the whole pipeline, and the rows that came out."""
    opened(ZipPlaces())
    opened(FileReferences(work.customers, work.tracks))
    begun = time.perf_counter()
    told = whole.run(work, targeting=targeting)
    return time.perf_counter() - begun, told


def scoring(work: Work, rows: int) -> Result:
    """The whole pipeline, choosing customers beside all else, and the same `without`.

    In the `first` run every customer's features are read and decisions are taken; the others, of
    so many `seconds`, are of the plays that follow: then they are known. One run differs from the
    next by a tenth, so `cost` is the median of several pairs, taken in turn in both orders.
    """
    del rows
    following = replace(work, start=NEXT)
    following.make()
    # Here, for what trains a model for it would be in the memory of every other measure.
    from tests.bench.scoring import prepare

    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder) / "stack", Ports.free())
        try:
            targeting = prepare(work, stack.redis, Path(folder) / "models")
            _piped(work)
            first_without, _ = _piped(work)
            first, rows_of_first = _piped(work, targeting)
            pairs = [_with_and_without(following, targeting, n % 2 == 0) for n in range(PAIRS)]
        finally:
            stack.stop()
    return {
        "seconds": median(known for known, _ in pairs),
        "cost": median(known / without for known, without in pairs),
        "first": first,
        "first_without": first_without,
        "rows": rows_of_first,
    }


def _with_and_without(work: Work, targeting: Targeting, without_first: bool) -> tuple[float, float]:
    if without_first:
        without, _ = _piped(work)
        return _piped(work, targeting)[0], without
    return _piped(work, targeting)[0], _piped(work)[0]


def naive(work: Work, rows: int) -> Result:
    """The pipeline that one would write otherwise."""
    del rows
    begun = time.perf_counter()
    told = per_event.run(work)
    return {"seconds": time.perf_counter() - begun, "rows": told}


MEASURES = {
    "decode": decoding,
    "core": core,
    "pipeline": pipeline,
    "scoring": scoring,
    "per-event": naive,
}


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.child", description=__doc__)
    parser.add_argument("measure", choices=MEASURES)
    parser.add_argument("--folder", type=Path, required=True, help="where the work lies")
    parser.add_argument("--plays", type=int, required=True)
    parser.add_argument("--rows", type=int, default=10_000, help="of a frame")
    chosen = parser.parse_args()
    result = MEASURES[chosen.measure](Work(chosen.folder, chosen.plays), chosen.rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({**result, "plays": chosen.plays, "peak_bytes": peak}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
