"""Counts of plays taken from `listening`, where they stand ready by window, dimension and key.

Only a view of all regions and devices can be served like this. The numbers are the same as a
count of the plays themselves: a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from functions.board.catalogue import Chart
from functions.board.searches import BEFORE, NOW, Clause, Row, Search, complete, search
from functions.board.units import HOUR_MS, MINUTE_MS, milliseconds
from functions.board.view import Times, View

INDEX = "listening"
_COMPARED_MS = 2 * HOUR_MS
"""Back to the windows that the newest are held against."""
_FIXED_MS, _SLIDING_MS = 5 * MINUTE_MS, 30 * MINUTE_MS


def serves(chart: Chart, view: View, times: Times) -> bool:
    """Whether the chart's rows stand in `listening`."""
    if not chart.listening or view.narrowed:
        return False
    return chart.span is not None or times.bucket_ms % _FIXED_MS == 0


def searches(chart: Chart, times: Times) -> list[Search]:
    """What to ask; `rows` reads the answers."""
    if chart.span is not None:
        return [_newest_windows(chart, times)]
    late = search(chart, View(), times, None)
    late.body["query"]["bool"]["filter"].append({"term": {"is_late": True}})
    return [_over_time(chart, times), late]


def rows(chart: Chart, answers: list[Mapping[str, Any]], times: Times) -> list[Row]:
    """The chart's rows."""
    if chart.span is not None:
        return _ranked(chart, answers[0])
    (group, split), (axis, _) = chart.by.items()
    value = next(iter(chart.values))
    sums: dict[tuple[str, int], int] = {}
    for answer in answers:
        for outer in answer.get("aggregations", {}).get(group, {}).get("buckets", ()):
            key = split.names.get(outer["key"], outer["key"])
            for inner in outer[axis]["buckets"]:
                at = (key, int(inner["key"]))
                count = inner[value]["value"] if value in inner else inner["doc_count"]
                sums[at] = sums.get(at, 0) + int(count)
    found = [{group: key, axis: at, value: count} for (key, at), count in sums.items()]
    return complete(chart, found, times)


def first_search(view: View, now_ms: int) -> Search:
    """When listening began, as far back as the view or a comparison goes: `first` reads it."""
    back_ms = max(view.range_ms, _COMPARED_MS)
    where = [dimension("all"), {"range": {"window_end": {"gt": now_ms - back_ms}}}]
    return Search(
        INDEX,
        {
            "query": {"bool": {"filter": where}},
            "size": 0,
            "track_total_hits": False,
            "aggs": {"first": {"min": {"field": "window_end"}}},
        },
    )


def first(answer: Mapping[str, Any]) -> int | None:
    """The beginning of the oldest window of 5 minutes; None when there is none."""
    found = answer.get("aggregations", {}).get("first", {}).get("value")
    return None if found is None else int(found) - _FIXED_MS


def dimension(name: str) -> Clause:
    """The rows of one dimension."""
    return {"term": {"dimension": name}}


def exactly(windows: Iterable[tuple[int, int]]) -> Clause:
    """These windows [start, end) and no others.

    Windows of both lengths lie in one index, and a query cannot compare two fields. But within
    one class of starts modulo 30 minutes, a pair of a start and an end is of one length only.
    """
    classes: dict[int, list[tuple[int, int]]] = {}
    for window in windows:
        classes.setdefault(window[0] % _SLIDING_MS, []).append(window)
    pairs = [
        [
            {"terms": {"window_start": [start for start, _ in same]}},
            {"terms": {"window_end": [end for _, end in same]}},
        ]
        for same in classes.values()
    ]
    return {"bool": {"should": [{"bool": {"filter": pair}} for pair in pairs]}}


def _over_time(chart: Chart, times: Times) -> Search:
    """Sums of windows that tile the range, as long as they can be."""
    length_ms = _SLIDING_MS if times.bucket_ms % _SLIDING_MS == 0 else _FIXED_MS
    starts = range(times.from_ms, times.now_ms + _FIXED_MS + 1, length_ms)
    (group, split), (axis, _) = chart.by.items()
    value = next(iter(chart.values))
    summed = {value: {"sum": {"field": "plays"}}}
    histogram = {
        "field": "window_start",
        "fixed_interval": f"{times.bucket_ms}ms",
        "min_doc_count": 1,
    }
    over_time = {axis: {"date_histogram": histogram, "aggs": summed}}
    where = [dimension(chart.listening), exactly((start, start + length_ms) for start in starts)]
    aggs = {group: {"terms": {"field": "key", "size": split.top}, "aggs": over_time}}
    return _search(where, aggs)


def _newest_windows(chart: Chart, times: Times) -> Search:
    assert chart.span is not None
    length_ms = milliseconds(chart.span.window)
    now = exactly([times.window(length_ms)])
    before = exactly([times.window(length_ms, milliseconds(chart.span.against))])
    (group, split) = next(iter(chart.by.items()))
    where = [dimension(chart.listening), {"bool": {"should": [now, before]}}, _known()]
    summed = {"plays": {"sum": {"field": "plays"}}}
    terms = {
        "field": "key",
        "size": split.top,
        "order": [{f"{NOW}>plays": "desc"}, {"_key": "asc"}],
    }
    windows = {NOW: {"filter": now, "aggs": summed}, BEFORE: {"filter": before, "aggs": summed}}
    return _search(where, {group: {"terms": terms, "aggs": windows}})


def _known() -> Clause:
    """Leaves out what the reference data does not know, as a play without the field is."""
    return {"bool": {"must_not": {"term": {"key": "unknown"}}}}


def _search(where: list[Clause], aggs: dict[str, Any]) -> Search:
    return Search(
        INDEX,
        {
            "query": {"bool": {"filter": where}},
            "size": 0,
            "track_total_hits": False,
            "aggs": aggs,
        },
    )


def _ranked(chart: Chart, answer: Mapping[str, Any]) -> list[Row]:
    group, value = next(iter(chart.by)), next(iter(chart.values))
    found = [
        {
            group: bucket["key"],
            value: int(bucket[NOW]["plays"]["value"]),
            BEFORE: int(bucket[BEFORE]["plays"]["value"]),
        }
        for bucket in answer.get("aggregations", {}).get(group, {}).get("buckets", ())
    ]
    return [row for row in found if row[value]]
