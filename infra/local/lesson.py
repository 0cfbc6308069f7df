"""What a demo's last training came to: told by who learns, read by who shows it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from beam_pipeline.domain.score import InvalidModel
from beam_pipeline.edges.models import read_pointer
from beam_pipeline.edges.objects import open_objects


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """How the last training went; what a demo shows of it."""

    version: str
    live: str | None
    """The model that scores now."""
    outcome: str
    reasons: tuple[str, ...]
    error: float | None
    error_upper: float
    examples: int
    """Of the test part."""
    today: int
    """Examples of the demo's own day, among all."""
    bayes_error: float
    """The error of the best possible judge, by the simulator's account of the fortnight."""

    @classmethod
    def of(cls, models: Path, today: int, bayes_error: float) -> "Lesson":
        """What the newest version below `models` came to."""
        newest = max(models.glob("*/report.json"), key=lambda report: report.parent.name)
        report = msgspec.json.decode(newest.read_bytes(), type=_Report)
        return cls(
            version=report.version,
            live=live_version(models),
            outcome=report.outcome,
            reasons=report.reasons,
            error=report.model.error,
            error_upper=report.model.error_upper,
            examples=report.parts[-1].examples,
            today=today,
            bayes_error=bayes_error,
        )

    def tell(self, home: Path) -> None:
        """Leave it where a running demo reads it."""
        file = status_file(home)
        draft = file.with_suffix(".part")
        draft.write_bytes(msgspec.json.encode(self))
        draft.replace(file)

    def sentence(self) -> str:
        """For people."""
        error = "no error" if self.error is None else f"error {self.error:.1%}"
        gate = f"gate {self.outcome}" + "".join(f"; {reason}" for reason in self.reasons)
        live = "it is live" if self.live == self.version else f"live is {self.live or 'none'}"
        return (
            f"model {self.version}: {error} on {self.examples:,} examples (upper bound "
            f"{self.error_upper:.1%}, best possible {self.bayes_error:.1%}), {gate}; {live}; "
            f"{self.today:,} examples of today"
        )


@dataclass
class Lessons:
    """The lessons of a running demo, each said once."""

    home: Path
    say: Callable[[str], None]
    last: Lesson | None = None

    def look(self) -> None:
        """Say the last lesson if it was not said."""
        lesson = read_lesson(self.home)
        if lesson is not None and lesson != self.last:
            self.last = lesson
            self.say(lesson.sentence())


class _Part(msgspec.Struct):
    examples: int


class _Figures(msgspec.Struct):
    error: float | None
    error_upper: float


class _Report(msgspec.Struct):
    """What is told of a training's report."""

    version: str
    outcome: str
    reasons: tuple[str, ...]
    parts: tuple[_Part, ...]
    model: _Figures


def models_folder(home: Path) -> Path:
    """Where a demo's models are, kept from one run to the next."""
    return home / "models"


def status_file(home: Path) -> Path:
    """Where the last lesson of a running demo is told."""
    return home / "data" / "learning.json"


def read_lesson(home: Path) -> Lesson | None:
    """The last lesson of a running demo; None before there was one."""
    try:
        return msgspec.json.decode(status_file(home).read_bytes(), type=Lesson)
    except (OSError, msgspec.DecodeError):
        return None


def live_version(models: Path) -> str | None:
    """The version that scores now."""
    try:
        pointer, _ = read_pointer(open_objects(str(models)))
    except InvalidModel:
        return None
    return None if pointer is None else pointer.live.version
