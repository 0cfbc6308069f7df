"""Makes the base map, once: `static/us-states.json` out of us-atlas.

    npm pack us-atlas && tar xzf us-atlas-*.tgz
    python -m functions.board.basemap package/states-10m.json

us-atlas (ISC, Michael Bostock) is TopoJSON of U.S. Census Bureau data. Kept are the states that
the Albers projection of the United States draws; arcs are simplified after Visvalingam and
Whyatt ("Line generalisation by repeated elimination of points", 1993), so that neighbours still
share their borders. Each state is given its two letters and a point: the mean of its zips, which
lies where people live (`zipcodes`, GeoNames, CC BY 4.0).
"""

from __future__ import annotations

import argparse
import heapq
import json
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from functions.board.catalogue import load
from functions.board.paths import BASE_MAP

Point = list[int]
Arc = list[Point]
_NOT_DRAWN = frozenset({"PR", "VI", "GU", "AS", "MP"})


def build(atlas: dict[str, Any], least_area: float) -> dict[str, Any]:
    """The base map of a states topology; `least_area` in squared steps of its grid."""
    codes = {text.en: code for code, text in load().words.states.items()}
    points = _points()
    arcs = [_absolute(arc) for arc in atlas["arcs"]]
    used: dict[int, int] = {}
    states = []
    for geometry in atlas["objects"]["states"]["geometries"]:
        code = codes.get(geometry["properties"]["name"])
        if code is None or code in _NOT_DRAWN:
            continue
        longitude, latitude = points[code]
        states.append(
            {
                "type": geometry["type"],
                "arcs": _renumber(geometry["arcs"], used),
                "id": code,
                "properties": {"code": code, "lon": longitude, "lat": latitude},
            }
        )
    return {
        "type": "Topology",
        "transform": atlas["transform"],
        "objects": {"states": {"type": "GeometryCollection", "geometries": states}},
        "arcs": [_relative(simplified(arcs[old], least_area)) for old in used],
    }


def _points() -> dict[str, tuple[float, float]]:
    import zipcodes

    places: dict[str, list[tuple[float, float]]] = {}
    for place in zipcodes.list_all():  # type: ignore[no-untyped-call]
        point = float(place["long"]), float(place["lat"])
        if any(point):
            places.setdefault(place["state"], []).append(point)
    return {
        state: (round(fmean(x for x, _ in found), 2), round(fmean(y for _, y in found), 2))
        for state, found in places.items()
    }


def _renumber(arcs: Any, used: dict[int, int]) -> Any:
    """Arc numbers of the new file; a negative one, ~n, is arc n backwards."""
    if isinstance(arcs, list):
        return [_renumber(inner, used) for inner in arcs]
    number = used.setdefault(arcs if arcs >= 0 else ~arcs, len(used))
    return number if arcs >= 0 else ~number


def _absolute(arc: Arc) -> Arc:
    x = y = 0
    points = []
    for dx, dy in arc:
        x, y = x + dx, y + dy
        points.append([x, y])
    return points


def _relative(arc: Arc) -> Arc:
    return [arc[0]] + [[b[0] - a[0], b[1] - a[1]] for a, b in pairwise(arc)]


def simplified(arc: Arc, least_area: float) -> Arc:
    """The arc without the points that matter least; a closed one keeps four points."""
    kept = set(range(len(arc)))
    before = {place: place - 1 for place in kept}
    after = {place: place + 1 for place in kept}
    least = 4 if arc[0] == arc[-1] else 2

    def area(place: int) -> float:
        (ax, ay), (bx, by), (cx, cy) = (arc[p] for p in (before[place], place, after[place]))
        return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2

    queue = [(area(place), place) for place in range(1, len(arc) - 1)]
    areas = {place: size for size, place in queue}
    heapq.heapify(queue)
    while queue and len(kept) > least:
        size, place = heapq.heappop(queue)
        if place not in kept or size != areas[place]:
            continue
        if size >= least_area:
            break
        kept.remove(place)
        left, right = before[place], after[place]
        after[left], before[right] = right, left
        for neighbour in (left, right):
            if 0 < neighbour < len(arc) - 1:
                areas[neighbour] = max(area(neighbour), size)
                heapq.heappush(queue, (areas[neighbour], neighbour))
    return [arc[place] for place in sorted(kept)]


def _lengths(topology: dict[str, Any]) -> Iterator[int]:
    return (len(arc) for arc in topology["arcs"])


def main() -> int:
    """Write the base map."""
    parser = argparse.ArgumentParser(
        prog="python -m functions.board.basemap",
        description="Makes the base map out of states-10m.json of the npm package us-atlas.",
    )
    parser.add_argument("atlas", type=Path, metavar="FILE", help="states-10m.json")
    parser.add_argument(
        "--least-area", type=float, default=1000.0, metavar="A",
        help="drop points that span less, in squared grid steps (1000)",
    )  # fmt: skip
    asked = parser.parse_args()
    try:
        atlas = json.loads(asked.atlas.read_text())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{asked.atlas} cannot be read: {error}\n")
        return 2
    topology = build(atlas, asked.least_area)
    text = json.dumps(topology, separators=(",", ":"))
    BASE_MAP.write_text(text + "\n")
    points = sum(_lengths(topology))
    sys.stdout.write(f"{BASE_MAP}: {len(text)} bytes, {points} points\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
