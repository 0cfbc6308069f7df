"""Hundreds of malformed lines, each with the reason it is refused for, and odd ones that are fine.

Published at PUBLISHED. The expected reasons are written down by hand from DESIGN section 3: the
first that holds of the list there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.domain.corpus_values import (
    BASES,
    BROKEN_EXTRAS,
    EXTRAS,
    FINE_TIMES,
    IMPOSSIBLE_TIMES,
    INTEGERS_OUT_OF_RANGE,
    NO_INTEGERS,
    NO_TIMES,
    NO_ZIPS,
    NOT_JSON_WHOLE,
    NOT_OBJECT,
    NOT_STRINGS,
    NOT_UTF8,
    PLAY,
    SKEWED_TIMES,
    TOO_OLD_TIMES,
)


class Case(NamedTuple):
    """A line and what becomes of it; `reason` is None where it is an event after all."""

    name: str
    kind: str
    line: bytes
    reason: str | None


def text_of(kind: str, **changes: Any) -> str:
    """A valid line of a kind, with fields changed."""
    return json.dumps(BASES[kind] | changes)


def with_raw(kind: str, name: str, value: str) -> bytes:
    """A valid line of a kind, with the JSON text of one field replaced as it stands."""
    return text_of(kind, **{name: "@"}).replace('"@"', value).encode()


def time_field(kind: str) -> str:
    """The field that says when an event of a kind happened."""
    return "played_at" if kind == "play" else "at"


def whole_lines(kind: str) -> Iterator[Case]:
    """Lines that are no object at all."""
    for name, line in NOT_JSON_WHOLE.items():
        yield Case(f"not JSON: {name}", kind, line, "not_json")
    for name, line in NOT_OBJECT.items():
        yield Case(f"not an object: {name}", kind, line, "not_object")
    good = text_of(kind).encode()
    for name, sequence in NOT_UTF8.items():
        yield Case(f"not UTF-8: {name}", kind, sequence, "not_utf8")
        yield Case(f"not UTF-8 before: {name}", kind, sequence + good, "not_utf8")
        yield Case(f"not UTF-8 after: {name}", kind, good + sequence, "not_utf8")
        quoted = b'"' + sequence + b'"'
        inside = good.replace(b'"e1"', quoted)
        yield Case(f"not UTF-8 in event_id: {name}", kind, inside, "not_utf8")
        extra = good[:-1] + b', "extra": ' + quoted + b"}"
        yield Case(f"not UTF-8 in an unknown field: {name}", kind, extra, "not_utf8")
        key = good[:-1] + b", " + quoted + b": 1}"
        yield Case(f"not UTF-8 as an unknown key: {name}", kind, key, "not_utf8")
        array = b"[" + quoted + b"]"
        yield Case(f"not UTF-8 in an array: {name}", kind, array, "not_utf8")
    yield Case("UTF-16", kind, text_of(kind).encode("utf-16-le"), "not_json")
    yield Case("UTF-16 with a mark", kind, text_of(kind).encode("utf-16"), "not_utf8")
    yield Case("UTF-32", kind, text_of(kind).encode("utf-32-le"), "not_json")


def damaged_lines(kind: str) -> Iterator[Case]:
    """A valid line, damaged as a whole."""
    good = text_of(kind).encode()
    for cut in range(1, len(good), 5):
        yield Case(f"truncated to {cut} bytes", kind, good[:cut], "not_json")
    for cut in range(1, 60, 11):
        yield Case(f"without its first {cut} bytes", kind, good[cut:], "not_json")
    damages = {
        "twice on a line": good + good,
        "twice on a line with a space": good + b" " + good,
        "twice on a line with a comma": good + b"," + good,
        "a byte order mark before": b"\xef\xbb\xbf" + good,
        "a NUL after": good + b"\0",
        "a NUL before": b"\0" + good,
        "a brace after": good + b"}",
        "text after": good + b" ok",
        "a trailing comma": good[:-1] + b",}",
        "a comment within": good[:-1] + b"/* */}",
        "semicolons": good.replace(b",", b";"),
        "equal signs": good.replace(b'": ', b'"= '),
        "no colons": good.replace(b'": ', b'" '),
        "no commas": good.replace(b",", b""),
        "single quotes": good.replace(b'"', b"'"),
        "unquoted keys": good.replace(b'"event_id"', b"event_id"),
        "a number as key": good[:-1] + b", 1: 2}",
        "gzip's first bytes": b"\x1f\x00" + good,
    }
    for name, line in damages.items():
        yield Case(name, kind, line, "not_json")
    for size in (64 * 1024 + 1, 100_000):
        yield Case(f"padded to {size} bytes", kind, good.ljust(size), "too_large")
    extra = good[:-1] + b', "x": "' + b"x" * 70_000 + b'"}'
    yield Case("a huge unknown field", kind, extra, "too_large")
    yield Case("70,000 bytes of no UTF-8", kind, b"\xff" * 70_000, "too_large")
    yield Case("10 MB of nothing", kind, b" " * 10_000_000, "too_large")
    yield Case("10 MB of an event", kind, text_of(kind, x="x" * 10_000_000).encode(), "too_large")


def fields(kind: str) -> Iterator[Case]:
    """A valid line with one field missing, repeated, of another type or out of range."""
    base = BASES[kind]
    for name in base:
        rest = {key: value for key, value in base.items() if key != name}
        reason = None if name == "offer_id" else "missing_field"
        yield Case(f"without {name}", kind, json.dumps(rest).encode(), reason)
        renamed = json.dumps(rest | {name.upper(): base[name]}).encode()
        yield Case(f"{name} in capitals", kind, renamed, reason)
        again = json.dumps({name: base[name]}).encode()[1:-1]
        whole = json.dumps(base).encode()
        yield Case(f"{name} twice", kind, whole[:-1] + b", " + again + b"}", "not_json")
        escaped = again.replace(name.encode(), b"\\u%04x" % ord(name[0]) + name[1:].encode(), 1)
        line = whole[:-1] + b", " + escaped + b"}"
        yield Case(f"{name} twice, once escaped", kind, line, "not_json")
    yield Case("an empty object", kind, b"{}", "missing_field")
    yield Case(
        "an event within an object", kind, json.dumps({"event": base}).encode(), "missing_field"
    )
    strings = [name for name, value in base.items() if isinstance(value, str)]
    for name in strings:
        for value in NOT_STRINGS:
            reason = None if (name, value) == ("offer_id", "null") else "wrong_type"
            yield Case(f"{name} is {value}", kind, with_raw(kind, name, value), reason)
    for name in (n for n in base if n.endswith("_id") and n not in strings):
        for value in NO_INTEGERS:
            yield Case(f"{name} is {value}", kind, with_raw(kind, name, value), "wrong_type")
        for value in INTEGERS_OUT_OF_RANGE:
            label = f"{name} is {value[:30]} of {len(value)} digits"
            yield Case(label, kind, with_raw(kind, name, value), "out_of_range")
        for value in ("0", "9223372036854775807"):
            yield Case(f"{name} is {value}", kind, with_raw(kind, name, value), None)


def lengths(kind: str) -> Iterator[Case]:
    """Texts at the limits of their length, counted in characters."""
    limits = {"event_id": 64} if kind == "play" else {"event_id": 64, "ad": 64, "offer_id": 128}
    for name, most in limits.items():
        yield Case(f"{name} is empty", kind, text_of(kind, **{name: ""}).encode(), "out_of_range")
        for letter in ("a", "\u00e9", "\ud55c", "\U0001f3b5", "\0", '"', "\n"):
            code = f"U+{ord(letter):04X}"
            fits = text_of(kind, **{name: letter * most})
            over = text_of(kind, **{name: letter * (most + 1)})
            yield Case(f"{name} of {most} {code}, escaped", kind, fits.encode(), None)
            yield Case(f"{name} of {most + 1} {code}, escaped", kind, over.encode(), "out_of_range")
        raw = json.dumps(BASES[kind] | {name: "\U0001f3b5" * most}, ensure_ascii=False)
        yield Case(f"{name} of {most} emoji, raw", kind, raw.encode(), None)
        raw = json.dumps(BASES[kind] | {name: "\U0001f3b5" * (most + 1)}, ensure_ascii=False)
        yield Case(f"{name} of {most + 1} emoji, raw", kind, raw.encode(), "out_of_range")
        half = with_raw(kind, name, '"\\ud83c"')
        yield Case(f"{name} is half a surrogate pair", kind, half, "not_json")
    huge = text_of(kind, event_id="x" * 60_000).encode()
    yield Case("event_id of 60,000", kind, huge, "out_of_range")


def values(kind: str) -> Iterator[Case]:
    """Values that only one kind has."""
    if kind == "play":
        for text in NO_ZIPS:
            line = text_of(kind, zip=text).encode()
            yield Case(f"zip is {text!r}", kind, line, "out_of_range")
            raw = json.dumps(PLAY | {"zip": text}, ensure_ascii=False).encode()
            yield Case(f"zip is {text!r}, raw", kind, raw, "out_of_range")
        for text in ("00000", "99999"):
            yield Case(f"zip is {text}", kind, text_of(kind, zip=text).encode(), None)
        for text in ("0", "1", '"true"', '"false"', "null", "[]", "{}", "0.0", '""'):
            line = with_raw(kind, "is_mobile", text)
            yield Case(f"is_mobile is {text}", kind, line, "wrong_type")
        yield Case("is_mobile is false", kind, with_raw(kind, "is_mobile", "false"), None)
        return
    for text in (
        "",
        "Shown",
        "SHOWN",
        "shown ",
        " shown",
        "shown\n",
        "viewed",
        "showns",
        "clickedx",
    ):
        line = text_of(kind, action=text).encode()
        yield Case(f"action is {text!r}", kind, line, "out_of_range")
    for text in ("shown", "clicked", "upgraded"):
        yield Case(f"action is {text}", kind, text_of(kind, action=text).encode(), None)
    yield Case("an ad nobody knows", kind, text_of(kind, ad="?").encode(), None)


def times(kind: str) -> Iterator[Case]:
    """Times in the wrong form, impossible ones, too old and skewed ones, and fine ones."""
    name = time_field(kind)
    groups = {
        "wrong_type": NO_TIMES,
        "out_of_range": IMPOSSIBLE_TIMES,
        "too_old": TOO_OLD_TIMES,
        "clock_skew": SKEWED_TIMES,
        None: FINE_TIMES,
    }
    for reason, texts in groups.items():
        for text in texts:
            label = f"{name} is {text[:40]!r} of {len(text)}"
            yield Case(label, kind, text_of(kind, **{name: text}).encode(), reason)


def extras(kind: str) -> Iterator[Case]:
    """Unknown fields: ignored, but JSON all the same."""
    good = text_of(kind)
    for name, value in EXTRAS.items():
        line = f'{good[:-1]}, "extra": {value}}}'.encode()
        yield Case(f"an unknown field: {name}", kind, line, None)
        line = f'{{"extra": {value}, {good[1:]}'.encode()
        yield Case(f"an unknown field first: {name}", kind, line, None)
    for name, value in BROKEN_EXTRAS.items():
        line = f'{good[:-1]}, "extra": {value}}}'.encode()
        yield Case(f"an unknown field broken: {name}", kind, line, "not_json")
        line = f'{{"extra": {value}, {good[1:]}'.encode()
        yield Case(f"an unknown field broken, first: {name}", kind, line, "not_json")
        line = f'{{"extra": {value}}}'.encode()
        yield Case(f"an unknown field broken, alone: {name}", kind, line, "not_json")
    twice = f'{good[:-1]}, "extra": 1, "other": 2, "extra": 1}}'.encode()
    yield Case("an unknown field twice", kind, twice, "not_json")
    own = f'{good[:-1]}, "published_at": "never"}}'.encode()
    yield Case("published_at in the line of a message", kind, own, None)


def whitespace(kind: str) -> Iterator[Case]:
    """White space where JSON allows it, and other spelling that means the same."""
    good = text_of(kind)
    lines = {
        "spaces around": f"  {good}\t ",
        "a carriage return after": f"{good}\r",
        "a carriage return before": f"\r{good}",
        "no spaces": good.replace(" ", ""),
        "tabs within": good.replace(" ", "\t"),
        "carriage returns within": good.replace(" ", "\r"),
        "an escaped key": good.replace('"event_id"', '"\\u0065vent_id"'),
        "escaped values": good.replace('"e1"', '"\\u0065\\u0031"'),
        "keys in reverse": json.dumps(dict(reversed(BASES[kind].items()))),
        "64 KiB exactly": good.ljust(64 * 1024),
        "64 KiB exactly with an unknown field": f'{good[:-1]}, "x": "{{}}"}}'.replace(
            "{}", "x" * (64 * 1024 - len(good) - 9)
        ),
    }
    for name, line in lines.items():
        yield Case(name, kind, line.encode(), None)


def precedence(kind: str) -> Iterator[Case]:
    """Lines with several faults: the reason that stands first in the list is given."""
    time = time_field(kind)
    without = {key: value for key, value in BASES[kind].items() if key != "event_id"}
    bad: list[tuple[str, dict[str, Any], str]] = [
        ("missing and wrong type", without | {"customer_id": "7"}, "missing_field"),
        ("missing and out of range", without | {"customer_id": -1}, "missing_field"),
        ("missing and too old", without | {time: TOO_OLD_TIMES[0]}, "missing_field"),
        ("wrong type after out of range", {"event_id": "", "customer_id": "7"}, "wrong_type"),
        ("wrong type before out of range", {"event_id": 1, "customer_id": -1}, "wrong_type"),
        ("no time and out of range", {"event_id": "", time: "now"}, "wrong_type"),
        ("no time and a negative id", {"customer_id": -1, time: "now"}, "wrong_type"),
        (
            "impossible time and wrong type",
            {"customer_id": 1.5, time: IMPOSSIBLE_TIMES[0]},
            "wrong_type",
        ),
        ("out of range and too old", {"customer_id": -1, time: TOO_OLD_TIMES[0]}, "out_of_range"),
        ("out of range and skewed", {"event_id": "", time: SKEWED_TIMES[0]}, "out_of_range"),
        ("impossible year 0000", {time: "0000-01-01T00:00:00Z"}, "out_of_range"),
    ]
    for name, changes, reason in bad:
        whole = changes if reason == "missing_field" else BASES[kind] | changes
        yield Case(name, kind, json.dumps(whole).encode(), reason)
    invalid = text_of(kind, customer_id=-1).encode() + b"\xff"
    yield Case("not UTF-8 and out of range", kind, invalid, "not_utf8")
    yield Case("not UTF-8 and not JSON", kind, b"{\xff", "not_utf8")
    twice = b'{"a":1,"a":2}'
    yield Case("a key twice and fields missing", kind, twice, "not_json")
    yield Case("a key twice in an array", kind, b"[" + twice + b"]", "not_json")


def cases() -> list[Case]:
    """The whole corpus, for both kinds; names are unique."""
    parts = (
        whole_lines,
        damaged_lines,
        fields,
        lengths,
        values,
        times,
        extras,
        whitespace,
        precedence,
    )
    return [
        case._replace(name=f"{kind}: {case.name}")
        for kind in BASES
        for part in parts
        for case in part(kind)
    ]


CASES = cases()
REFUSED = [case for case in CASES if case.reason is not None]
FINE = [case for case in CASES if case.reason is None]
