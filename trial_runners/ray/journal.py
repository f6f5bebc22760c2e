"""Who runs an attempt, and what a call of a function came to: one file in the attempt's folder, on the node it runs on.

``actor.jsonl`` begins with the facts of the actor that runs the attempt. Those of a function go on with its reports, a
list a line, and with its end. The actor holds the file's lock (POSIX, so that children do not inherit it) as long as
the attempt runs: whether it does is asked of the node's kernel, and no answer depends on a process that may be gone.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from katib.core.objective import Measurement
from katib.core.ports import Chunk, Phase, Update
from katib.core.trial import AttemptId, Cursor, FailureClass
from trial_runners.output import read_chunk, read_part

REPORTS = "reports"
"""The source that a function's reports are read from."""

SMALL = 16 << 10
"""Bytes of reports and of output, each, that a call answers with right away."""

_NAME = "actor.jsonl"
_TAIL = 64 << 10  # longer than any line about an end
_TRIES, _PAUSE = 20, 0.005  # a reader that asks for the lock holds it for a moment


class Holder(NamedTuple):
    """The actor that runs an attempt. function: it calls a function, else it runs a command. pid: of its process,
    which leads a group of its own. node: Ray's id of its node."""

    function: bool
    pid: int
    node: str


class End(NamedTuple):
    """How an attempt ended, as its actor saw it; the fields are those of an Update."""

    phase: Phase
    reason: str = ""
    failure: FailureClass | None = None
    message: str = ""
    problem: str = ""

    def update(self, id: AttemptId, chunks: tuple[Chunk, ...] = (), *, more: bool = False) -> Update:
        """It as an update."""
        return Update(
            id, self.phase, self.reason, self.failure, self.message, chunks=chunks, more=more, problem=self.problem
        )


class Journal:
    """Reads the file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME

    def holder(self) -> Holder | None:
        """Who runs it or ran it; None if nobody ever did."""
        first, newline, _ = read_part(self._path, 0, 4096).data.partition(b"\n")
        if not newline:
            return None
        try:
            return Holder(**json.loads(first))
        except (ValueError, TypeError):
            return None

    def held(self) -> bool:
        """Whether its actor runs it now. Never to be asked by that actor: it would let go."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        finally:
            os.close(descriptor)
        return False

    def end(self) -> End | None:
        """How it ended, None if it did not, or not by itself."""
        size = read_part(self._path, 0, 0).size
        tail = read_part(self._path, max(0, size - _TAIL), _TAIL).data
        line = tail.rstrip(b"\n").rpartition(b"\n")[2]
        if not tail.endswith(b"\n") or not line.startswith(b'{"end"'):
            return None
        phase, reason, failure, message, problem = json.loads(line)["end"]
        return End(Phase(phase), reason, FailureClass(failure) if failure else None, message, problem)

    def reports(self, start: Cursor, ended: bool) -> tuple[Chunk | None, bool]:
        """What was reported beyond the cursor, and whether there is more. ``ended``: nobody writes any more."""
        return read_chunk(self._path, REPORTS, start, ended)


class OpenJournal:
    """The file as the actor writes it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._kept: bytearray | None = bytearray()

    @classmethod
    def begin(cls, folder: Path, holder: Holder) -> OpenJournal | None:
        """Take the attempt, None if it was taken before. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / _NAME, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        if not _lock(descriptor) or os.fstat(descriptor).st_size:
            os.close(descriptor)
            return None
        journal = cls(descriptor)
        journal._append(holder._asdict())
        return journal

    def report(self, reports: Iterable[Sequence[Any]]) -> None:
        """Write down what was reported. reports: tuples with the fields of a Report."""
        self._append(list(reports))

    def end(self, end: End) -> Chunk | None:
        """Write down how the call ended, and let go. Returns all that was reported, None if that is long."""
        if self._kept is not None and len(self._kept) > SMALL:
            self._kept = None
        self._append({"end": end})
        self.close()
        return Chunk(REPORTS, Cursor(), bytes(self._kept), time.time(), final=True) if self._kept is not None else None

    def close(self) -> None:
        """Let go. Once more changes nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _append(self, line: Any) -> None:
        data = (json.dumps(line) + "\n").encode()
        if os.write(self._descriptor, data) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._kept is not None:
            self._kept += data
            if len(self._kept) > SMALL:
                self._kept = None


def measurements(chunk: Chunk) -> tuple[tuple[Measurement, ...], Cursor]:
    """What a chunk of reports holds in whole lines, and the cursor behind them."""
    whole = chunk.data[: chunk.data.rfind(b"\n") + 1]
    found: list[Measurement] = []
    for line in whole.splitlines():
        if line.startswith(b"["):
            with contextlib.suppress(ValueError, TypeError):  # a damaged line harms no other
                found.extend([Measurement(*fields) for fields in json.loads(line)])
    return tuple(found), Cursor(chunk.start.offset + len(whole))


def _lock(descriptor: int) -> bool:
    for _ in range(_TRIES):
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            time.sleep(_PAUSE)
        else:
            return True
    return False
