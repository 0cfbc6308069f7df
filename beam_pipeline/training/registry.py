"""The registry: every version is kept, passed or refused; only a pass becomes the live one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec

from beam_pipeline.domain.score import InvalidModel, Model
from beam_pipeline.edges.models import (
    POINTER,
    Pointer,
    Promotion,
    model_name,
    read_pointer,
    read_promoted,
)
from beam_pipeline.edges.objects import ABSENT, Objects

KEPT_BEFORE = 20
"""Earlier live versions that the pointer remembers."""


class NotPromotable(Exception):
    """A version that cannot become the live one; the text says why."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The models at one place. Unreachable and Conflict (edges.objects) come through."""

    objects: Objects

    def live(self) -> Model | None:
        """The live model; None before the first promotion.

        Raises:
            InvalidModel: the pointer or the model that it names cannot be used.
        """
        pointer, _ = read_pointer(self.objects)
        return None if pointer is None else read_promoted(self.objects, pointer.live)

    def versions(self) -> list[str]:
        """Every version, the oldest first."""
        return self.objects.folders()

    def keep(self, version: str, files: Mapping[str, bytes]) -> None:
        """Store a version's files; what a version holds is never changed."""
        for name, content in files.items():
            self.objects.write(f"{version}/{name}", content, ABSENT)

    def promote(self, version: str, now: datetime) -> Pointer:
        """Make a kept version the live one.

        Raises:
            NotPromotable: its report does not say that it passed, or its model file is not a whole
                model of this code.
            Conflict: somebody else promoted meanwhile.
        """
        promotion = self._passed(version, now)
        pointer, generation = read_pointer(self.objects)
        before = () if pointer is None else (pointer.live, *pointer.before)[:KEPT_BEFORE]
        return self._point(Pointer(promotion, before), generation)

    def rollback(self, now: datetime, version: str | None = None) -> Pointer:
        """Make an earlier live version the live one again: the last before, or a named one.

        Raises:
            NotPromotable: there is none, or its model file is not what it was.
            Conflict: somebody else promoted meanwhile.
        """
        pointer, generation = read_pointer(self.objects)
        before = () if pointer is None else pointer.before
        wanted = [one for one in before if version in (None, one.version)]
        if not wanted:
            raise NotPromotable(
                f"{version} was not live before"
                if version
                else "There is no earlier version to go back to"
            )
        earlier = wanted[0]
        try:
            read_promoted(self.objects, earlier)
        except InvalidModel as error:
            raise NotPromotable(f"Cannot go back to {earlier.version}: {error}") from error
        again = msgspec.structs.replace(earlier, promoted_at=now.isoformat())
        return self._point(Pointer(again, before[before.index(earlier) + 1 :]), generation)

    def _point(self, pointer: Pointer, generation: int) -> Pointer:
        self.objects.write(POINTER, pointer.to_json(), generation)
        return pointer

    def _passed(self, version: str, now: datetime) -> Promotion:
        """The version's promotion, its model file read back and found whole."""
        report = self.objects.read(f"{version}/report.json")
        try:
            passed = report is not None and msgspec.json.decode(report.content, type=_Verdict)
        except msgspec.DecodeError as error:
            raise NotPromotable(f"The report of {version} cannot be read: {error}") from error
        if not passed or not passed.passed or passed.version != version:
            raise NotPromotable(f"{version} has no report that says that it passed the gate")
        stored = self.objects.read(model_name(version))
        if stored is None:
            raise NotPromotable(f"{version} has no model file")
        digest = hashlib.sha256(stored.content).hexdigest()
        if digest != passed.model_sha256:
            raise NotPromotable(f"The model file of {version} is not the one that was judged")
        gate = {check.name: check.holds for check in passed.checks}
        promotion = Promotion(version, digest, now.isoformat(), gate=gate)
        try:
            model = read_promoted(self.objects, promotion)
        except InvalidModel as error:
            raise NotPromotable(f"Cannot promote {version}: {error}") from error
        return msgspec.structs.replace(promotion, metrics=model.metrics)


class _Check(msgspec.Struct, frozen=True):
    name: str
    holds: bool


class _Verdict(msgspec.Struct, frozen=True):
    """What the registry asks of a report."""

    version: str
    passed: bool
    model_sha256: str
    checks: tuple[_Check, ...] = ()
