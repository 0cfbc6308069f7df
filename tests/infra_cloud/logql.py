"""As much of the Logging query language as the filters of infra/monitoring use.

`field="value"`, `field:"part"`, `field=("a" OR "b")`, AND, OR and parentheses; AND binds closer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Entry = Mapping[str, Any]
Check = Callable[[Entry], bool]

_TOKEN = re.compile(r'\s*(AND\b|OR\b|[()]|[a-zA-Z_.]+|[=:]|"(?:[^"\\]|\\.)*")')


def matches(query: str, entry: Entry) -> bool:
    """Whether a filter takes a log entry; raises ValueError for what is not understood here."""
    tokens = _tokens(query)
    check = _any(tokens)
    if tokens:
        raise ValueError(f"not understood: {tokens}")
    return check(entry)


def _tokens(query: str) -> list[str]:
    found, place = [], 0
    while place < len(query.rstrip()):
        token = _TOKEN.match(query, place)
        if token is None:
            raise ValueError(f"not understood: {query[place:]}")
        found.append(token[1])
        place = token.end()
    return found


def _any(tokens: list[str]) -> Check:
    checks = [_all(tokens)]
    while tokens[:1] == ["OR"]:
        tokens.pop(0)
        checks.append(_all(tokens))
    return lambda entry: any(check(entry) for check in checks)


def _all(tokens: list[str]) -> Check:
    checks = [_one(tokens)]
    while tokens[:1] == ["AND"]:
        tokens.pop(0)
        checks.append(_one(tokens))
    return lambda entry: all(check(entry) for check in checks)


def _one(tokens: list[str]) -> Check:
    first = tokens.pop(0)
    if first == "(":
        inner = _any(tokens)
        _expect(tokens, ")")
        return inner
    whole = tokens.pop(0) == "="
    values = [tokens.pop(0)]
    if values == ["("]:
        values = [tokens.pop(0)]
        while tokens[:1] == ["OR"]:
            tokens.pop(0)
            values.append(tokens.pop(0))
        _expect(tokens, ")")
    wanted = [value[1:-1].lower() for value in values]

    def check(entry: Entry) -> bool:
        value: Any = entry
        for name in first.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        text = "" if value is None else str(value).lower()
        return any(text == each if whole else each in text for each in wanted)

    return check


def _expect(tokens: list[str], token: str) -> None:
    if tokens[:1] != [token]:
        raise ValueError(f"{token} was expected before {tokens}")
    tokens.pop(0)
