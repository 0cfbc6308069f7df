"""A chart and a view → the body of an Elasticsearch search, and its answer → flat rows.

A row is a mapping of group names and value names; times are ms since the epoch. Groups come in
the order in which Elasticsearch counted them or the catalogue says; empty buckets of time and
hours are there, as zeros.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from functions.board.catalogue import Chart, Condition, Split, Value, Where
from functions.board.units import milliseconds
from functions.board.view import DEVICES, Times, View

Row = dict[str, Any]
Clause = dict[str, Any]
Body = dict[str, Any]

NOW, BEFORE = "now", "before"
_EXACT_UP_TO = 40_000
"""Distinct counts are exact to about so many, and within 1 % above."""
_FEW = 200
"""Of each day's index, at least so many groups are looked at for the largest of all days."""
_EVERY_GROUP = 20_000
"""Where a window lies before midnight and the other after it, each day knows only one."""


@dataclass(frozen=True, slots=True)
class Search:
    """One search: where, and the body."""

    index: str
    body: Body


def search(chart: Chart, view: View, times: Times, customers: Iterable[str] | None) -> Search:
    """The search of a chart that the datasets themselves answer.

    Args:
        customers: those that `view` narrows the customers to; None leaves all.
    """
    assert chart.dataset is not None
    span = chart.span
    where: list[Clause] = list(conditions(chart.where, times))
    if chart.dataset.narrowed == "fields":
        where += narrowing(view)
    elif chart.dataset.narrowed == "customers" and customers is not None:
        where.append({"terms": {"customer_id": list(customers)}})
    if span is not None and span.window:
        windows = _windows(chart, times)
        where.append({"bool": {"should": [between(chart.dataset.time, w) for w in windows]}})
    elif span is not None:
        where.append({"range": {span.day: {"gte": times.day_ms}}})
    else:
        where.append({"range": {chart.dataset.time: {"gte": times.from_ms}}})
    body: Body = {"query": {"bool": {"filter": where}}, "size": 0, "track_total_hits": False}
    if chart.kind == "list":
        newest = [{chart.dataset.time: "desc"}, {"customer_id": "asc"}, {"track_id": "asc"}]
        return Search(
            chart.dataset.index,
            {**body, "size": chart.top, "sort": newest, "_source": list(chart.columns)},
        )
    body["aggs"] = groups(chart, times)
    if not chart.by:
        body["track_total_hits"] = True
    return Search(chart.dataset.index, body)


def groups(chart: Chart, times: Times) -> Body:
    """The aggregations: splits outermost first, then the values."""
    metrics = dict(_metrics(_counted(chart), times))
    if chart.span is not None and chart.span.window:
        assert chart.dataset is not None
        now, before = (between(chart.dataset.time, window) for window in _windows(chart, times))
        metrics = {NOW: {"filter": now, "aggs": metrics}, BEFORE: {"filter": before}}
    aggs = metrics
    for name, split in reversed(list(chart.by.items())):
        aggs = {name: {**_grouping(chart, split, times), **({"aggs": aggs} if aggs else {})}}
    return aggs


def _grouping(chart: Chart, split: Split, times: Times) -> Body:
    assert chart.dataset is not None
    if split.time:
        return {
            "date_histogram": {
                "field": chart.dataset.time,
                "fixed_interval": f"{times.bucket_ms}ms",
                "min_doc_count": 1,
            }
        }
    if split.numbers:
        return {"histogram": {"field": split.field, "interval": 1, "min_doc_count": 1}}
    terms: Body = {"field": split.field, "size": split.top}
    if split.missing:
        terms["missing"] = "unknown"
    if chart.span is not None and chart.span.window:
        terms["order"] = [{NOW: "desc"}, {"_key": "asc"}]
        terms["collect_mode"] = "depth_first"
        terms["shard_size"] = _EVERY_GROUP
    elif split.top < _FEW:
        terms["shard_size"] = _FEW
    return {"terms": terms}


def _counted(chart: Chart) -> list[Value]:
    """The values that are asked for: of a window every group is counted, and named later."""
    windowed = chart.span is not None and bool(chart.span.window)
    return [value for value in chart.values.values() if not (windowed and value.op == "fields")]


def _metrics(values: Iterable[Value], times: Times) -> Iterator[tuple[str, Body]]:
    for value in values:
        if value.op in ("count", "share") and value.where:
            yield (
                value.name,
                {"filter": {"bool": {"filter": list(conditions(value.where, times))}}},
            )
        elif value.op == "distinct":
            cardinality = {"field": value.field, "precision_threshold": _EXACT_UP_TO}
            yield value.name, {"cardinality": cardinality}
        elif value.op in ("sum", "max"):
            yield value.name, {value.op: {"field": value.field}}
        elif value.op == "fields":
            yield value.name, {"top_hits": {"size": 1, "_source": list(value.fields)}}


def conditions(where: Where, times: Times) -> Iterator[Clause]:
    """Filters of a catalogue's `where`."""
    for field, condition in where.items():
        yield _condition(field, condition, times)


