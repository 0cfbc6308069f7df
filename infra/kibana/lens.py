"""A chart of the catalogue → the attributes of a Lens panel."""

from __future__ import annotations

from collections.abc import Mapping

from functions.board.catalogue import Catalogue, Chart, Language, Split, Value
from functions.board.colours import ACCENT, SERIES
from infra.kibana.columns import Json, columns, kql, main_value, shown_values

LAYER = "layer"


def data_view(chart: Chart, catalogue: Catalogue) -> str:
    """The id of the data view of a chart's dataset."""
    name = next(n for n, dataset in catalogue.datasets.items() if dataset == chart.dataset)
    return f"encore-{name.replace('_', '-')}"


def attributes(chart: Chart, catalogue: Catalogue, language: Language) -> Json:
    """What Lens stores of a chart; references are named as Kibana names them in a panel."""
    assert chart.dataset is not None
    words = {name: text[language] for name, text in catalogue.words.names.items()}
    chart = _listed(chart)
    made = columns(chart, words)
    layer = {
        "columns": made,
        "columnOrder": list(made),
        "incompleteColumns": {},
        "sampling": 1,
        "ignoreGlobalFilters": catalogue.datasets[_dataset(chart, catalogue)].narrowed != "fields",
    }
    kind, visualization = _VISUALIZATIONS[chart.kind](chart, made)
    where = kql(chart.where)
    if chart.span is not None and chart.span.day:
        where = f'{chart.span.day} >= "now/d"'
    return {
        "title": "",
        "visualizationType": kind,
        "type": "lens",
        "references": [
            {
                "type": "index-pattern",
                "id": data_view(chart, catalogue),
                "name": f"indexpattern-datasource-layer-{LAYER}",
            }
        ],
        "state": {
            "visualization": visualization,
            "query": {"query": where, "language": "kuery"},
            "filters": [],
            "datasourceStates": {"formBased": {"layers": {LAYER: layer}}},
            "internalReferences": [],
            "adHocDataViews": {},
        },
    }


def _dataset(chart: Chart, catalogue: Catalogue) -> str:
    return next(n for n, dataset in catalogue.datasets.items() if dataset == chart.dataset)


def _listed(chart: Chart) -> Chart:
    """A list of documents as groups: Lens shows no documents."""
    if chart.kind != "list":
        return chart
    newest = Value(name="latest", op="max", field="latest", format="time")
    values = {
        "latest": newest,
        "named": Value(name="named", op="fields", fields=("title", "artist")),
        "peak": Value(name="peak", op="max", field="peak"),
    }
    by = {
        "customer": Split(field="customer_id", top=chart.top),
        "track": Split(field="track_id", top=3),
    }
    kept = {name: getattr(chart, name) for name in chart.__struct_fields__}
    return Chart(**{**kept, "by": by, "values": values})


def _metric(chart: Chart, made: Mapping[str, Json]) -> tuple[str, Json]:
    del made
    return "lnsMetric", {
        "layerId": LAYER,
        "layerType": "data",
        "metricAccessor": main_value(chart),
        "color": ACCENT,
    }


def _xy(chart: Chart, made: Mapping[str, Json], kind: str, axis: str, group: str | None) -> Json:
    accessors = shown_values(made) if group is None else [main_value(chart)]
    series = [accessor.removeprefix("of-") for accessor in accessors]
    layer: Json = {
        "layerId": LAYER,
        "layerType": "data",
        "seriesType": kind,
        "xAccessor": axis,
        "accessors": accessors,
        "yConfig": [
            {"forAccessor": accessor, "color": SERIES[name]}
            for accessor, name in zip(accessors, series, strict=True)
            if name in SERIES
        ],
    }
    if group is not None:
        layer["splitAccessor"] = group
    return {
        "preferredSeriesType": kind,
        "layers": [layer],
        "legend": {"isVisible": True, "position": "top"},
        "valueLabels": "hide",
        "fittingFunction": "None",
        "axisTitlesVisibilitySettings": {"x": False, "yLeft": False, "yRight": False},
    }


def _area(chart: Chart, made: Mapping[str, Json]) -> tuple[str, Json]:
    axis = next(f"by-{name}" for name, split in chart.by.items() if split.time)
    group = next((f"by-{name}" for name, split in chart.by.items() if not split.time), None)
    return "lnsXY", _xy(chart, made, "area_stacked", axis, group)


def _bars(chart: Chart, made: Mapping[str, Json]) -> tuple[str, Json]:
    axis, group = (f"by-{name}" for name in chart.by)
    return "lnsXY", _xy(chart, made, "bar_horizontal", axis, group)


def _donut(chart: Chart, made: Mapping[str, Json]) -> tuple[str, Json]:
    del made
    layer = {
        "layerId": LAYER,
        "layerType": "data",
        "primaryGroups": [f"by-{chart.shown}"],
        "metrics": [main_value(chart)],
        "numberDisplay": "percent",
        "categoryDisplay": "default",
        "legendDisplay": "default",
        "nestedLegend": False,
        "emptySizeRatio": 0.54,
    }
    return "lnsPie", {"shape": "donut", "layers": [layer]}


def _heat(chart: Chart, made: Mapping[str, Json]) -> tuple[str, Json]:
    del made
    group, axis = (f"by-{name}" for name in chart.by)
    return "lnsHeatmap", {
        "shape": "heatmap",
        "layerId": LAYER,
        "layerType": "data",
        "xAccessor": axis,
        "yAccessor": group,
        "valueAccessor": main_value(chart),
        "legend": {"isVisible": False, "position": "right", "type": "heatmap_legend"},
        "gridConfig": {
            "type": "heatmap_grid",
            "isCellLabelVisible": False,
            "isXAxisLabelVisible": True,
            "isXAxisTitleVisible": False,
            "isYAxisLabelVisible": True,
            "isYAxisTitleVisible": False,
        },
    }


def _table(chart: Chart, made: Mapping[str, Json]) -> tuple[str, Json]:
    groups = [name for name in made if name.startswith("by-")]
    shown = [*groups, *shown_values(made)]
    return "lnsDatatable", {
        "layerId": LAYER,
        "layerType": "data",
        "columns": [
            {"columnId": name, "alignment": "left" if name in groups else "right"} for name in shown
        ],
    }


_VISUALIZATIONS = {
    "tile": _metric,
    "area": _area,
    "bars": _bars,
    "donut": _donut,
    "heat": _heat,
    "ranking": _table,
    "table": _table,
    "list": _table,
    "figures": _table,
}
