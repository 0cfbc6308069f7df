"""What a trainer hands over, whichever it is: the numbers of its fits, as JSON."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from msgspec import Struct

from beam_pipeline.training.errors import BadInput
from beam_pipeline.training.logistic import Fit


class Numbers(Struct, frozen=True, forbid_unknown_fields=True):
    """A Fit written down."""

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    coefficients: tuple[float, ...]
    intercept: float

    @classmethod
    def of(cls, fit: Fit) -> Numbers:
        """A fit's numbers."""
        columns = (fit.mean, fit.scale, fit.coefficients)
        mean, scale, coefficients = (tuple(column.tolist()) for column in columns)
        return cls(mean, scale, coefficients, fit.intercept)

    def fit(self) -> Fit:
        """The fit again."""
        mean, scale = np.array(self.mean), np.array(self.scale)
        return Fit(mean, scale, np.array(self.coefficients), self.intercept)


class Loss(Struct, frozen=True, forbid_unknown_fields=True):
    """The log loss on the validation part with a regularisation."""

    regularisation: float
    log_loss: float


class Fitted(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A trainer's work on examples cut in time."""

    trainer: str
    features: tuple[str, ...]
    feature_hash: str
    validate_ms: int
    test_ms: int
    """The cuts, ms since the epoch."""
    regularisation: float
    losses: tuple[Loss, ...]
    chosen: Numbers
    """Fitted before the first cut, with the regularisation that did best between the cuts."""
    final: Numbers
    """Fitted again on everything before the second cut: the model."""


def read_fitted(content: bytes) -> Fitted:
    """A trainer's file.

    Raises:
        BadInput: it is not one, or its numbers do not fit together.
    """
    try:
        fitted = msgspec.json.decode(content, type=Fitted)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"This is no trainer's candidate: {error}") from error
    for numbers in (fitted.chosen, fitted.final):
        columns = (numbers.mean, numbers.scale, numbers.coefficients)
        flat = [number for column in columns for number in column] + [numbers.intercept]
        widths = {len(fitted.features), *map(len, columns)}
        if len(widths) > 1 or not all(map(math.isfinite, flat)) or min(numbers.scale) <= 0:
            raise BadInput("The numbers of this candidate do not fit together")
    return fitted
