"""A container's output as the log API gives it with timestamps: ``2026-01-31T12:00:00.123456789Z text``.

Runtimes cut long lines into entries with a time each. Old kubelets (up to 1.27) put these times into the middle of the
line, new ones only before it. They stand where a runtime's buffer was full, so they can be told from the text: at a
multiple of 4 KiB, and not earlier than the time before.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

_TIME = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ")
_LONGEST_TIME = 40
_BUFFER = 4096

# A line without an end is handed on in pieces of this size. Where they are cut follows from the line alone.
PIECE_BYTES = 1 << 18

SECOND = 10**9


class Entry(NamedTuple):
    """time: in nanoseconds since the epoch. data: with the line's end, if it has one."""

    time: int
    data: bytes

    @property
    def key(self) -> tuple[int, int]:
        """What it is known by when it comes again."""
        return self.time, zlib.crc32(self.data)


class EntryParser:
    """Makes entries of one stream's bytes. What stands before a line's time is no output and left out."""

    def __init__(self) -> None:
        self._rest = b""
        self._time = 0  # of the line whose first pieces were handed on, 0 at the start of a line

    def feed(self, data: bytes) -> list[Entry]:
        """The entries that are whole now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        entries: list[Entry] = []
        for line in lines:
            entries.extend(self._line(line + b"\n", whole=True))
            self._time = 0
        if len(self._rest) >= PIECE_BYTES + 2 * _LONGEST_TIME:
            line, self._rest = self._rest, b""
            entries.extend(self._line(line, whole=False))
        return entries

    def finish(self) -> list[Entry]:
        """The last entries, of a line without an end; only once the container has ended."""
        line, self._rest = self._rest, b""
        return list(self._line(line, whole=True))

    def _line(self, line: bytes, *, whole: bool) -> Iterator[Entry]:
        """The entries of a line, or of what there is of it; the rest is put back."""
        if not self._time:
            found = _TIME.match(line)
            if found is None:
                return
            self._time, line = _nanoseconds(found), line[found.end() :]
        while True:
            at, found = self._cut(line)
            if at == 0:
                break
            yield Entry(self._time, line[:at])
            line = line[at:]
            if found is not None:
                self._time, line = _nanoseconds(found), line[found.end() - found.start() :]
        if not whole:
            self._rest = line
        elif line:
            yield Entry(self._time, line)

    def _cut(self, line: bytes) -> tuple[int, re.Match[bytes] | None]:
        """Where the first entry of ``line`` ends, 0 if it cannot be said yet, and the time that stands there."""
        known = len(line) >= PIECE_BYTES + _LONGEST_TIME
        for at in range(_BUFFER, min(len(line), PIECE_BYTES) + 1, _BUFFER):
            found = _TIME.match(line, at)
            if found is not None and _nanoseconds(found) >= self._time:
                return at, found
        return (PIECE_BYTES, None) if known else (0, None)


def _nanoseconds(found: re.Match[bytes]) -> int:
    fraction = (found[2] or b"").ljust(9, b"0")
    return _seconds(found[1], found[3]) * SECOND + int(fraction)


@lru_cache(maxsize=64)
def _seconds(time: bytes, zone: bytes) -> int:
    try:
        return int(datetime.fromisoformat((time + (b"+00:00" if zone == b"Z" else zone)).decode()).timestamp())
    except ValueError:
        return 0
