"""Colours that hold on light and dark ground, and that colour-blind people can tell apart.

`tests/board/test_colours.py` holds both: contrast against both grounds, and the distance of every
pair that stands in one chart, as seen with each kind of colour blindness.
"""

from __future__ import annotations

ACCENT = "#4c8dff"
SERIES: dict[str, str] = {
    "pc": ACCENT,
    "mobile": "#d67820",
    "female": "#b65fd0",
    "male": "#2f9e6e",
    "unknown": "#8590a3",
    "duplicate": ACCENT,
    "late": "#d67820",
    "rejected": "#c43d6b",
    "morning": "#b88a00",
    "afternoon": "#c4553d",
    "evening": "#7a6cf0",
    "night": "#8a8f93",
}
ON_DATA = "#0d1119"
"""Ink that can be read on every colour of data."""
GROUNDS = {"light": "#ffffff", "dark": "#161c28"}
"""The ground of a card."""

_INK = {
    "light": {"text": "#1c2330", "quiet": "#5b6678", "line": "#e3e7ee"},
    "dark": {"text": "#e8ecf3", "quiet": "#9aa5b8", "line": "#2a3344"},
}
_FONT = "-apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK KR', system-ui, sans-serif"


def config(theme: str) -> dict[str, object]:
    """The Vega-Lite config of a theme: type, ink and quiet lines; no colour of data."""
    ink = _INK[theme]
    labels = {"labelColor": ink["quiet"], "titleColor": ink["quiet"], "labelFontSize": 11}
    return {
        "background": "transparent",
        "font": _FONT,
        "view": {"stroke": None},
        "axis": {
            **labels,
            "domain": False,
            "ticks": False,
            "gridColor": ink["line"],
            "labelPadding": 6,
            "title": None,
        },
        "legend": {
            **labels,
            "labelColor": ink["text"],
            "labelFontSize": 12,
            "orient": "top",
            "direction": "horizontal",
            "offset": 4,
            "columnPadding": 14,
            "symbolType": "circle",
            "symbolSize": 70,
            "symbolStrokeWidth": 0,
            "symbolOpacity": 1,
            "title": None,
        },
        "text": {"color": ink["text"]},
        "rule": {"color": ink["quiet"]},
        "geoshape": {"fill": ink["line"], "stroke": GROUNDS[theme]},
    }
