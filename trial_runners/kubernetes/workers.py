"""Requests that nobody waits for: a few threads carry them out, again and again while the server does not answer."""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Hashable

from katib.core.errors import PermanentError, UnavailableError

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0

Task = Callable[[], None]


class Workers:
    """A queue of tasks, each known by a key; one that is queued already is not queued twice."""

    def __init__(self, threads: int) -> None:
        self._condition = threading.Condition()
        self._heap: list[tuple[float, int, Hashable, Task, float]] = []
        self._queued: set[Hashable] = set()
        self._busy = 0
        self._numbers = itertools.count()
        self._closed = False
        for _ in range(threads):
            threading.Thread(target=self._work, name="katib-requests", daemon=True).start()

    def submit(self, key: Hashable, task: Task, delay: float = 0.0) -> None:
        """Have ``task`` done after ``delay`` seconds. It may raise UnavailableError to be done again later; with
        PermanentError it is done too, for there is nobody to tell."""
        with self._condition:
            if key not in self._queued and not self._closed:
                self._push(time.monotonic() + delay, key, task, _FIRST_PAUSE)

    def flush(self, timeout: float) -> None:
        """Wait until all is done, ``timeout`` seconds at most."""
        with self._condition:
            self._condition.wait_for(lambda: not self._heap and not self._busy, timeout)

    def close(self) -> None:
        """Begin nothing more."""
        with self._condition:
            self._closed = True
            self._heap.clear()
            self._condition.notify_all()

    def _push(self, due: float, key: Hashable, task: Task, pause: float) -> None:
        self._queued.add(key)
        heapq.heappush(self._heap, (due, next(self._numbers), key, task, pause))
        self._condition.notify()

    def _work(self) -> None:
        while True:
            with self._condition:
                while not self._closed and (not self._heap or self._heap[0][0] > time.monotonic()):
                    self._condition.wait(max(0.0, self._heap[0][0] - time.monotonic()) if self._heap else None)
                if self._closed:
                    return
                _, _, key, task, pause = heapq.heappop(self._heap)
                self._queued.discard(key)
                self._busy += 1
            again = False
            try:
                again = _do(task)
            finally:
                self._done(again, key, task, pause)

    def _done(self, again: bool, key: Hashable, task: Task, pause: float) -> None:
        with self._condition:
            self._busy -= 1
            if again and key not in self._queued and not self._closed:
                self._push(time.monotonic() + pause, key, task, min(2 * pause, _LONGEST_PAUSE))
            self._condition.notify_all()


def _do(task: Task) -> bool:
    """Whether the task is to be done again."""
    try:
        task()
    except UnavailableError:
        return True
    except PermanentError:
        return False
    return False
