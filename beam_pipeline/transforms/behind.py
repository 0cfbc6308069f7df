"""Writes that no bundle waits for: one after the other to each place, what is waiting together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import polars as pl

Written = TypeVar("Written")

AHEAD = 4
"""Frames that may wait for the write that is under way."""
ENOUGH_ROWS = 2_000
"""As many are written without waiting for more, and what waits is put together up to there."""


class Lane(Generic[Written]):
    """Writes to one place, in a thread that no process waits for when it ends.

    Args:
        write: writes a frame and says what became of it.
        patience_s: how long fewer than ENOUGH_ROWS wait for others, in seconds.
    """

    def __init__(self, write: Callable[[pl.DataFrame], Written], patience_s: float) -> None:
        self._write = write
        self._patience_s = patience_s
        self._waiting: list[tuple[float, pl.DataFrame]] = []
        self._left = self._done = 0
        self._ended: list[Written] = []
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="write", daemon=True).start()

    def put(self, frame: pl.DataFrame) -> None:
        """Leave rows to be written when those before them are; waits while AHEAD frames wait.

        Raises what a write before raised: after that, nothing more is written.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._failure or len(self._waiting) < AHEAD)
            self._raise()
            self._waiting.append((time.monotonic(), frame))
            self._left += 1
            self._changed.notify_all()

    def all_so_far(self) -> Callable[[], bool]:
        """Tells, whenever it is asked, whether all that has been left until now is written."""
        left = self._left
        return lambda: self._done >= left

    def ended(self) -> list[Written]:
        """What became of the writes that have ended since the last call; raises as `put` does."""
        with self._changed:
            self._raise()
            ended, self._ended = self._ended, []
            return ended

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            while True:
                frames = self._next()
                written = self._write(frames[0] if len(frames) == 1 else pl.concat(frames))
                with self._changed:
                    self._ended.append(written)
                    self._done += len(frames)
        except BaseException as error:  # noqa: BLE001 - it is raised where rows are left
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _next(self) -> list[pl.DataFrame]:
        """The rows that waited longest, when they are enough or have waited long enough."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            due = self._waiting[0][0] + self._patience_s
            self._changed.wait_for(self._enough, timeout=max(0.0, due - time.monotonic()))
            frames, rows = [self._waiting.pop(0)[1]], 0
            while self._waiting and (rows := rows + frames[-1].height) < ENOUGH_ROWS:
                frames.append(self._waiting.pop(0)[1])
            self._changed.notify_all()
        return frames

    def _enough(self) -> bool:
        rows = sum(frame.height for _, frame in self._waiting)
        return rows >= ENOUGH_ROWS or len(self._waiting) == AHEAD
