"""Starting and stopping services: what is busy, broken or already there is said in one sentence."""

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from infra.local import services
from infra.local.__main__ import main
from infra.local.errors import AlreadyRunning, LocalError, PortBusy, ServiceFailed
from infra.local.services import Launch
from infra.local.stack import Ports, Stack


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    """A port on which somebody else listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Stack]:
    """A stack of this test alone, with nothing started."""
    stack = Stack(tmp_path / "home", Ports.free())
    yield stack
    stack.stop()


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_a_busy_port_is_named_with_its_service_and_its_owner_is_left_alone(
    own: Stack, taken: socket.socket
) -> None:
    stack = Stack(own.home, replace(own.ports, redis=port_of(taken)))
    with pytest.raises(PortBusy, match=rf"^Port {port_of(taken)}, needed for Redis, is in use"):
        stack.start(("redis",))
    with socket.create_connection(taken.getsockname(), timeout=1):
        pass
    assert not stack.run.exists() or list(stack.run.iterdir()) == []


def test_the_command_line_says_a_busy_port_in_one_line_and_ends_with_2(
    tmp_path: Path, taken: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    port = f"redis={port_of(taken)}"
    assert main(["up", "redis", "--home", str(tmp_path), "--port", port]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert str(port_of(taken)) in errors


@pytest.mark.parametrize(
    "words",
    [
        ["up", "nonsense"],
        ["up", "--port", "redis=many"],
        ["up", "--port", "nonsense=1"],
        ["demo", "--for", "0"],
        ["demo", "--rate", "many"],
        ["demo", "--backlog", "111"],
        ["fly"],
        [],
        ["down", "--wings"],
    ],
)
def test_a_wrong_word_on_the_command_line_is_one_line_and_ends_with_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_started_service_is_reused_and_keeps_its_data_over_a_restart(own: Stack) -> None:
    def say(words: str) -> bytes:
        with socket.create_connection(("127.0.0.1", own.ports.redis), timeout=5) as connection:
            connection.sendall(words.encode() + b"\r\n")
            return connection.recv(100)

    first = own.redis
    pid = json.loads((own.run / "redis.json").read_text())["pid"]
    assert say("SET kept yes") == b"+OK\r\n"
    assert own.redis == first == own.endpoints.redis
    assert json.loads((own.run / "redis.json").read_text())["pid"] == pid
    assert own.stop() == ["redis"]
    assert own.redis == first
    assert say("GET kept") == b"$3\r\nyes\r\n"
    own.wipe()
    assert own.redis == first
    assert say("GET kept") == b"$-1\r\n"


def test_what_another_run_left_behind_is_stopped_before_its_port_is_asked_for(own: Stack) -> None:
    own.start(("redis",))
    heir = Stack(own.home, own.ports)
    heir.wipe()
    heir.start(("redis",))
    assert heir.stop() == ["redis"]


def test_a_service_that_ends_while_starting_is_told_with_its_last_words_and_its_log(
    own: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = [sys.executable, "-c", "import sys; print('no room left'); sys.exit(7)"]
    broken = replace(services.REDIS, launch=lambda home, ports: Launch(list(failing)))
    own.home.mkdir()
    monkeypatch.setitem(services.SERVICES, "redis", broken)
    with pytest.raises(ServiceFailed, match=r"^Redis ended .* \(exit 7\): no room left Its log is"):
        own.start(("redis",))


def test_when_one_service_fails_those_started_with_it_are_stopped_again(
    own: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = replace(services.BIGQUERY, launch=lambda home, ports: Launch(["false"]))
    monkeypatch.setitem(services.SERVICES, "bigquery", broken)
    with pytest.raises(LocalError):
        own.start(("redis", "bigquery"))
    assert not own.is_running("redis")


def test_a_held_home_is_refused_to_a_second_run(own: Stack) -> None:
    own.hold()
    with pytest.raises(AlreadyRunning, match="in use by another run"):
        Stack(own.home, own.ports).hold()
    own.release()
    again = Stack(own.home, own.ports)
    again.hold()
    again.release()