def _condition(field: str, condition: Condition, times: Times) -> Clause:
    if condition.within is not None:
        return {"range": {field: {"gte": condition.within[0], "lt": condition.within[1]}}}
    if condition.last is not None:
        return {"range": {field: {"gte": times.now_ms - milliseconds(condition.last)}}}
    if condition.unless is not None:
        return {"bool": {"must_not": {"term": {field: condition.unless}}}}
    return {"term": {field: condition.equals}}


def narrowing(view: View) -> Iterator[Clause]:
    """Filters of plays for the region and the device of a view."""
    if view.state is not None:
        yield {"term": {"state": view.state}}
    if view.device is not None:
        yield {"term": {"is_mobile": DEVICES[view.device]}}


def between(field: str, window: tuple[int, int]) -> Clause:
    """A half-open range."""
    return {"range": {field: {"gte": window[0], "lt": window[1]}}}


def _windows(chart: Chart, times: Times) -> tuple[tuple[int, int], tuple[int, int]]:
    """The window that is shown and the one that it is held against."""
    assert chart.span is not None
    length_ms = milliseconds(chart.span.window)
    return times.window(length_ms), times.window(length_ms, milliseconds(chart.span.against))


def rows(chart: Chart, answer: Mapping[str, Any], times: Times) -> list[Row]:
    """The rows of an answer."""
    if chart.kind == "list":
        return [dict(hit["_source"]) for hit in answer["hits"]["hits"]]
    total = answer["hits"].get("total", {}).get("value", 0)
    bucket = {**answer.get("aggregations", {}), "doc_count": total}
    found = list(_rows(chart, list(chart.by.items()), bucket, {}))
    if chart.span is not None and chart.span.window:
        found = [row for row in found if row[next(iter(chart.values))]]
    return complete(chart, found, times)


def _rows(
    chart: Chart, splits: list[tuple[str, Split]], bucket: Mapping[str, Any], keys: Row
) -> Iterator[Row]:
    if not splits:
        yield {**keys, **_values(chart, bucket)}
        return
    (name, split), rest = splits[0], splits[1:]
    for inner in bucket.get(name, {}).get("buckets", ()):
        key = inner["key"]
        if split.names:
            key = split.names[key]
        elif split.time or split.numbers:
            key = int(key)
        yield from _rows(chart, rest, inner, {**keys, name: key})


def _values(chart: Chart, bucket: Mapping[str, Any]) -> Row:
    inner = bucket
    if chart.span is not None and chart.span.window:
        inner = bucket[NOW]
    found: Row = {}
    for value in _counted(chart):
        if value.op == "fields":
            found |= _newest(value, inner)
        else:
            found[value.name] = _value(value, inner, found)
    if inner is not bucket:
        found[BEFORE] = bucket[BEFORE]["doc_count"]
    return found


def _newest(value: Value, bucket: Mapping[str, Any]) -> Row:
    hits = bucket.get(value.name, {}).get("hits", {}).get("hits", ())
    source = hits[0]["_source"] if hits else {}
    return {field: source.get(field) for field in value.fields}


def _value(value: Value, bucket: Mapping[str, Any], known: Row) -> Any:
    if value.op == "ratio":
        part, whole = (known[name] for name in value.of)
        return part / whole if whole else None
    if value.op in ("count", "share"):
        part = bucket.get(value.name, {}).get("doc_count", 0) if value.where else None
        part = bucket["doc_count"] if part is None else part
        if value.op == "count":
            return part
        return part / bucket["doc_count"] if bucket["doc_count"] else None
    figure = bucket.get(value.name, {}).get("value")
    if figure is None:
        return None if value.op == "max" else 0
    return int(figure)


def complete(chart: Chart, found: list[Row], times: Times) -> list[Row]:
    """Rows in the catalogue's order, and zeros where a bucket of time or an hour is empty."""
    if not found:
        return found
    names = list(chart.by)
    axis = next((n for n, s in chart.by.items() if s.time or s.numbers), None)
    if axis is not None:
        places = _axis(chart.by[axis], times)
        others = [name for name in names if name != axis]
        at = {(*(row[name] for name in others), row[axis]): row for row in found}
        series = dict.fromkeys(tuple(row[name] for name in others) for row in found)
        zeros = dict.fromkeys(chart.values, 0)
        found = [
            at.get((*keys, place)) or {**dict(zip(others, keys, strict=True)), axis: place, **zeros}
            for keys in series
            for place in places
        ]
    for name, split in reversed(list(chart.by.items())):
        if split.order:
            found.sort(key=lambda row, name=name, order=split.order: _place(order, row[name]))  # type: ignore[misc]
    return found


def _axis(split: Split, times: Times) -> range:
    if split.numbers:
        return range(split.numbers[0], split.numbers[1] + 1)
    return times.buckets()


def _place(order: list[str], key: str) -> int:
    return order.index(key) if key in order else len(order)
