"""Fixtures that every room's tests share: the real services, started only when asked for."""

import itertools
from collections.abc import Iterator

import pytest

from infra.local.errors import AlreadyRunning
from infra.local.paths import LOCAL
from infra.local.stack import Ports, Stack


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Fresh services of this session on free ports: `stack.redis` starts Redis on first use.

    The home is `.local/test`, or `.local/test-2` and so on while other sessions hold theirs.
    """
    held = _hold_a_home()
    held.wipe()
    yield held
    held.stop()
    held.release()


def _hold_a_home() -> Stack:
    for number in itertools.count(1):
        home = LOCAL / ("test" if number == 1 else f"test-{number}")
        stack = Stack(home, Ports.free())
        try:
            stack.hold()
        except AlreadyRunning:
            continue
        return stack
    raise AssertionError("unreachable: counting has no end")
