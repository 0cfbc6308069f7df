"""The page: HTML with an empty card for every chart, and what the script needs to fill them."""

from __future__ import annotations

from html import escape
from string import Template
from typing import Any

import msgspec

from beam_pipeline.domain.offers import OFFERS
from functions.board import colours, vega
from functions.board.catalogue import Catalogue, Chart, Language
from functions.board.paths import BASE_MAP, TEMPLATES
from functions.board.view import DEVICES, RANGES

Json = dict[str, Any]


def render(catalogue: Catalogue, language: Language, version: str, *, customers: bool) -> bytes:
    """The page in one language; `version` is that of its assets."""
    text = {name: words[language] for name, words in catalogue.words.page.items()}
    charts = [chart for chart in catalogue.of("page") if customers or chart.needs != "customers"]
    template = Template((TEMPLATES / "page.html").read_text())
    return template.substitute(
        {name: escape(words) for name, words in text.items()},
        language=language,
        other="en" if language == "ko" else "ko",
        assets=f"assets/{version}",
        ranges="".join(_choice("range", name, text[f"range_{name}"]) for name in RANGES),
        devices=_choice("device", "", text["all_devices"])
        + "".join(
            _choice("device", name, catalogue.words.names[name][language]) for name in DEVICES
        ),
        states=_states(catalogue, language),
        cards="\n".join(_card(chart, language) for chart in charts),
        catalogue=_script_data(_for_script(catalogue, charts, language, version, customers)),
    ).encode()


def _choice(group: str, value: str, label: str) -> str:
    return (
        f'<label><input type="radio" name="{group}" value="{value}">'
        f"<span>{escape(label)}</span></label>"
    )


def _states(catalogue: Catalogue, language: Language) -> str:
    named = sorted((text[language], code) for code, text in catalogue.words.states.items())
    return "".join(f'<option value="{code}">{escape(name)}</option>' for name, code in named)


def _card(chart: Chart, language: Language) -> str:
    width, height = chart.size
    hidden = " hidden" if chart.later else ""
    heading = "h3" if chart.kind == "tile" else "h2"
    return (
        f'<section class="card is-{chart.kind} c{width} r{height}" id="{chart.id}"'
        f' aria-labelledby="{chart.id}-title"{hidden}>'
        f'<header><{heading} id="{chart.id}-title">{escape(chart.title[language])}</{heading}>'
        f'<p class="note"></p></header><div class="body"></div></section>'
    )


def _for_script(
    catalogue: Catalogue, charts: list[Chart], language: Language, version: str, customers: bool
) -> Json:
    words = catalogue.words
    offers = {offer.id: offer.words[language].title for offer in OFFERS.values()}
    groups = {
        group: {name: text[language] for name, text in getattr(words, group).items()}
        for group in ("names", "units", "empty", "page", "states")
    }
    groups["names"] |= offers
    return {
        "language": language,
        "customers": customers,
        "words": groups,
        "themes": {theme: colours.config(theme) for theme in colours.GROUNDS},
        "charts": [_chart(chart, catalogue, language, version) for chart in charts],
    }


def _chart(chart: Chart, catalogue: Catalogue, language: Language, version: str) -> Json:
    dataset = next((n for n, d in catalogue.datasets.items() if d == chart.dataset), "")
    found: Json = {
        "id": chart.id,
        "kind": chart.kind,
        "dataset": dataset,
        "by": list(chart.by),
        "values": {name: value.format for name, value in chart.values.items()},
        "ops": {name: value.op for name, value in chart.values.items()},
        "columns": chart.columns,
        "over_time": any(split.time for split in chart.by.values()),
        "window": bool(chart.span and chart.span.window),
        "drill": chart.drill,
        "needs": chart.needs,
        "later": chart.later,
    }
    if chart.aside:
        found["aside"] = {"value": chart.aside.value, "text": getattr(chart.aside, language)}
    if vega.drawn(chart):
        base_map = f"assets/{version}/{BASE_MAP.name}"
        found["spec"] = vega.spec(chart, catalogue, language, base_map)
    return found


def _script_data(data: Json) -> str:
    """JSON that can stand in a script element: nothing in it ends the element."""
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")
