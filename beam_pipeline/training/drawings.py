"""The model card's charts as inline SVG: no script, no request, both themes by CSS classes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from beam_pipeline.training.measures import Bin
from beam_pipeline.training.report import Coefficient

SIDE = 300
_LEFT, _BOTTOM, _TOP, _RIGHT = 44, 36, 8, 10
Points = Sequence[tuple[float, float]]


def roc_chart(model: Points, live: Points) -> str:
    """True positives over false positives: the model's line, the live one's, and chance."""
    lines = _line([(0, 0), (1, 1)], "chance")
    if live:
        lines += _line(live, "live")
    return _square(lines + _line(model, "model"), "false positive rate", "true positive rate")


def calibration_chart(bins: Sequence[Bin]) -> str:
    """What happened over what was said: a dot a bin, on the diagonal when both agree."""
    largest = max((max(b.score, b.clicked) for b in bins), default=1.0) or 1.0
    top = next(step for step in (0.05, 0.1, 0.2, 0.5, 1.0) if largest <= step or step == 1.0)
    scaled = [(b.score / top, b.clicked / top) for b in bins]
    dots = "".join(
        f'<circle class="dot" cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="4">'
        f"<title>{b.examples} examples: said {b.score:.3f}, happened {b.clicked:.3f}</title>"
        "</circle>"
        for (x, y), b in zip(scaled, bins, strict=True)
    )
    lines = _line([(0, 0), (1, 1)], "chance") + _line(scaled, "thin")
    return _square(lines + dots, "score", "share that clicked", top)


def error_chart(bars: Sequence[tuple[str, str, float, float]], limit: float) -> str:
    """Errors as bars with their upper bound as a whisker, against the largest that is allowed.

    Args:
        bars: (label, css class, error, upper bound).
        limit: the largest error.
    """
    top = max([limit * 1.3, *(upper for _, _, _, upper in bars)])
    width, name, row = 620, 130, 34
    place = (width - name - 60) / top
    height = row * len(bars) + 30
    x = name + limit * place
    parts = [
        f'<path class="limit" d="M{x:.1f} 0V{height - 22}"/>',
        f'<text class="small middle" x="{x:.1f}" y="{height - 6}">at most {limit:.0%}</text>',
    ]
    for number, (label, kind, error, upper) in enumerate(bars):
        y = number * row + 6
        end = name + error * place
        parts.append(
            f'<text x="0" y="{y + 15}">{escape(label)}</text>'
            f'<rect class="bar {kind}" x="{name}" y="{y}" width="{max(error * place, 1):.1f}"'
            f' height="20" rx="3"/>'
            f'<path class="whisker" d="M{end:.1f} {y + 10}H{name + upper * place:.1f}m0 -5v10"/>'
            f'<text class="number" x="{name + upper * place + 8:.1f}" y="{y + 15}">'
            f"{error:.2%}</text>"
        )
    return _svg(width, height, "".join(parts), "Error on the test part")


def coefficient_chart(coefficients: Sequence[Coefficient]) -> str:
    """Each feature's pull on the logit, to the left for fewer clicks, to the right for more."""
    width, name, row = 620, 150, 28
    largest = max((abs(one.scaled) for one in coefficients), default=0.0) or 1.0
    middle = name + (width - name - 40) / 2
    place = (width - name - 150) / 2 / largest
    parts = [f'<path class="axis" d="M{middle:.1f} 0V{row * len(coefficients)}"/>']
    for number, one in enumerate(coefficients):
        y, length = number * row + 4, abs(one.scaled) * place
        right = one.scaled >= 0
        start = middle if right else middle - length
        edge = middle + length + 6 if right else middle - length - 6
        anchor = "" if right else " end"
        parts.append(
            f'<text x="0" y="{y + 15}">{escape(one.feature)}</text>'
            f'<rect class="bar {"more" if right else "less"}" x="{start:.1f}" y="{y}"'
            f' width="{max(length, 1):.1f}" height="20" rx="3"/>'
            f'<text class="number{anchor}" x="{edge:.1f}" y="{y + 15}">{one.scaled:+.2f}</text>'
        )
    return _svg(width, row * len(coefficients) + 4, "".join(parts), "Coefficients")


def _square(inside: str, across: str, up: str, top: float = 1.0) -> str:
    """Axes from 0 to `top` both ways around a drawing in the unit square."""
    grid = []
    for step in (0, 0.25, 0.5, 0.75, 1):
        text = f"{step * top:.3g}"
        grid.append(
            f'<path class="grid" d="M{_x(0):.1f} {_y(step):.1f}H{_x(1):.1f}'
            f'M{_x(step):.1f} {_y(0):.1f}V{_y(1):.1f}"/>'
            f'<text class="small end" x="{_x(0) - 5:.1f}" y="{_y(step) + 4:.1f}">{text}</text>'
            f'<text class="small middle" x="{_x(step):.1f}" y="{_y(0) + 14:.1f}">{text}</text>'
        )
    names = (
        f'<text class="small middle" x="{_x(0.5):.1f}" y="{SIDE - 4}">{across}</text>'
        f'<text class="small middle" transform="translate(11 {_y(0.5):.1f}) rotate(-90)">'
        f"{up}</text>"
    )
    return _svg(SIDE, SIDE, "".join(grid) + names + inside, f"{up} over {across}")


def _line(points: Points, kind: str) -> str:
    path = "L".join(f"{_x(x):.1f} {_y(y):.1f}" for x, y in points)
    return f'<path class="line {kind}" d="M{path}"/>' if points else ""


def _x(share: float) -> float:
    return _LEFT + share * (SIDE - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return SIDE - _BOTTOM - share * (SIDE - _BOTTOM - _TOP)


def _svg(width: int, height: int, inside: str, label: str) -> str:
    about = f'viewBox="0 0 {width} {height}" role="img" aria-label="{escape(label)}"'
    return f"<svg {about}>{inside}</svg>"
