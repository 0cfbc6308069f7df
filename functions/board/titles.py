"""What tracks are called: `listening` knows them by id, the plays know their titles."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from functions.board.cache import Cache
from functions.board.catalogue import Chart
from functions.board.searches import Row, Search
from functions.board.units import HOUR_MS

_SERVES_S = 3_600.0
_UNKNOWN_SERVES_S = 60.0
_HEARD_WITHIN_MS = 2 * HOUR_MS
"""The tracks that are asked about were played in the newest windows."""


class Titles:
    """Titles and artists by track id, remembered for an hour."""

    def __init__(self, ask: Callable[[Sequence[Search]], list[Mapping[str, Any]]]) -> None:
        self._ask = ask
        self._known: Cache[Row] = Cache(most=20_000)

    def add(self, chart: Chart, rows: list[Row], now: float) -> list[Row]:
        """The rows, those of tracks with `title` and `artist`; None where nobody knows them."""
        if "track" not in chart.by or not rows or "title" in rows[0]:
            return rows
        missing = [row["track"] for row in rows if self._known.get(row["track"], now) is None]
        if missing:
            self._look_up(missing, now)
        return [{**row, **(self._known.get(row["track"], now) or _NOBODY)} for row in rows]

    def _look_up(self, tracks: list[str], now: float) -> None:
        where = [
            {"terms": {"track_id": tracks}},
            {"exists": {"field": "title"}},
            {"range": {"played_at": {"gte": int(now * 1000) - _HEARD_WITHIN_MS}}},
        ]
        named = {"top_hits": {"size": 1, "_source": ["title", "artist"]}}
        terms = {"field": "track_id", "size": len(tracks)}
        body = {
            "query": {"bool": {"filter": where}},
            "size": 0,
            "track_total_hits": False,
            "aggs": {"track": {"terms": terms, "aggs": {"named": named}}},
        }
        answer = self._ask([Search("plays-*", body)])[0]
        for track in tracks:
            self._known.put(track, _NOBODY, now + _UNKNOWN_SERVES_S)
        for bucket in answer.get("aggregations", {}).get("track", {}).get("buckets", ()):
            source = bucket["named"]["hits"]["hits"][0]["_source"]
            self._known.put(bucket["key"], source, now + _SERVES_S)


_NOBODY: Row = {"title": None, "artist": None}
