"""Values and groups of a chart → the columns of a Lens layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from functions.board.catalogue import Chart, Condition, Split, Value, Where

Json = dict[str, Any]
Words = Mapping[str, str]

RECORDS = "___records___"
_DATES = frozenset({"latest", "at", "decided_at", "played_at", "since"})
_NUMBERS = frozenset({"local_hour"})
_BOOLEANS = frozenset({"is_mobile", "explore"})


def columns(chart: Chart, words: Words) -> dict[str, Json]:
    """All columns by id, groups first, in the order in which Lens nests them."""
    values = dict(_values(chart, words))
    groups = {
        f"by-{name}": _group(chart, name, split, words) for name, split in _splits(chart).items()
    }
    return {**groups, **values}


def main_value(chart: Chart) -> str:
    """The id of the column that a chart is about."""
    return next(f"of-{name}" for name, value in chart.values.items() if value.op != "fields")


def shown_values(made: Mapping[str, Json]) -> list[str]:
    """The ids of the figures that a viewer sees: not the parts of a formula, X0 and so on."""
    return [name for name in made if name.startswith("of-") and "X" not in name]


def _splits(chart: Chart) -> dict[str, Split]:
    """A chart that shows one of its groups adds the others up; here they are left out."""
    return {chart.shown: chart.by[chart.shown]} if chart.shown else chart.by


def _group(chart: Chart, name: str, split: Split, words: Words) -> Json:
    assert chart.dataset is not None
    label = words.get(name, name)
    if split.time:
        return {
            "label": label,
            "customLabel": True,
            "dataType": "date",
            "operationType": "date_histogram",
            "sourceField": chart.dataset.time,
            "isBucketed": True,
            "scale": "interval",
            "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": True},
        }
    by_name = bool(split.numbers or split.order)
    order: Json = {"type": "column", "columnId": main_value(chart)}
    return {
        "label": label,
        "customLabel": True,
        "dataType": _type(split.field),
        "operationType": "terms",
        "sourceField": split.field,
        "isBucketed": True,
        "scale": "ordinal",
        "params": {
            "size": split.numbers[1] + 1 if split.numbers else split.top,
            "orderBy": {"type": "alphabetical", "fallback": False} if by_name else order,
            "orderDirection": "asc" if by_name else "desc",
            "otherBucket": False,
            "missingBucket": split.missing,
            "parentFormat": {"id": "terms"},
            "include": [],
            "exclude": [],
            "includeIsRegex": False,
            "excludeIsRegex": False,
        },
    }


def _type(field: str) -> str:
    if field in _BOOLEANS:
        return "boolean"
    return "number" if field in _NUMBERS else "date" if field in _DATES else "string"


def _values(chart: Chart, words: Words) -> Iterator[tuple[str, Json]]:
    for name, value in chart.values.items():
        if any(condition.last for condition in value.where.values()):
            continue  # a tile's small figure of the last minute: Kibana refreshes by its own pace
        if value.op == "fields":
            for field in value.fields:
                yield f"of-{field}", _last(chart, field, words)
        elif value.op in ("share", "ratio"):
            yield from _formula(chart, value, words)
        else:
            yield f"of-{name}", _metric(value, words.get(name, name))
    if chart.span is not None and chart.span.against:
        value = next(iter(chart.values.values()))
        before = _metric(value, words["before"])
        yield "of-before", {**before, "timeShift": chart.span.against}


def _last(chart: Chart, field: str, words: Words) -> Json:
    assert chart.dataset is not None
    return {
        "label": words[field],
        "customLabel": True,
        "dataType": "string",
        "operationType": "last_value",
        "sourceField": field,
        "isBucketed": False,
        "scale": "ordinal",
        "filter": {"language": "kuery", "query": f"{field}: *"},
        "params": {"sortField": chart.dataset.time, "showArrayValues": False},
    }


def _metric(value: Value, label: str) -> Json:
    operation = {"distinct": "unique_count", "share": "count"}.get(value.op, value.op)
    column: Json = {
        "label": label,
        "customLabel": True,
        "dataType": "date" if value.format == "time" else "number",
        "operationType": operation,
        "sourceField": value.field or RECORDS,
        "isBucketed": False,
        "scale": "ratio",
        "params": {"emptyAsNull": False} if operation in ("count", "sum", "unique_count") else {},
    }
    if value.where:
        column["filter"] = {"language": "kuery", "query": kql(value.where)}
    return column


def _formula(chart: Chart, value: Value, words: Words) -> Iterator[tuple[str, Json]]:
    """A quotient: its parts, the division, and the formula that a viewer sees and may edit."""
    label, own = words.get(value.name, value.name), f"of-{value.name}"
    if value.op == "share":
        parts = [value, Value(name=value.name, op="count")]
    else:
        parts = [chart.values[name] for name in value.of]
    ids = [f"{own}X{place}" for place in range(2)]
    for identity, part in zip(ids, parts, strict=True):
        yield identity, _metric(part, label)
    text = " / ".join(_written(part) for part in parts)
    tree = {
        "type": "function",
        "name": "divide",
        "args": ids,
        "location": {"min": 0, "max": len(text)},
        "text": text,
    }
    yield (
        f"{own}X2",
        {
            "label": label,
            "customLabel": True,
            "dataType": "number",
            "operationType": "math",
            "isBucketed": False,
            "scale": "ratio",
            "params": {"tinymathAst": tree},
            "references": ids,
        },
    )
    shape = {"id": "percent", "params": {"decimals": 1}}
    params: Json = {"formula": text, "isFormulaBroken": False}
    if value.format == "percent":
        params["format"] = shape
    yield (
        own,
        {
            "label": label,
            "customLabel": True,
            "dataType": "number",
            "operationType": "formula",
            "isBucketed": False,
            "scale": "ratio",
            "params": params,
            "references": [f"{own}X2"],
        },
    )


def _written(value: Value) -> str:
    """A metric as Lens's formula language writes it."""
    name = {"distinct": "unique_count", "share": "count"}.get(value.op, value.op)
    arguments = [value.field] if value.field else []
    if value.where:
        arguments.append(f"kql='{kql(value.where)}'")
    return f"{name}({', '.join(arguments)})"


def kql(where: Where) -> str:
    """A catalogue's `where` in Kibana's query language."""
    return " and ".join(_term(field, condition) for field, condition in where.items())


def _term(field: str, condition: Condition) -> str:
    if condition.within is not None:
        return f"{field} >= {condition.within[0]} and {field} < {condition.within[1]}"
    if condition.unless is not None:
        return f"not {field}: {_literal(condition.unless)}"
    return f"{field}: {_literal(condition.equals)}"


def _literal(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'
