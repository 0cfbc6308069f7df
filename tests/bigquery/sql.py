"""Reading our own SQL files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

DECLARED = re.compile(r"^DECLARE (\w+) (\w+) DEFAULT (.+);$", re.MULTILINE)


def with_values(sql: str, values: Mapping[str, object]) -> str:
    """A saved query with other values for its variables; raises KeyError for one it lacks."""
    left = dict(values)

    def declare(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        value = literal(left.pop(name)) if name in left else default
        return f"DECLARE {name} {kind} DEFAULT {value};"

    text = DECLARED.sub(declare, sql)
    if left:
        raise KeyError(*left)
    return text


def literal(value: object) -> str:
    """A value as SQL."""
    if isinstance(value, datetime):
        return f"TIMESTAMP '{value.isoformat()}'"
    return f"'{value}'" if isinstance(value, str) else str(value)


def without_comments(sql: str) -> str:
    """The statements alone."""
    return re.sub(r"--.*", "", sql)
