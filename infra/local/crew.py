"""The project's own processes of one run, beside a stack's services: started, watched, ended."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from infra.local import parts, processes
from infra.local.display import Display
from infra.local.environments import last_error
from infra.local.errors import ServiceFailed
from infra.local.services import Launch
from infra.local.stack import Stack

START_S = 90.0
CHILD_DEADLINE = timedelta(seconds=15)
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Crew:
    """Processes by name; each is recorded below the stack's home like the services are."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self._children: dict[str, processes.Child] = {}

    def spawn(self, name: str, launch: Launch) -> None:
        """Start a process."""
        self._children[name] = parts.spawn(self.stack, name, launch)

    def finish(self, *names: str) -> None:
        """Wait for steps that end by themselves; ServiceFailed when one ends badly."""
        for name in names:
            if self._children[name].wait():
                raise self._ended(name)
            del self._children[name]

    def is_running(self, name: str) -> bool:
        """Whether it has not ended yet; ServiceFailed when it ended badly."""
        code = self._children[name].poll()
        if code:
            raise self._ended(name)
        return code is None

    def wait_for(self, name: str, ready: Callable[[], bool], lasting: Sequence[str]) -> None:
        """Wait until a process answers; ServiceFailed if it does not, or one of `lasting` ends."""
        deadline = time.monotonic() + START_S
        while not ready():
            self.check(lasting)
            if time.monotonic() > deadline:
                raise ServiceFailed(f"{name} did not answer; its log is {self.stack.log(name)}.")
            time.sleep(0.1)

    def check(self, lasting: Sequence[str]) -> None:
        """Raise ServiceFailed when a service, or one of `lasting` that was started, has ended."""
        for name in lasting:
            if name in self._children and self._children[name].poll() is not None:
                raise self._ended(name)
        self.stack.check()

    def stop(self, first: Sequence[str]) -> None:
        """End everything that was started: those of `first` in that order, the services last."""
        own = [name for name in first if name in self._children]
        rest = [name for name in self._children if name not in own]
        processes.stop_all(self.stack.run, [*own, *rest], CHILD_DEADLINE)
        for child in self._children.values():
            child.wait()
        self.stack.stop()

    def _ended(self, name: str) -> ServiceFailed:
        code, log = self._children[name].returncode, self.stack.log(name)
        return ServiceFailed(f"{name} ended (exit {code}): {last_error(log)} Its log is {log}.")


@contextmanager
def alone(crew: Crew, display: Display, record: str, first: Sequence[str]) -> Iterator[None]:
    """The stack's home for one run, wiped; whatever happens, all of it is stopped afterwards.

    Ctrl-C, SIGTERM and a closed terminal are a KeyboardInterrupt inside. Raises AlreadyRunning
    when another run has this home. `record` names this very process below the home, `first` says
    who is to end first.
    """
    stack = crew.stack
    stack.hold()
    try:
        with _interruptible():
            stack.wipe()
            processes.record_of(record, os.getpid()).write(stack.run)
            yield
    finally:
        for number in STOPPING:
            signal.signal(number, signal.SIG_IGN)
        display.settle()
        processes.record_file(stack.run, record).unlink(missing_ok=True)
        if processes.read_records(stack.run):
            display.step("stopping …")
            crew.stop(first)
            display.step("everything is stopped")
        stack.release()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Every signal that asks us to stop is a KeyboardInterrupt."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for number in STOPPING:
        signal.signal(number, interrupt)
    yield
