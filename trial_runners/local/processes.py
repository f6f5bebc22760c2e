"""Finding and ending the processes of attempts, those included that they leave behind.

A wrapper leads a session of its own, so ``os.getsid`` finds most of what it started. What has left the session is
found by the variable ``KATIB_ATTEMPT_ID`` in its environment, which children inherit: the path of the attempt's folder,
unique on the machine. To look through all environments may take 0.1 s on a busy machine, so ``Sweeper`` does it for
all attempts at once and spends at most a fiftieth of the time on it.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar
from weakref import WeakSet

import psutil

MARKER = "KATIB_ATTEMPT_ID"

# Seconds that left-behind processes have between SIGTERM and SIGKILL.
LEFTOVER_GRACE = 2.0

# Seconds between two looks through all environments, and how many times longer than a look a pause is at least.
_PAUSE = 1.0
_PAUSE_WHILE_LEFT = 0.25
_PAUSES_PER_LOOK = 50


def sessions(pids: Iterable[int]) -> dict[int, list[psutil.Process]]:
    """Living members of the sessions led by ``pids``; zombies do not count."""
    members: dict[int, list[psutil.Process]] = {pid: [] for pid in pids}
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            session = os.getsid(pid)
            if session in members:
                process = psutil.Process(pid)
                if process.status() != psutil.STATUS_ZOMBIE:
                    members[session].append(process)
    return members


def memory_of(processes: Iterable[psutil.Process], limit: int) -> int:
    """Bytes of memory in use together. Pages shared by forked processes are counted once, but only where that can
    matter: where the quick sum is above ``limit``."""
    processes = list(processes)
    total = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    if total <= limit:
        return total
    exact = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            exact += process.memory_full_info().pss if sys.platform == "linux" else process.memory_full_info().uss
    return exact


def oom_kills() -> int:
    """How often this kernel has killed a process for lack of memory, containers included; 0 where unknown."""
    with contextlib.suppress(OSError), open("/proc/vmstat", encoding="ascii") as counters:
        for line in counters:
            name, _, value = line.partition(" ")
            if name == "oom_kill":
                return int(value)
    return 0


class Reaper:
    """Ends processes: SIGTERM when first told, SIGKILL when told again after their grace."""

    def __init__(self) -> None:
        self._asked: dict[psutil.Process, float] = {}

    def end(self, processes: Iterable[psutil.Process], grace: float = LEFTOVER_GRACE) -> None:
        """Ask or make them end; never this process itself."""
        now = time.monotonic()
        for process in processes:
            if process.pid == os.getpid():
                continue
            with contextlib.suppress(psutil.Error):
                asked = self._asked.setdefault(process, now)
                if now - asked >= grace:
                    process.kill()
                elif asked == now:
                    process.terminate()
        self._asked = {process: asked for process, asked in self._asked.items() if now - asked < 60}


class Sweeper:
    """Ends what attempts below ``root`` left behind. ``runs``: whether the attempt of a folder still runs.

    A look costs as much as the machine has processes, and finds what any attempt below ``root`` left. So all runners of
    a process on one root share one: get it by ``shared``, and give it back by ``leave``.

    left: folders that living processes were left behind from, when it last looked.
    """

    _shared: ClassVar[dict[Path, Sweeper]] = {}
    _sharing: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self, root: Path, runs: Callable[[Path], bool]) -> None:
        self._root = root
        self._runs = runs
        self._users: WeakSet[object] = WeakSet()  # one that is dropped without a word is no user any more
        self._looking = threading.Lock()
        self._reaper = Reaper()
        self._wanted = True  # an earlier runner on this root may have died
        self._not_before = 0.0
        self.left: frozenset[Path] = frozenset()

    @classmethod
    def shared(cls, root: Path, runs: Callable[[Path], bool], user: object) -> Sweeper:
        """The one of this process, made if there is none."""
        with cls._sharing:
            sweeper = cls._shared.setdefault(root, cls(root, runs))
            sweeper._users.add(user)
            sweeper._wanted = True
            return sweeper

    def leave(self, user: object) -> None:
        """Say that ``user`` needs it no more. The others' looks find what he left behind; the last one finishes."""
        with self._sharing:
            known = user in self._users
            self._users.discard(user)
            last = known and not self._users
            if last:
                self._shared.pop(self._root, None)
        if last:
            self.finish()

    def expect(self) -> None:
        """Something ended, so the next ``sweep`` that may look shall look."""
        self._wanted = True

    def sweep(self) -> None:
        """Look, if something ended since and the last look is long enough ago."""
        began = time.monotonic()
        if not self._wanted or began < self._not_before or not self._looking.acquire(blocking=False):
            return
        try:
            self._wanted = False  # what ends from now on is looked for once more
            self._end_left()
            self._wanted = self._wanted or bool(self.left)
            now = time.monotonic()
            pause = _PAUSE_WHILE_LEFT if self.left else _PAUSE
            self._not_before = now + max(pause, _PAUSES_PER_LOOK * (now - began))
        finally:
            self._looking.release()

    def finish(self, timeout: float = 1.0) -> None:
        """Look a last time, and kill what has not ended within ``timeout`` seconds."""
        if not self._wanted:
            return
        psutil.wait_procs(self._end_left(), timeout)
        self._end_left(grace=0.0)
        self._wanted = False

    def _end_left(self, grace: float = LEFTOVER_GRACE) -> list[psutil.Process]:
        found = marked(self._root, self._runs)
        processes = [process for left in found.values() for process in left]
        self._reaper.end(processes, grace)
        self.left = frozenset(found)
        return processes


def marked(root: Path, without: Callable[[Path], bool] = lambda folder: False) -> dict[Path, list[psutil.Process]]:
    """Living processes that attempts below ``root`` started, by the attempt's folder. without: folders to leave out."""
    found: dict[Path, list[psutil.Process]] = {}
    left_out: dict[Path, bool] = {}
    start = os.fsencode(f"{MARKER}={root}{os.sep}")
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            environment = _environment(pid)
            if start not in environment:
                continue  # nearly all of them
            folder = next((text for text in environment.split(b"\0") if text.startswith(start)), None)
            if folder is None:
                continue
            path = Path(os.fsdecode(folder[len(MARKER) + 1 :]))
            if path not in left_out:
                left_out[path] = without(path)
            if not left_out[path] and (process := psutil.Process(pid)).status() != psutil.STATUS_ZOMBIE:
                found.setdefault(path, []).append(process)
    return found


def _environment(pid: int) -> bytes:
    """The environment that a process began with, entries ended by NUL. On Linux ten times quicker than psutil."""
    if sys.platform == "linux":
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    return b"\0".join(os.fsencode(f"{name}={value}") for name, value in psutil.Process(pid).environ().items())
