"""The one table: what was measured, what it must be, what it should become."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path

VERSIONS = ("apache-beam", "polars", "numpy", "msgspec", "pyarrow", "elasticsearch", "redis")


@dataclass(frozen=True)
class Target:
    """What a measure must and should reach; as text for the table, and as numbers to compare."""

    must: float
    aim: float
    unit: str = "events/s"
    less_is_better: bool = False

    def met(self, figure: float) -> str:
        """`aim`, `must`, or `no`."""
        for name in ("aim", "must"):
            wanted: float = getattr(self, name)
            if (figure <= wanted) if self.less_is_better else (figure >= wanted):
                return name
        return "no"


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    measure: str
    value: float
    unit: str
    target: Target | None = None
    detail: str = ""

    def cells(self) -> tuple[str, ...]:
        """The line's texts."""
        target = self.target
        must = shown(target.must, target.unit) if target else ""
        aim = shown(target.aim, target.unit) if target else ""
        met = target.met(self.value) if target else ""
        return self.measure, shown(self.value, self.unit), must, aim, met, self.detail


SHAPES: dict[str, Callable[[float], str]] = {
    "events/s": lambda value: f"{value:,.0f}/s",
    "times": lambda value: f"{value:.2f}",
    "s": lambda value: f"{value:.2f} s",
    "GB": lambda value: f"{value:.2f} GB",
    "": lambda value: "",
}


def shown(value: float, unit: str) -> str:
    """A figure with its unit."""
    return SHAPES[unit](value)


@dataclass
class Report:
    """Everything that one run says."""

    machine: dict[str, str] = field(default_factory=dict)
    figures: list[Figure] = field(default_factory=list)

    def text(self) -> str:
        """The table, ready to be read."""
        head = ("measure", "figure", "must", "aim", "reached", "")
        rows = [head, *(figure.cells() for figure in self.figures)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(head) - 1)]
        lines = [f"{name}: {value}" for name, value in self.machine.items()]
        lines.append("")
        for row in rows:
            cells = [f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[-1]]).rstrip())
        return "\n".join(lines)

    def save(self, file: Path) -> None:
        """The same as JSON."""
        file.parent.mkdir(parents=True, exist_ok=True)
        figures = [{**asdict(figure), "met": figure.cells()[4]} for figure in self.figures]
        file.write_text(json.dumps({"machine": self.machine, "figures": figures}, indent=1) + "\n")


def machine() -> dict[str, str]:
    """What the figures were measured on."""
    about = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in about if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    return {
        "machine": f"{model}, {os.cpu_count()} cores, {platform.system()}",
        "Python": platform.python_version(),
        "versions": ", ".join(f"{name} {version(name)}" for name in VERSIONS),
        "load before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }
