"""Where the metrics of an attempt are read on this side: local copies of what containers printed, or of what was
scraped, in the attempt's folder. Cursors count bytes of these copies, so nothing is lost or repeated by a break.

``stdout.log`` is a copy of the training container's log, ``collector.log`` one of the container's beside it (or what
the scraper kept). The echo of event files is turned into files again, below ``metrics/``.
"""

from __future__ import annotations

import binascii
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from katib.core.trial import Attempt, Cursor
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.local.event_folder import EventFolder
from trial_runners.local.growing_file import GrowingFile, Reading
from trial_runners.output import read_part

_FRAME = re.compile(rb"([A-Za-z0-9+/=]+) (\d{1,15}) ([A-Za-z0-9+/=]+)")

# What is decoded at a time.
_STEP_BYTES = 4 << 20

_MAX_FILES = 1000


class Source(Protocol):
    """What the metrics of an attempt are read from."""

    def read(self, cursors: Mapping[str, Cursor], ended: bool) -> Reading:
        """What lies behind the cursors, by the names of their sources. ended: the copy is complete."""
        ...


def source_of(attempt: Attempt, folder: AttemptFolder) -> Source:
    """The source of an attempt's metrics."""
    kind = attempt.collector.kind
    if kind == "TensorFlowEvent":
        return EchoedEvents(folder.collected, folder.metrics)
    if kind in ("File", "Push"):
        return GrowingFile("metrics", folder.collected)
    if kind in ("Custom", "PrometheusMetric"):
        return GrowingFile("collector", folder.collected)
    return GrowingFile("stdout", folder.log)


class EchoedEvents:
    """Event files, out of the frames of ``trial_runners.kubernetes.collector``. Each frame says where it belongs, so
    it does not matter that all are decoded again after a restart."""

    def __init__(self, echo: Path, folder: Path) -> None:
        """echo: copy of the container's log. folder: for the files."""
        self._echo = echo
        self._root = folder
        self._folder = EventFolder(folder)
        self._offset = 0
        self._files: set[bytes] = set()

    def read(self, cursors: Mapping[str, Cursor], ended: bool) -> Reading:
        """What lies behind each file's cursor. ended: the copy is complete."""
        more = self._decode()
        reading = self._folder.read(cursors, ended and not more)
        return Reading(reading.chunks, reading.more or more)

    def _decode(self) -> bool:
        """Decode what is new, whole lines of it. Whether more is there."""
        part = read_part(self._echo, self._offset, _STEP_BYTES)
        end = part.data.rfind(b"\n") + 1
        for line in part.data[:end].split(b"\n"):
            self._take(line)
        self._offset += end
        return bool(end) and self._offset + _STEP_BYTES // 2 < part.size

    def _take(self, line: bytes) -> None:
        """Write down what a frame holds; anything else that was printed is no frame. A pod is not trusted: it names
        files below the folder only, and adds to their ends."""
        frame = _FRAME.fullmatch(line)
        if frame is None:
            return
        try:
            name, data = binascii.a2b_base64(frame[1]), binascii.a2b_base64(frame[3])
        except binascii.Error:
            return
        parts = name.split(b"/")
        if b"" in parts or b"." in parts or b".." in parts or b"\0" in name or len(self._files | {name}) > _MAX_FILES:
            return
        self._files.add(name)
        _put(os.path.join(os.fsencode(self._root), name), int(frame[2]), data)


def _put(path: bytes, offset: int, data: bytes) -> None:
    """Write ``data`` at ``offset`` of a file that is at least as long."""
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        if offset <= os.fstat(descriptor).st_size:
            os.pwrite(descriptor, data, offset)
    finally:
        os.close(descriptor)
