"""A file of lines that a trial appends to: log, metrics file, or what a program beside it collected.

Some programs write the file anew for each report. That is seen by its size, or by the bytes before the cursor, which
are others then; the file is read again from its start. (Nobody knows those bytes after a restart of the engine: the
first look takes them as they are.) What is written and overwritten between two looks is never seen.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from katib.core.ports import Chunk
from katib.core.trial import Cursor
from trial_runners.output import read_chunk, read_part

# Bytes before the cursor that are compared.
_COMPARED = 256


class Reading(NamedTuple):
    """Chunks of a source, and whether unread bytes remain behind them."""

    chunks: tuple[Chunk, ...]
    more: bool


class GrowingFile:
    """One file as a source."""

    def __init__(self, name: str, path: Path) -> None:
        """name: of the source."""
        self._name = name
        self._path = path
        self._tail = (0, b"")  # where the last chunk ended, and its last bytes
        self._stamp: tuple[int, ...] = ()

    def read(self, cursors: Mapping[str, Cursor], ended: bool) -> Reading:
        """What lies behind the cursor. ``ended``: nobody writes any more."""
        start = cursors.get(self._name, Cursor())
        if self._is_rewritten(start.offset):
            start = Cursor()
        chunk, more = read_chunk(self._path, self._name, start, ended)
        if chunk is not None and chunk.data:
            self._tail = start.offset + len(chunk.data), chunk.data[-2 * _COMPARED :]
        return Reading((chunk,) if chunk is not None else (), more)

    @property
    def size(self) -> int | None:
        """Its bytes, None if there is no such file."""
        return self._path.stat().st_size if self._path.is_file() else None

    def _is_rewritten(self, offset: int) -> bool:
        if offset == 0:
            return False
        try:
            status = os.stat(self._path)
        except OSError:
            return False
        if status.st_size < offset:
            return True
        stamp = status.st_ino, status.st_size, status.st_mtime_ns
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        end, tail = self._tail
        known = tail[: len(tail) - (end - offset)][-_COMPARED:] if end >= offset > end - len(tail) else b""
        return read_part(self._path, offset - len(known), len(known)).data != known
