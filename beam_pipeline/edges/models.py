"""The model that is live: `current.json` says which one, and is the authority.

    MODELS/current.json            the pointer, replaced as a whole
    MODELS/VERSION/model.json      written once; also report.json and card.html

The pointer holds the model file's SHA-256, so a file that was cut short or put there by somebody
else is noticed before it scores anyone.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from msgspec import Struct

from beam_pipeline.domain.score import InvalidModel, Model, read_model
from beam_pipeline.edges.objects import ABSENT, Objects, Unreachable, open_objects

POINTER = "current.json"
RELOAD_AFTER_S = 10.0
SAY_EVERY_S = 120.0

log = logging.getLogger(__name__)


class Promotion(Struct, frozen=True, forbid_unknown_fields=True):
    """A version that became the live one."""

    version: str
    sha256: str
    """Of its model.json, hexadecimal."""
    promoted_at: str
    """RFC 3339."""
    metrics: dict[str, float] = {}
    """On the test part, as in model.json, for who shows which model is live."""
    gate: dict[str, bool] = {}
    """Whether each check held, by its name."""


class Pointer(Struct, frozen=True, forbid_unknown_fields=True):
    """The content of current.json."""

    live: Promotion
    before: tuple[Promotion, ...] = ()
    """Earlier live versions that one can go back to, the latest first."""

    def to_json(self) -> bytes:
        """The file."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2) + b"\n"


def model_name(version: str) -> str:
    """Where a version's model file is."""
    return f"{version}/model.json"


def read_pointer(objects: Objects) -> tuple[Pointer | None, int]:
    """The pointer and its generation; (None, ABSENT) before the first promotion.

    Raises:
        InvalidModel: the pointer is no pointer.
        Unreachable: it cannot be read now.
    """
    found = objects.read(POINTER)
    if found is None:
        return None, ABSENT
    try:
        pointer = msgspec.json.decode(found.content, type=Pointer)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidModel(f"{POINTER} is no pointer: {error}") from error
    return pointer, found.generation


def read_promoted(objects: Objects, promotion: Promotion) -> Model:
    """The model of a promotion, as it was when it was promoted.

    Raises:
        InvalidModel: its file is missing, not the promoted one, or cannot be used by this code.
        Unreachable: it cannot be read now.
    """
    found = objects.read(model_name(promotion.version))
    if found is None:
        raise InvalidModel(f"{promotion.version} has no model file")
    if hashlib.sha256(found.content).hexdigest() != promotion.sha256:
        raise InvalidModel(f"the model file of {promotion.version} is not the promoted one")
    model = read_model(found.content)
    if model.version != promotion.version:
        raise InvalidModel(f"the model file of {promotion.version} is that of {model.version}")
    return model


class CurrentModel:
    """The live model for those who score: looks at the pointer again every ten seconds.

    What cannot be read or used leaves the last good model in place, and is told by `problem` and
    in the log, in words that the alert on models looks for.

    Args:
        objects: the models.
        now: seconds of any clock that only goes forward.
    """

    def __init__(self, objects: Objects, now: Callable[[], float] = time.monotonic) -> None:
        self._objects = objects
        self._now = now
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._promotion: Promotion | None = None
        self._model: Model | None = None
        self._said = 0.0
        self.problem: str | None = None
        """Why the pointer's model is not the one that is given, None when it is."""

    def get(self) -> Model | None:
        """The live model, None while there has been none."""
        with self._lock:
            if self._looked is None or self._now() - self._looked >= RELOAD_AFTER_S:
                self._looked = self._now()
                self._look()
            return self._model

    def _look(self) -> None:
        try:
            pointer, _ = read_pointer(self._objects)
            if pointer is None and self._promotion is not None:
                raise InvalidModel(f"{POINTER} is gone")
            if pointer is not None and pointer.live != self._promotion:
                self._model = read_promoted(self._objects, pointer.live)
                self._promotion = pointer.live
                log.info("model %s is live", self._model.version)
            self.problem = None
        except (InvalidModel, Unreachable) as error:
            self._complain(str(error))

    def _complain(self, problem: str) -> None:
        """Say what is wrong when it begins, and again for as long as it lasts."""
        if problem != self.problem or self._now() - self._said >= SAY_EVERY_S:
            self._said = self._now()
            kept = self._model.version if self._model else "none"
            log.error("model not taken up (%s stays): %s", kept, problem)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class ModelsConfig:
    """Where the models are: a folder, or gs://BUCKET/PREFIX."""

    location: str

    def open(self) -> CurrentModel:
        """What gives the live model; reads at the first `get`."""
        return CurrentModel(open_objects(self.location))
