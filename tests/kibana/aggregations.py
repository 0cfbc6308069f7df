"""What Kibana would ask: an aggregation rebuilt from the columns of a Lens layer alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]


def clause(query: str) -> Json:
    """The part of Kibana's query language that the dashboards use, as a filter."""
    return {"bool": {"filter": [_term(term) for term in query.split(" and ") if term]}}


def _term(term: str) -> Json:
    if term.startswith("not "):
        return {"bool": {"must_not": _term(term[4:])}}
    found = re.fullmatch(r'(\w+) ?(:|>=|<) ?"?([^"]*)"?', term)
    assert found is not None, term
    field, sign, value = found.groups()
    if sign == ":":
        return {"exists": {"field": field}} if value == "*" else {"term": {field: value}}
    return {"range": {field: {"gte" if sign == ">=" else "lt": value}}}


def aggregation(columns: Mapping[str, Json], interval: str) -> Json:
    """Groups in the order of the columns, each with the figures that it is ordered by."""
    groups = [(name, column) for name, column in columns.items() if column["isBucketed"]]
    figures = {
        name: aggs
        for name, column in columns.items()
        if not column["isBucketed"] and (aggs := _figure(column)) is not None
    }
    nested: Json = figures
    for place, (name, column) in reversed(list(enumerate(groups))):
        own = _group(column, interval)
        order = column.get("params", {}).get("orderBy", {})
        if order.get("type") == "column":
            figure = figures[order["columnId"]]
            plain = columns[order["columnId"]]["operationType"] == "count"
            own["terms"]["order"] = {"_count" if plain else order["columnId"]: "desc"}
            if not plain and place < len(groups) - 1:
                nested = {**nested, order["columnId"]: figure}
        nested = {name: {**own, "aggs": nested}}
    return nested


def _group(column: Json, interval: str) -> Json:
    if column["operationType"] == "date_histogram":
        return {"date_histogram": {"field": column["sourceField"], "fixed_interval": interval}}
    params = column["params"]
    terms = {"field": column["sourceField"], "size": params["size"], "shard_size": 500}
    if params["orderBy"]["type"] == "alphabetical":
        terms["order"] = {"_key": "asc"}
    if params["missingBucket"]:
        terms["missing"] = "unknown"
    return {"terms": terms}


def _figure(column: Json) -> Json | None:
    operation = column["operationType"]
    if operation in ("math", "formula"):
        return None
    field = column["sourceField"]
    inner: Json = {
        "count": {"value_count": {"field": "_index"}},
        "unique_count": {"cardinality": {"field": field}},
        "sum": {"sum": {"field": field}},
        "max": {"max": {"field": field}},
        "last_value": {"top_hits": {"size": 1, "_source": [field]}},
    }[operation]
    query = column.get("filter", {}).get("query", "")
    return {"filter": clause(query), "aggs": {"inner": inner}}


def rows(columns: Mapping[str, Json], answer: Mapping[str, Any]) -> Iterator[Json]:
    """Flat rows of the answer, one a leaf, keyed by the columns' ids."""
    groups = [name for name, column in columns.items() if column["isBucketed"]]
    yield from _rows(columns, groups, answer, {})


def _rows(
    columns: Mapping[str, Json], groups: list[str], bucket: Mapping[str, Any], keys: Json
) -> Iterator[Json]:
    if groups:
        for inner in bucket[groups[0]]["buckets"]:
            yield from _rows(columns, groups[1:], inner, {**keys, groups[0]: inner["key"]})
        return
    found = dict(keys)
    for name, column in columns.items():
        if column["isBucketed"]:
            continue
        operation = column["operationType"]
        if operation == "math":
            part, whole = (found[identity] for identity in column["params"]["tinymathAst"]["args"])
            found[name] = part / whole if whole else None
        elif operation == "formula":
            found[name] = found[column["references"][0]]
        elif operation == "last_value":
            hits = bucket[name]["inner"]["hits"]["hits"]
            found[name] = hits[0]["_source"][column["sourceField"]] if hits else None
        else:
            found[name] = bucket[name]["inner"]["value"]
    yield found
