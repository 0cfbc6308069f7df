"""Lines that are no event: each has one thing wrong, and the reason that it must be given."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]

BIG = 66 * 1024


@dataclass(frozen=True)
class Flaw:
    """A way to be malformed: `name` for people, `reason` as it must be counted, `line` makes it."""

    name: str
    reason: str
    line: Callable[[Fields], bytes]


def _dump(fields: Fields) -> bytes:
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()


def _with(name: str, value: object) -> Callable[[Fields], bytes]:
    return lambda fields: _dump({**fields, name: value})


def _without(name: str) -> Callable[[Fields], bytes]:
    return lambda fields: _dump({k: v for k, v in fields.items() if k != name})


def _raw(name: str, text: str) -> Callable[[Fields], bytes]:
    """The field's value replaced by JSON that `json` would not write."""
    return lambda fields: _dump({**fields, name: "\0"}).replace(b'"\\u0000"', text.encode())


def _time(name: str, change: Callable[[str], str]) -> Callable[[Fields], bytes]:
    return lambda fields: _dump({**fields, name: change(fields[name])})


def _deep(fields: Fields) -> bytes:
    return _dump(fields)[:-1] + b',"more":' + b"[" * 5_000 + b"]" * 5_000 + b"}"


_ANY: tuple[Flaw, ...] = (
    Flaw("huge", "too_large", _with("note", "x" * BIG)),
    Flaw("latin1", "not_utf8", lambda f: _dump({**f, "note": "caf?"}).replace(b"?", b"\xe9")),
    Flaw("utf16", "not_utf8", lambda f: b"\xff\xfe" + _dump(f)),
    Flaw("truncated", "not_json", lambda f: _dump(f)[: len(_dump(f)) // 2]),
    Flaw("no_brace", "not_json", lambda f: _dump(f)[:-1]),
    Flaw("empty", "not_json", lambda f: b""),
    Flaw("blank", "not_json", lambda f: b"   "),
    Flaw("prose", "not_json", lambda f: "ERROR upstream timed out ♪".encode()),
    Flaw("single_quotes", "not_json", lambda f: _dump(f).replace(b'"', b"'")),
    Flaw("trailing_comma", "not_json", lambda f: _dump(f)[:-1] + b",}"),
    Flaw("two_objects", "not_json", lambda f: _dump(f) + _dump(f)),
    Flaw("bom", "not_json", lambda f: b"\xef\xbb\xbf" + _dump(f)),
    Flaw("nul", "not_json", lambda f: _dump(f).replace(b'"event_id":"', b'"event_id":"\x00')),
    Flaw("nan", "not_json", _raw("customer_id", "NaN")),
    Flaw("duplicate_key", "not_json", lambda f: _dump(f)[:-1] + b',"customer_id":1}'),
    Flaw("deep", "not_json", _deep),
    Flaw("array", "not_object", lambda f: b"[" + _dump(f) + b"]"),
    Flaw("string", "not_object", lambda f: b'"play"'),
    Flaw("number", "not_object", lambda f: b"42"),
    Flaw("null", "not_object", lambda f: b"null"),
    Flaw("no_event_id", "missing_field", _without("event_id")),
    Flaw("no_customer", "missing_field", _without("customer_id")),
    Flaw("number_event_id", "wrong_type", _with("event_id", 12)),
    Flaw(
        "text_customer", "wrong_type", lambda f: _dump({**f, "customer_id": str(f["customer_id"])})
    ),
    Flaw("float_customer", "wrong_type", _with("customer_id", 1.0)),
    Flaw("true_customer", "wrong_type", _with("customer_id", True)),
    Flaw("null_customer", "wrong_type", _with("customer_id", None)),
    Flaw("no_id_text", "out_of_range", _with("event_id", "")),
    Flaw("long_id", "out_of_range", _with("event_id", "e" * 65)),
    Flaw("negative_customer", "out_of_range", _with("customer_id", -1)),
    Flaw("huge_customer", "out_of_range", _with("customer_id", 2**63)),
    Flaw("vast_customer", "out_of_range", _with("customer_id", 10**30)),
)


def _times(name: str) -> tuple[Flaw, ...]:
    return (
        Flaw(f"no_{name}", "missing_field", _without(name)),
        Flaw("epoch_time", "wrong_type", _with(name, 1_700_000_000)),
        Flaw("naive_time", "wrong_type", _time(name, lambda t: t[:23])),
        Flaw("words_time", "wrong_type", _with(name, "yesterday evening")),
        Flaw("month_13", "out_of_range", _time(name, lambda t: t[:5] + "13" + t[7:])),
        Flaw("second_60", "out_of_range", _time(name, lambda t: t[:17] + "60" + t[19:])),
        Flaw("offset_99", "out_of_range", _time(name, lambda t: t[:23] + "+99:00")),
        Flaw("year_0000", "out_of_range", _time(name, lambda t: "0000-03-04" + t[10:])),
        Flaw("year_0001", "too_old", _time(name, lambda t: "0001-03-04" + t[10:])),
        Flaw("year_9998", "clock_skew", _time(name, lambda t: "9998-03-04" + t[10:])),
    )


PLAY_FLAWS: tuple[Flaw, ...] = (
    *_ANY,
    *_times("played_at"),
    Flaw("no_track", "missing_field", _without("track_id")),
    Flaw("no_is_mobile", "missing_field", _without("is_mobile")),
    Flaw("no_zip", "missing_field", _without("zip")),
    Flaw("negative_track", "out_of_range", _with("track_id", -7)),
    Flaw("exponent_track", "wrong_type", _raw("track_id", "1e3")),
    Flaw("int_mobile", "wrong_type", _with("is_mobile", 1)),
    Flaw("text_mobile", "wrong_type", _with("is_mobile", "yes")),
    Flaw("number_zip", "wrong_type", _with("zip", 72132)),
    Flaw("short_zip", "out_of_range", _with("zip", "1234")),
    Flaw("plus_four_zip", "out_of_range", _with("zip", "12345-6789")),
    Flaw("letters_zip", "out_of_range", _with("zip", "12a45")),
    Flaw("wide_digits_zip", "out_of_range", _with("zip", "１２３４５")),
)
"""The flaws of plays; a row's `flaw` is 1 + the place in this tuple."""

AD_FLAWS: tuple[Flaw, ...] = (
    *_ANY,
    *_times("at"),
    Flaw("no_ad", "missing_field", _without("ad")),
    Flaw("no_action", "missing_field", _without("action")),
    Flaw("strange_action", "out_of_range", _with("action", "hovered")),
    Flaw("number_action", "wrong_type", _with("action", 3)),
    Flaw("empty_ad", "out_of_range", _with("ad", "")),
    Flaw("number_offer", "wrong_type", _with("offer_id", 9)),
)
"""The flaws of ad events, likewise."""
