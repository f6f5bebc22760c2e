"""The event files below a folder: found while the trial runs, each a source of its own under its path below the folder.

Files are told by their name, as TensorBoard tells them. To look through a large folder takes time, so a fiftieth of
it at most is spent on that; once the trial has ended all of it is looked through.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from katib.core.ports import Chunk
from katib.core.trial import Cursor
from trial_runners.local.growing_file import Reading
from trial_runners.output import CHUNK_BYTES, read_chunk

MAX_FILES = 1000
"""Event files of one attempt that are read, the first ones in order of their paths."""

_MARK = "tfevents"
_PAUSES_PER_LOOK = 50


class EventFolder:
    """All event files below a folder as sources."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}
        self._look_at = 0.0

    def read(self, cursors: Mapping[str, Cursor], ended: bool) -> Reading:
        """What lies behind each file's cursor, 1 MiB of all files together. ``ended``: nobody writes any more."""
        self._look(ended)
        chunks: list[Chunk] = []
        more, room = False, CHUNK_BYTES
        for name, path in self._files.items():
            if room <= 0:
                return Reading(tuple(chunks), True)
            chunk, rest = read_chunk(path, name, cursors.get(name, Cursor()), ended)
            more |= rest
            if chunk is not None:
                chunks.append(chunk)
                room -= len(chunk.data)
        return Reading(tuple(chunks), more)

    @property
    def names(self) -> list[str]:
        """The files found, by their paths below the folder."""
        return list(self._files)

    def _look(self, ended: bool) -> None:
        began = time.monotonic()
        if began < self._look_at and not ended:
            return
        found = sorted(self._event_files())[:MAX_FILES]
        self._files = {name.encode("utf-8", "backslashreplace").decode(): self._folder / name for name in found}
        now = time.monotonic()
        self._look_at = now + _PAUSES_PER_LOOK * (now - began)

    def _event_files(self) -> Iterator[str]:
        for folder, _, names in os.walk(self._folder):
            for name in names:
                if _MARK in name:
                    yield os.path.relpath(os.path.join(folder, name), self._folder)
