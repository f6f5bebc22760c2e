"""The other side of ``benchmarks.ray_reports``: attempts that only report, written as a slot writes them.

``python -m benchmarks.ray_reporters`` reads a ``Task`` as one line of JSON, takes all attempts, says so, and writes
reports until its standard input closes; then it ends all attempts and prints how many reports each has made.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor
from katib.report import Report
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.ray.journal import End, Holder, OpenJournal

METRIC = "objective"
_TICK = 0.05  # seconds between two looks at who is to report


class Task(NamedTuple):
    """folders: of the attempts. node: Ray's id. every: seconds between two reports of an attempt."""

    folders: Sequence[str]
    node: str
    every: float


class Planter:
    """A runner that an earlier controller had: it says that all that was started runs, and does nothing."""

    def __init__(self) -> None:
        self.started: list[AttemptId] = []

    def start(self, attempt: Attempt) -> None:
        """Note it."""
        self.started.append(attempt.id)

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterable[Update]:
        """All run."""
        return [Update(id, Phase.RUNNING) for id in cursors]

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        """Nothing."""

    def wait(self, timeout: float) -> None:
        """Nothing comes."""

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def reporters(root: Path, ids: Iterable[AttemptId], node: str, every: float) -> subprocess.Popen[str]:
    """Start the process that holds and writes these attempts; returns once it holds all of them."""
    task = Task([str(AttemptFolder.of(root, id).path) for id in ids], node, every)
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-m", __name__], stdin=pipe, stdout=pipe, text=True)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    process.stdin.write(json.dumps(task) + "\n")
    process.stdin.flush()
    if process.stdout.readline().strip() != "ready":
        raise RuntimeError(f"the reporters ended with status {process.wait()}")
    return process


def finish(process: subprocess.Popen[str]) -> list[int]:
    """Have all attempts end; how many reports each has made, in the order they were given."""
    output, _ = process.communicate()
    counts: list[int] = json.loads(output)
    return counts


def main() -> None:
    """Serve one task."""
    task = Task(*json.loads(sys.stdin.readline()))
    held = [OpenJournal.begin(Path(folder), Holder(True, os.getpid(), task.node)) for folder in task.folders]
    journals = [journal for journal in held if journal is not None]
    if len(journals) < len(task.folders):
        sys.exit("some attempts were taken before")
    print("ready", flush=True)
    over = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        over.set()

    threading.Thread(target=listen, daemon=True).start()
    began = time.monotonic()
    # Each has a phase of its own, so that reports come evenly.
    due = [began + task.every * i / len(journals) for i in range(len(journals))]
    counts = [0] * len(journals)
    while not over.wait(_TICK):
        now = time.monotonic()
        for i, journal in enumerate(journals):
            if due[i] <= now:
                value = counts[i] / 1000
                journal.report([Report(METRIC, value, str(value), time.time(), counts[i])])
                counts[i] += 1
                due[i] += task.every
    for journal in journals:
        journal.end(End(Phase.SUCCEEDED))
    print(json.dumps(counts), flush=True)


if __name__ == "__main__":
    main()
