"""Where the metrics of an attempt are read on this side: local copies of what containers printed, or of what was
scraped, in the attempt's folder. Cursors count bytes of these copies, so nothing is lost or repeated by a break.

``stdout.log`` is a copy of the training container's log, ``collector.log`` one of the container's beside it (or what
the scraper kept). The echo of event files is turned into files again, below ``metrics/``.
"""

from __future__ import annotations

import binascii
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from katib.core.collector import CollectorSpec
from katib.core.errors import RunnerError
from katib.core.trial import Attempt, Cursor
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.kubernetes.checkpoints import lost
from trial_runners.kubernetes.collecting import collector_container, port_of
from trial_runners.kubernetes.pods import tree
from trial_runners.local.collecting import scrape_seconds
from trial_runners.local.event_folder import EventFolder
from trial_runners.local.growing_file import GrowingFile, Reading
from trial_runners.local.sources import Source, scraped
from trial_runners.output import read_part
from trial_runners.settings import KubernetesSettings

_FRAME = re.compile(rb"([A-Za-z0-9+/=]+) (\d{1,15}) ([A-Za-z0-9+/=]+)")

# What is decoded at a time.
_STEP_BYTES = 4 << 20

_MAX_FILES = 1000


@dataclass(frozen=True, slots=True)
class Collection:
    """How an attempt's metrics are collected, as it is kept in its folder: after a restart only its id is known.

    kind: of the collector. beside: the container beside the training that is listened to, empty for none. scrape: where
    and how often its endpoint is looked at, empty for none. note: what else is to be said in the end."""

    kind: str = "StdOut"
    beside: str = ""
    scrape: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    @classmethod
    def of(cls, attempt: Attempt, settings: KubernetesSettings) -> Collection:
        """The attempt's. Raises RunnerError on a setting that cannot be."""
        spec = attempt.collector
        scrape = scrape_of(spec, attempt.metrics) if spec.kind == "PrometheusMetric" else {}
        return cls(spec.kind, collector_container(attempt, settings), scrape, lost(attempt, settings))

    def source(self, folder: AttemptFolder) -> Source:
        """Where the metrics are read."""
        if self.kind == "TensorFlowEvent":
            return EchoedEvents(folder.collected, folder.metrics)
        if self.kind in ("File", "Push"):
            return GrowingFile("metrics", folder.collected)
        if self.kind in ("Custom", "PrometheusMetric"):
            return GrowingFile("collector", folder.collected)
        return GrowingFile("stdout", folder.log)

    def looked(self, folder: AttemptFolder, message: str) -> tuple[str, str]:
        """Where metrics of an attempt that has ended were looked for, and what was there; and what was wrong, if
        anything was. message: the last words of the container beside it."""
        if self.kind == "PrometheusMetric":
            return scraped(folder), self.note
        if self.kind == "Custom":
            size = folder.collected.stat().st_size if folder.collected.is_file() else 0
            return f"the metrics collector {self.beside!r} printed {size} bytes", self.note
        if not self.beside:
            return "", self.note
        found, _, problem = message.partition("\n")
        trouble = f"the metrics collector: {problem}" if problem else ""
        return found or "what the metrics collector echoed", trouble or self.note


def scrape_of(spec: CollectorSpec, metrics: Sequence[str]) -> dict[str, Any]:
    """What a scraper needs to know. Raises RunnerError on a bad interval."""
    action = tree(spec.options.get("httpGet"))
    if action.get("host"):
        raise RunnerError(
            f"spec.metricsCollectorSpec.source.httpGet.host: got {action['host']!r}, expected none: it is the pod"
        )
    return {
        "port": port_of(spec),
        "path": action.get("path") or "/metrics",
        "secure": action.get("scheme") == "HTTPS",
        "headers": [[header["name"], header["value"]] for header in action.get("httpHeaders") or ()],
        "names": sorted({metric.partition("{")[0].strip() for metric in metrics}),
        "seconds": scrape_seconds(os.environ),
    }


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
