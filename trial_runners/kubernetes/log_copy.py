"""The local copy of an attempt's output, and how far it has come, so that reading goes on after any break.

``stdout.log`` holds the bytes. ``stdout.index`` is written ahead of it and holds lines:

- ``from <pod uid> <restarts> <pod name> <start>``: what follows is of this container; where it starts in the log
- ``<nanoseconds> <checksum> <end>``: an entry, and where it ends in the log
- ``done <pod uid> <restarts> <pod name>``: that container was read to its end

The server can be asked for what was printed since a second. Of the entries that come then, those that the copy already
has of that second and later are left out, by time and checksum; so it does not matter whether the runtime has begun a
new file meanwhile. Entries before the last second are dropped from the index from time to time.

The output of an attempt is that of its containers one after the other, in the order of their start, each read once: of
a container that was restarted, or of another pod where the job's own ``backoffLimit`` made one.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from trial_runners.kubernetes.log_entries import SECOND, Entry

_LONGEST_INDEX = 1 << 20


class Instance(NamedTuple):
    """One run of a container: of a pod, after so many restarts."""

    uid: str
    restarts: int
    pod: str


class _Known(NamedTuple):
    """An entry of the copy. end: where it ends."""

    time: int
    checksum: int
    end: int


class LogCopy:
    """One log and its index. One thread writes it."""

    def __init__(self, log: Path) -> None:
        """Picks up what is there; what a crash cut off is dropped, to be read again."""
        self._path, self._index_path = log, log.with_suffix(".index")
        self.done: set[Instance] = set()
        self.instance: Instance | None = None
        self._recent: deque[_Known] = deque()
        self._expected: Counter[tuple[int, int]] = Counter()
        self._latest = 0
        self._size = 0
        self._start = 0
        self._noted = 0
        self._load()
        self._log = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.ftruncate(self._log, self._size)
        self._index = os.open(self._index_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if self.instance is not None:
            self._compact()

    def begin(self, instance: Instance) -> None:
        """What is written from now on is of ``instance``; one that was begun before goes on."""
        if instance != self.instance:
            self._turn_to(instance, self._size)
            self._note(f"from {instance.uid} {instance.restarts} {instance.pod} {self._start}\n")

    def attach(self) -> int | None:
        """A new stream of the instance begins. Returns the second, since the epoch, to ask for it from; None: from its
        start. What the copy has of it already will be left out."""
        self._expected = Counter((known.time, known.checksum) for known in self._recent)
        return self._latest // SECOND if self._latest else None

    def write(self, entries: Iterable[Entry]) -> int:
        """Add those entries of the stream that the copy does not have. Returns the bytes that were written."""
        lines, data = [], []
        before = self._size
        for entry in entries:
            if self._expected and self._expected[entry.key] > 0:
                self._expected[entry.key] -= 1
                continue
            self._size += len(entry.data)
            known = _Known(*entry.key, self._size)
            self._recent.append(known)
            self._latest = max(self._latest, known.time)
            lines.append(f"{known.time} {known.checksum} {known.end}\n")
            data.append(entry.data)
        if lines:
            self._note("".join(lines))
            _write(self._log, b"".join(data))
            self._prune()
        return self._size - before

    @property
    def size(self) -> int:
        """Bytes of it."""
        return self._size

    def finish(self, instance: Instance) -> None:
        """Nothing more comes of ``instance``."""
        self.done.add(instance)
        self._note(f"done {instance.uid} {instance.restarts} {instance.pod}\n")

    def close(self) -> None:
        """Close the files."""
        os.close(self._log)
        os.close(self._index)

    def _note(self, text: str) -> None:
        _write(self._index, text.encode())
        self._noted += len(text)
        if self._noted > 2 * _LONGEST_INDEX:
            self._compact()

    def _prune(self) -> None:
        second = self._latest // SECOND * SECOND
        while self._recent and self._recent[0].time < second:
            self._recent.popleft()

    def _compact(self) -> None:
        """Write the index anew, with what is still needed."""
        lines = [f"done {done.uid} {done.restarts} {done.pod}\n" for done in self.done]
        if self.instance is not None:
            lines.append(f"from {self.instance.uid} {self.instance.restarts} {self.instance.pod} {self._start}\n")
        lines += [f"{known.time} {known.checksum} {known.end}\n" for known in self._recent]
        text = "".join(lines).encode()
        aside = self._index_path.with_suffix(".partial")
        aside.write_bytes(text)
        aside.replace(self._index_path)
        os.close(self._index)
        self._index = os.open(self._index_path, os.O_WRONLY | os.O_APPEND)
        self._noted = len(text)

    def _load(self) -> None:
        try:
            lines = self._index_path.read_bytes().split(b"\n")[:-1]
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        for words in (line.decode().split(" ") for line in lines):
            if words[0] == "done":
                self.done.add(Instance(words[1], int(words[2]), words[3]))
            elif words[0] == "from":
                self._turn_to(Instance(words[1], int(words[2]), words[3]), min(int(words[4]), size))
            elif int(words[2]) <= size:
                known = _Known(*map(int, words))
                self._recent.append(known)
                self._latest = max(self._latest, known.time)
                self._size = max(self._size, known.end)
        self._prune()

    def _turn_to(self, instance: Instance, start: int) -> None:
        self.instance, self._start = instance, start
        self._size = max(self._size, start)
        self._recent.clear()
        self._latest = 0


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
