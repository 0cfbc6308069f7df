"""What the doors share: unpacking, signatures remembered, the rate, imports that stay light."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.shared.admission import MAX_REMEMBERED, Admission, Memory
from functions.shared.http import MAX_BODY_BYTES, Refusal, decompress
from functions.shared.logs import Tally
from functions.shared.signing import Caller, sign
from functions.shared.store import Store, StoreDown
from infra.local.stack import Stack
from tests.functions.process import signature
from tests.functions.proxy import silent_port

ROOT = Path(__file__).resolve().parents[2]


class Clock:
    """A monotonic clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=4))
def test_gzip_of_any_number_of_members_is_unpacked(parts: list[bytes]) -> None:
    packed = b"".join(gzip.compress(part) for part in parts)
    assert decompress(" GZIP ", packed) == b"".join(parts)


@pytest.mark.parametrize("size", [MAX_BODY_BYTES, MAX_BODY_BYTES + 1])
def test_what_unpacks_to_more_than_a_mebibyte_is_refused(size: int) -> None:
    for packed in (
        gzip.compress(b"x" * size),
        gzip.compress(b"x") + gzip.compress(b"x" * (size - 1)),
    ):
        if size <= MAX_BODY_BYTES:
            assert len(decompress("gzip", packed)) == size
        else:
            with pytest.raises(Refusal) as refusal:
                decompress("gzip", packed)
            assert refusal.value.status == 413


@given(st.binary(min_size=1, max_size=200))
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    for packed in (body, gzip.compress(b"abc") + body, gzip.compress(body)[:-1]):
        with pytest.raises(Refusal) as refusal:
            decompress("gzip", packed)
        assert refusal.value.status == 400


@given(st.text(min_size=1), st.binary())
def test_a_signature_is_what_its_description_says(secret: str, payload: bytes) -> None:
    assert sign(secret, "1700000000.5", payload) == signature(secret, "1700000000.5", payload)


def test_a_process_remembers_a_signature_for_its_whole_life_and_not_for_ever() -> None:
    clock = Clock()
    memory = Memory(lifetime_s=600, monotonic=clock)
    assert memory.take(b"one")
    for _ in range(6):
        clock.now += 100
        assert not memory.take(b"one")
    clock.now += 601
    memory.take(b"two")
    clock.now += 601
    assert memory.take(b"one")
    clock.now += 5000
    assert memory.take(b"two")


def test_a_forgotten_signature_is_good_again() -> None:
    memory = Memory(lifetime_s=600, monotonic=Clock())
    assert memory.take(b"one")
    memory.forget(b"one")
    assert memory.take(b"one")


def test_a_process_remembers_no_more_than_it_has_room_for() -> None:
    memory = Memory(lifetime_s=600, monotonic=Clock())
    for number in range(MAX_REMEMBERED // 2 + 1):
        memory.take(number.to_bytes(4, "big"))
    assert not memory.take(b"\x00\x00\x00\x00")
    assert len(memory._young) == 1


def test_redis_keeps_a_signature_as_long_as_it_would_be_believed(stack: Stack) -> None:
    store = Store(stack.redis)
    caller = Caller("lifetime", b"l" * 32, 432)
    Admission("test", store, 0, 0, Memory(600)).enter(caller, 1)
    ttl = store.script("return redis.call('TTL', KEYS[1])")
    assert ttl([f"seen:{caller.signature.hex()}"], []) in (431, 432)


def test_a_key_that_is_over_its_rate_loses_neither_tokens_nor_signature(stack: Stack) -> None:
    admission = Admission("test", Store(stack.redis), 0.001, 1000, Memory(600))
    admission.enter(Caller("tokens", b"1" * 32, 600), 600)
    big = Caller("tokens", b"2" * 32, 600)
    for _ in range(2):
        with pytest.raises(Refusal) as refusal:
            admission.enter(big, 600)
        assert refusal.value.status == 429
        assert 199_000 < int(refusal.value.headers["Retry-After"]) <= 200_000
    admission.enter(Caller("tokens", b"3" * 32, 600), 400)
    admission.enter(Caller("another", b"4" * 32, 600), 1000)


def test_after_a_failure_redis_is_left_alone_for_a_while() -> None:
    listener, port = silent_port()
    listener.setblocking(False)
    clock = Clock()
    store = Store(f"redis://127.0.0.1:{port}/0", timeout_s=0.05, rest_s=2, monotonic=clock)
    ask = store.script("return 1")

    def connections() -> int:
        count = 0
        while True:
            try:
                listener.accept()
            except BlockingIOError:
                return count
            count += 1

    for _ in range(5):
        with pytest.raises(StoreDown):
            ask([], [])
    assert connections() == 1
    clock.now += 2.1
    with pytest.raises(StoreDown):
        ask([], [])
    assert connections() == 1
    listener.close()


def test_what_redis_refuses_for_one_key_does_not_keep_it_from_the_others(stack: Stack) -> None:
    store = Store(stack.redis)
    with pytest.raises(StoreDown):
        store.script("return redis.call('NO SUCH COMMAND')")([], [])
    assert store.script("return 1")([], []) == 1


def test_a_tally_tells_the_first_at_once_and_the_others_together(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock()
    tally = Tally("strange", "it happened", every_s=10, monotonic=clock)
    for _ in range(5):
        tally.count()
    clock.now += 10
    tally.count()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["metric"], line["count"]) for line in lines] == [("strange", 1), ("strange", 5)]


HEAVY = ("polars", "numpy", "apache_beam", "pyarrow", "google.cloud.pubsub_v1", "pandas")


@pytest.mark.parametrize("name", ["ingest", "offer", "sms"])
def test_a_door_imports_nothing_heavy_and_opens_nothing(name: str, tmp_path: Path) -> None:
    code = (
        f"import functions.{name}.main as main, os, sys, threading;"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules];"
        "assert not heavy, heavy;"
        "assert main._door._door is None;"
        "assert threading.active_count() == 1"
    )
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"}
    subprocess.run([sys.executable, "-c", code], env=environ, cwd=tmp_path, check=True)
