"""Why a line is no event."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a line is rejected. Of several, the one that stands first here is given."""

    TOO_LARGE = "too_large"
    UNKNOWN_KIND = "unknown_kind"
    UNKNOWN_SCHEMA = "unknown_schema"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    TOO_OLD = "too_old"
    CLOCK_SKEW = "clock_skew"


class InvalidEvent(ValueError):
    """A line that is no event: a typed rejection that becomes a dead letter, never a crash."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}"
