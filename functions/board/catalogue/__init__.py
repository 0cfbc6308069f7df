"""The catalogue: `charts.yaml` and `words.yaml`, read strictly. Nothing else defines a chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import msgspec

from functions.board.units import milliseconds

HERE = Path(__file__).parent
LANGUAGES = ("en", "ko")

Language = Literal["en", "ko"]
Home = Literal["page", "kibana"]
Kind = Literal[
    "tile", "area", "map", "ranking", "bars", "donut", "heat", "table", "list", "figures",
    "effect", "model",
]  # fmt: skip
Op = Literal["count", "share", "distinct", "sum", "max", "ratio", "fields"]
Scalar = str | int | bool


class CatalogueError(ValueError):
    """A catalogue that does not hold together; the text says where."""


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Text(_Strict, frozen=True):
    """A text in both languages."""

    en: str
    ko: str

    def __getitem__(self, language: Language) -> str:
        return self.en if language == "en" else self.ko


class Condition(_Strict, frozen=True):
    """What a field has to be: exactly one of these."""

    equals: Scalar | None = None
    unless: Scalar | None = None
    within: tuple[int, int] | None = None
    """Half open: from the first, below the second."""
    last: str | None = None
    """The time before now, such as 1m."""


Where = Mapping[str, Condition]
_RawWhere = dict[str, Scalar | tuple[int, int] | dict[str, Scalar]]


class Dataset(_Strict, frozen=True):
    """An index and how it is narrowed to a region and a device."""

    index: str
    time: str
    narrowed: Literal["fields", "customers", "never"]
    """By its own fields, by the customers that were heard there, or not at all."""


class Split(_Strict, frozen=True):
    """One level of groups."""

    field: str = ""
    time: Literal["", "bucket"] = ""
    top: int = 0
    numbers: tuple[int, int] | None = None
    missing: bool = False
    names: dict[int, str] = {}
    order: list[str] = []


class _RawValue(_Strict, frozen=True):
    count: Literal["all"] | _RawWhere | None = None
    share: _RawWhere | None = None
    distinct: str | None = None
    sum: str | None = None
    max: str | None = None
    ratio: tuple[str, str] | None = None
    fields: list[str] | None = None
    format: Literal["number", "percent", "time"] | None = None


class Value(_Strict, frozen=True):
    """A figure of each group."""

    name: str
    op: Op
    field: str = ""
    where: Where = {}
    of: tuple[str, str] = ("", "")
    fields: tuple[str, ...] = ()
    format: Literal["number", "percent", "time"] = "number"


class Aside(_Strict, frozen=True):
    """A tile's second value and the text that it stands in."""

    value: str
    en: str
    ko: str


class Span(_Strict, frozen=True):
    """A part of time that is not the range picker's."""

    window: str = ""
    against: str = ""
    day: str = ""


class _RawChart(_Strict, frozen=True):
    id: str
    kind: Kind
    size: tuple[int, int]
    title: Text
    dataset: str = msgspec.field(name="from", default="")
    where: _RawWhere = {}
    by: dict[str, Split] = {}
    values: dict[str, _RawValue] = {}
    columns: list[str] = []
    top: int = 0
    shown: str = ""
    aside: Aside | None = None
    span: Literal["view"] | Span = "view"
    listening: str = ""
    drill: Literal["", "customers"] = ""
    needs: Literal["", "customers", "ages"] = ""
    later: bool = False
    heavy: bool = False
    homes: tuple[Home, ...] = ("page", "kibana")


class Chart(_Strict, frozen=True):
    """One chart; the fields mean what the head of `charts.yaml` says."""

    id: str
    kind: Kind
    size: tuple[int, int]
    title: Text
    dataset: Dataset | None
    where: Where
    by: dict[str, Split]
    values: dict[str, Value]
    columns: tuple[str, ...]
    top: int
    shown: str
    aside: Aside | None
    span: Span | None
    listening: str
    drill: str
    needs: str
    later: bool
    heavy: bool
    homes: tuple[Home, ...]


class _File(_Strict, frozen=True):
    datasets: dict[str, Dataset]
    charts: list[_RawChart]


