"""Colours hold on both grounds, and colour-blind people can tell those of one chart apart."""

from __future__ import annotations

import math
import re
from itertools import combinations

import pytest

from functions.board.catalogue import load
from functions.board.colours import GROUNDS, ON_DATA, SERIES
from functions.board.paths import STATIC

VISION = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deutan": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritan": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""Machado, Oliveira and Fernandes (2009), severity 1, on linear RGB."""

LEAST_CONTRAST = 3.0
"""WCAG 2.2, success criterion 1.4.11: graphical objects."""
LEAST_TEXT_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3: text that is not large."""
DAY_PARTS = ("morning", "afternoon", "evening", "night")
INKS = {
    "text": ("ground", "card", "hover"),
    "quiet": ("ground", "card", "hover"),
    "accent": ("card", "hover"),
    "up": ("card",),
    "down": ("card",),
    "amber": ("ground", "amber-ground"),
}
"""What is written on what, by the names in the style."""
LEAST_DISTANCE = 15.0
"""CIE76; a difference of 2 can just be seen side by side."""


def linear(colour: str) -> list[float]:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: list[float]) -> tuple[float, float, float]:
    red, green, blue = (min(1.0, max(0.0, part)) for part in rgb)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def distance(one: str, other: str, vision: str) -> float:
    seen = [
        lab(
            [sum(m * c for m, c in zip(row, linear(colour), strict=True)) for row in VISION[vision]]
        )
        for colour in (one, other)
    ]
    return math.dist(*seen)


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize("series", SERIES)
def test_every_colour_of_data_stands_out_from_the_card(series: str, ground: str) -> None:
    assert contrast(SERIES[series], GROUNDS[ground]) >= LEAST_CONTRAST


def themes() -> dict[str, dict[str, str]]:
    """The colours of each theme in the style; the dark one stands there twice."""
    style = (STATIC / "board.css").read_text()
    blocks = [
        dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
        for block in re.findall(r"color-scheme: (?:light|dark);([^}]*)}", style)
    ]
    light, preferred, dark = blocks
    assert preferred == dark
    return {"light": light, "dark": dark}


@pytest.mark.parametrize("theme", GROUNDS)
@pytest.mark.parametrize("ink", INKS)
def test_text_can_be_read_on_whatever_it_stands(ink: str, theme: str) -> None:
    colours = themes()[theme]
    assert colours["card"] == GROUNDS[theme]
    for ground in INKS[ink]:
        assert contrast(colours[ink], colours[ground]) >= LEAST_TEXT_CONTRAST, ground


@pytest.mark.parametrize("series", ["female", "male", "unknown"])
def test_text_can_be_read_on_the_colours_of_the_donut(series: str) -> None:
    assert contrast(ON_DATA, SERIES[series]) >= LEAST_TEXT_CONTRAST


def together() -> list[tuple[str, str]]:
    """Pairs of series that stand in one chart."""
    pairs: set[tuple[str, str]] = set(combinations(DAY_PARTS, 2))
    for chart in load().charts:
        for split in chart.by.values():
            pairs.update(combinations([key for key in split.order if key in SERIES], 2))
        if chart.kind == "area":
            pairs.update(combinations([name for name in chart.values if name in SERIES], 2))
    return sorted(pairs)


def test_the_pairs_that_stand_together_are_found() -> None:
    assert ("pc", "mobile") in together()
    assert ("duplicate", "late") in together()


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("pair", together(), ids="-".join)
def test_colours_of_one_chart_can_be_told_apart(pair: tuple[str, str], vision: str) -> None:
    assert distance(SERIES[pair[0]], SERIES[pair[1]], vision) >= LEAST_DISTANCE
