"""Reading what a trial writes: new bytes for the collector, any range for ``logs``, the last lines for people."""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path
from typing import NamedTuple

from katib.core.ports import Chunk
from katib.core.trial import AttemptId, Cursor
from trial_runners.attempt_folder import AttemptFolder

# What is read of one source at a time: bounds the engine's memory, whatever a trial prints.
CHUNK_BYTES = 1 << 20

_TAIL_BYTES = 4096
_TAIL_LINES = 20
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Part(NamedTuple):
    """Bytes of a file. size: of the whole file when they were read."""

    data: bytes
    size: int


class FolderLogReader:
    """What trials printed, out of the folders below a runner's root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, id: AttemptId, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes of its output from ``offset``; empty if there are none (yet)."""
        return read_part(AttemptFolder.of(self._root, id).log, offset, limit).data


def read_part(path: Path, offset: int, limit: int) -> Part:
    """At most ``limit`` bytes from ``offset``; nothing of what is no regular file (a pipe would block)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return Part(b"", 0)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return Part(b"", 0)
        data = os.pread(descriptor, limit, offset) if offset < status.st_size else b""
        return Part(data, max(status.st_size, offset + len(data)))
    finally:
        os.close(descriptor)


def read_chunk(path: Path, source: str, start: Cursor, ended: bool) -> tuple[Chunk | None, bool]:
    """The next chunk, and whether unread bytes remain behind it. ``ended``: nobody writes any more, so the last chunk
    is final; there is always one then, empty if need be, for a collector may have half a line to settle."""
    data, size = read_part(path, start.offset, CHUNK_BYTES)
    more = start.offset + len(data) < size
    if not data and not ended:
        return None, more
    return Chunk(source, start, data, time.time(), final=ended and not more), more


def log_tail(path: Path) -> str:
    """The last lines of a log for people: at most 20 lines and 4 KiB, without control characters; of a line that was
    drawn over and over (a progress bar) what was drawn last."""
    size = read_part(path, 0, 0).size
    text = read_part(path, max(0, size - 4 * _TAIL_BYTES), 4 * _TAIL_BYTES).data.decode("utf-8", errors="replace")
    lines = [_ESCAPES.sub("", line).rstrip().rpartition("\r")[2] for line in text.rstrip().split("\n")]
    tail = "\n".join(_CONTROLS.sub("", line) for line in lines[-_TAIL_LINES:])
    return tail.encode()[-_TAIL_BYTES:].decode(errors="ignore")