class Words(_Strict, frozen=True):
    """What things are called: values, groups and columns; regions; the page's own texts."""

    names: dict[str, Text]
    units: dict[str, Text]
    empty: dict[str, Text]
    page: dict[str, Text]
    states: dict[str, Text]


class Catalogue(_Strict, frozen=True):
    """Everything that is read from the two files."""

    datasets: Mapping[str, Dataset]
    charts: tuple[Chart, ...]
    words: Words

    def of(self, home: Home) -> Iterator[Chart]:
        """The charts of one home, in their order."""
        return (chart for chart in self.charts if home in chart.homes)

    def chart(self, chart_id: str) -> Chart:
        """A chart by its id."""
        return next(chart for chart in self.charts if chart.id == chart_id)


@cache
def load() -> Catalogue:
    """The catalogue of this folder.

    Raises:
        CatalogueError: when a file is not what it has to be.
    """
    try:
        file = msgspec.yaml.decode((HERE / "charts.yaml").read_bytes(), type=_File)
        words = msgspec.yaml.decode((HERE / "words.yaml").read_bytes(), type=Words)
        charts = tuple(_chart(raw, file.datasets) for raw in file.charts)
    except (msgspec.MsgspecError, KeyError, StopIteration) as error:
        raise CatalogueError(f"the catalogue cannot be read: {error}") from error
    _check(charts, words)
    return Catalogue(datasets=file.datasets, charts=charts, words=words)


def _chart(raw: _RawChart, datasets: Mapping[str, Dataset]) -> Chart:
    return Chart(
        id=raw.id,
        kind=raw.kind,
        size=raw.size,
        title=raw.title,
        dataset=datasets[raw.dataset] if raw.dataset else None,
        where=_where(raw.where),
        by=raw.by,
        values={name: _value(name, value) for name, value in raw.values.items()},
        columns=tuple(raw.columns),
        top=raw.top,
        shown=raw.shown,
        aside=raw.aside,
        span=None if isinstance(raw.span, str) else raw.span,
        listening=raw.listening,
        drill=raw.drill,
        needs=raw.needs,
        later=raw.later,
        heavy=raw.heavy,
        homes=raw.homes,
    )


def _where(raw: _RawWhere) -> Where:
    found: dict[str, Condition] = {}
    for field, wanted in raw.items():
        if isinstance(wanted, dict):
            condition = {"unless": wanted.get("not"), "last": wanted.get("last")}
            found[field] = msgspec.convert(condition, Condition)
        elif isinstance(wanted, tuple):
            found[field] = Condition(within=wanted)
        else:
            found[field] = Condition(equals=wanted)
    return found


def _value(name: str, raw: _RawValue) -> Value:
    said = {op: getattr(raw, op) for op in get_args(Op) if getattr(raw, op) is not None}
    if len(said) != 1:
        raise CatalogueError(f"the value {name} is one of count, share, …, not {list(said)}")
    op: Op
    op, content = next(iter(said.items()))
    shape = raw.format or ("percent" if op == "share" else "number")
    if op in ("count", "share"):
        where = {} if content == "all" else _where(content)
        return Value(name=name, op=op, where=where, format=shape)
    if op == "ratio":
        return Value(name=name, op=op, of=content, format=shape)
    if op == "fields":
        return Value(name=name, op=op, fields=tuple(content), format=shape)
    return Value(name=name, op=op, field=content, format=shape)


def _check(charts: tuple[Chart, ...], words: Words) -> None:
    """What the types cannot say."""
    ids = [chart.id for chart in charts]
    if len(set(ids)) != len(ids):
        raise CatalogueError("two charts have one id")
    for chart in charts:
        used = {*chart.values, *chart.by, *chart.columns} - {"track_is"}
        if missing := used - set(words.names):
            raise CatalogueError(f"{chart.id}: words.yaml has no name for {sorted(missing)}")
        for value in chart.values.values():
            if value.op == "ratio" and not set(value.of) <= set(chart.values):
                raise CatalogueError(f"{chart.id}: {value.name} is a ratio of unknown values")
        if chart.aside and chart.aside.value not in chart.values:
            raise CatalogueError(f"{chart.id}: the aside shows an unknown value")
        if chart.span:
            for length in filter(None, (chart.span.window, chart.span.against)):
                milliseconds(length)
