"""Work spread over processes that may die: each is started anew, has one BLAS thread, and does one task at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, NamedTuple

ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)
GRACE = 10.0  # seconds that a process has to end by itself
_SPAWN = multiprocessing.get_context("spawn")


class Lost(NamedTuple):
    """No answer came: the process died, or the work raised what it should have dealt with. reason: in words."""

    reason: str


class Done(NamedTuple):
    """A task and the answer to it. seconds: of wall-clock time from its start."""

    task: Any
    answer: Any
    seconds: float


def work_off(
    work: Callable[[Any], Any], tasks: Iterable[Any], jobs: int, patience: float = float("inf")
) -> Iterator[Done]:
    """``work(task)`` for all tasks, each in one of ``jobs`` processes; answers in the order in which they come.

    work: a function of a module, as the processes import it. patience: seconds after which the process of a task is
    ended and the answer is Lost. Closing the iterator ends all processes.
    """
    waiting, team = iter(tasks), [_Helper(work) for _ in range(jobs)]
    try:
        while True:
            for helper in team:
                if helper.idle:
                    helper.take(waiting)
            busy = {helper.connection: helper for helper in team if not helper.idle}
            if not busy:
                return
            soonest = min(helper.began for helper in busy.values()) + patience
            ready = wait(list(busy), None if soonest == float("inf") else max(0.0, soonest - time.monotonic()))
            for connection, helper in busy.items():
                if connection in ready:
                    yield helper.answer()
                elif time.monotonic() - helper.began >= patience:
                    yield helper.give_up()
    finally:
        for helper in team:
            helper.dismiss()
        for helper in team:
            helper.end()


@dataclass
class _Helper:
    """One process; it is started when there is a task for it."""

    work: Callable[[Any], Any]
    idle: bool = True
    began: float = 0.0
    task: Any = None
    _process: SpawnProcess | None = None
    _connection: Connection | None = field(default=None)

    @property
    def connection(self) -> Connection:
        """To the process."""
        if self._connection is None:
            ours, theirs = _SPAWN.Pipe()
            process = _SPAWN.Process(target=_serve, args=(theirs, self.work), daemon=False)
            with _environment(ONE_THREAD), _interrupts_held():
                process.start()
                self._process, self._connection = process, ours
            theirs.close()
        return self._connection

    def take(self, tasks: Iterator[Any]) -> None:
        """Begin with the next task, if there is one."""
        for task in tasks:
            self.task, self.idle, self.began = task, False, time.monotonic()
            with suppress(BrokenPipeError):  # it died meanwhile, which shows when its answer is read
                self.connection.send(task)
            return

    def answer(self) -> Done:
        """What the process says."""
        self.idle = True
        try:
            return self._done(self.connection.recv())
        except (EOFError, ConnectionResetError):
            code = self.end()
            cause = signal.Signals(-code).name if code is not None and code < 0 else f"exit status {code}"
            return self._done(Lost(f"its process died: {cause}"))

    def give_up(self) -> Done:
        """End the process in the midst of its work."""
        self.dismiss()
        self.end()
        self.idle = True
        return self._done(Lost(f"given up after {time.monotonic() - self.began:.0f} seconds"))

    def dismiss(self) -> None:
        """Tell the process that it is to end: by a signal if it works, else by the end of its tasks."""
        if self._process is not None and not self.idle:
            self._process.terminate()
        elif self._connection is not None:
            self._connection.close()

    def end(self) -> int | None:
        """Wait for its end, which comes at last by force; its exit status."""
        process, self._process = self._process, None
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if process is None:
            return None
        process.join(GRACE)
        if process.exitcode is None:
            process.kill()
            process.join()
        return process.exitcode

    def _done(self, answer: Any) -> Done:
        return Done(self.task, answer, time.monotonic() - self.began)


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    """Answer tasks until nobody sends any. Ctrl-C is the parent's affair; being told to end leaves as an exit does, so
    that what was begun is cleaned up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})  # blocked since its start, see below
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        try:
            answer = work(task)
        except Exception as error:
            answer = Lost(f"{type(error).__name__}: {error}")
        connection.send(answer)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """Ctrl-C comes afterwards. A process that starts within takes this over, so that no Ctrl-C meets its imports."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """With these environment variables, for the processes that start within."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
