"""The folder of one attempt: what a runner knows of it, in files that any process can read again.

``<root>/<namespace>/<experiment>/<trial>/<attempt>/`` holds

- ``attempt.jsonl``: its life in up to three lines: the ``Order``, all that is needed to launch the command and to watch
  it; the pid of the wrapper shell, from the moment it runs; the exit status. The wrapper holds the file's lock (flock)
  as long as it runs, so "does it run?" needs no pid and no clock. One file, since to create a file costs more than all
  else that a short trial does on disk.
- ``ending.json``: the ``Ending``, a request to end it, with its cause
- ``stdout.log``, ``metrics/``, ``checkpoint/``, ``work/``: what the trial writes
- ``collector.log``, ``.err``, ``.json``: what a program that collects metrics beside it found, complained of, came to
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from katib.core.errors import RunnerError
from katib.core.ports import Phase
from katib.core.trial import AttemptId, FailureClass

_JOURNAL = "attempt.jsonl"
_ENDING = "ending.json"
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Order:
    """What to run. env: added to the environment of the process that launches. threads: how many numeric libraries may
    start, 0 for no limit. memory: bytes for all processes of the attempt. gpus: devices, or a fraction of one.
    deadline: seconds it may run. kind: of the metrics collector. metrics: file or, if ``directory``, folder that it
    reports in, empty for standard output. beside: what a program that collects metrics beside it needs, empty for
    none. notes: lines for its log."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    image: str = ""
    threads: int = 0
    memory: int | None = None
    gpus: float = 0.0
    deadline: float | None = None
    kind: str = "StdOut"
    metrics: str = ""
    directory: bool = False
    beside: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ending:
    """A request to end the attempt. phase, failure, reason: what it will have ended in. asked: seconds since the
    epoch. grace: seconds between SIGTERM and SIGKILL."""

    phase: Phase
    failure: FailureClass | None
    reason: str
    asked: float
    grace: float

    def overdue(self, now: float) -> bool:
        """Whether the grace is over; a clock that was set back counts as over too."""
        return not self.asked <= now < self.asked + self.grace


class Exit(NamedTuple):
    """status: as a shell has it, 128 + n after signal n. reason: if the command could not be run at all."""

    status: int
    reason: str = ""


class Progress(NamedTuple):
    """pid: of the wrapper, None if it never ran. exit: how the command ended; believe a None only once the attempt does
    not run any more. ``began``: whether it was launched, or could not be; it is never launched again then."""

    pid: int | None = None
    exit: Exit | None = None

    @property
    def began(self) -> bool:
        return self.pid is not None or self.exit is not None


class AttemptFolder:
    """Reads and writes the files of one attempt. Small files are written aside and renamed."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, root: Path, id: AttemptId) -> AttemptFolder:
        """The folder of ``id``, inside ``root`` whatever it is called. Raises RunnerError: no plain file name."""
        return cls(root.joinpath(*attempt_names(id)))

    @property
    def log(self) -> Path:
        """Standard output and standard error of the command."""
        return self.path / "stdout.log"

    @property
    def checkpoint(self) -> Path:
        """Where the trial keeps what it can continue from."""
        return self.path / "checkpoint"

    @property
    def metrics(self) -> Path:
        """Where the trial writes metric files."""
        return self.path / "metrics"

    @property
    def work(self) -> Path:
        """Where a command starts that wants a folder of its own."""
        return self.path / "work"

    @property
    def collected(self) -> Path:
        """What a program beside the trial collected."""
        return self.path / "collector.log"

    @property
    def collector_errors(self) -> Path:
        """What that program wrote on its standard error."""
        return self.path / "collector.err"

    @property
    def collector_state(self) -> Path:
        """What that program came to: a JSON object."""
        return self.path / "collector.json"

    def prepare(self, journal: int, order: Order, checkpoint: Path | None) -> None:
        """Make the folders, with a copy of ``checkpoint`` if given, and write the order to the locked ``journal``."""
        if order.metrics:
            _make_folder(Path(order.metrics) if order.directory else self.metrics)
        if order.cwd == str(self.work):
            _make_folder(self.work)
        if checkpoint is None:
            _make_folder(self.checkpoint)
        elif not self.checkpoint.exists():
            aside = self.path / "checkpoint.partial"
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(checkpoint, aside, symlinks=True)
            aside.rename(self.checkpoint)
        os.ftruncate(journal, 0)  # a line that a crash cut off
        append(journal, {name: getattr(order, name) for name in Order.__slots__})

    def order(self) -> Order | None:
        """What was ordered, None if nothing was."""
        lines = self._read(_JOURNAL)
        if not lines:
            return None
        return Order(**{**lines[0], "argv": tuple(lines[0]["argv"]), "notes": tuple(lines[0]["notes"])})

    def progress(self) -> Progress:
        """How far it has come."""
        facts = {name: value for line in self._read(_JOURNAL)[1:] for name, value in line.items()}
        exit = Exit(facts["exit"], facts.get("reason", "")) if "exit" in facts else None
        return Progress(facts.get("pid"), exit)

    @contextlib.contextmanager
    def lock(self, *, make: bool = False) -> Iterator[int | None]:
        """The locked journal as a file descriptor to append to, None if the attempt runs. A child that inherits it
        keeps the lock as long as it lives. ``make``: the folder and an empty journal, if they are missing."""
        if make:
            _make_folder(self.path)
        descriptor = os.open(self.path / _JOURNAL, os.O_RDWR | os.O_APPEND | (os.O_CREAT if make else 0), 0o600)
        try:
            yield descriptor if _flock(descriptor, fcntl.LOCK_EX) else None
        finally:
            os.close(descriptor)

    def runs(self) -> bool:
        """Whether the wrapper runs (or is being launched) now."""
        try:
            descriptor = os.open(self.path / _JOURNAL, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def changed(self) -> float:
        """When its progress changed last, in seconds since the epoch: the start of one that runs."""
        return (self.path / _JOURNAL).stat().st_mtime

    def ending(self) -> Ending | None:
        """The request to end it, if there is one."""
        lines = self._read(_ENDING)
        if not lines:
            return None
        failure = FailureClass(lines[0]["failure"]) if lines[0]["failure"] else None
        return Ending(**{**lines[0], "phase": Phase(lines[0]["phase"]), "failure": failure})

    def end(self, phase: Phase, failure: FailureClass | None, reason: str, grace: float) -> Ending:
        """Request its end. The first cause stays; a later request can only shorten the grace."""
        now = time.time()
        ending = self.ending()
        if ending is None:
            ending = Ending(phase, failure, reason, now, grace)
        elif now + grace < ending.asked + ending.grace:
            ending = Ending(ending.phase, ending.failure, ending.reason, now, grace)
        else:
            return ending
        self._write(_ENDING, asdict(ending))
        return ending

    def release_checkpoint(self) -> None:
        """Remove the checkpoint."""
        shutil.rmtree(self.checkpoint, ignore_errors=True)

    def remove(self, root: Path) -> None:
        """Remove the folder, and those above it that are empty then, up to ``root``."""
        shutil.rmtree(self.path, ignore_errors=True)
        for parent in self.path.parents:
            if parent == root:
                return
            try:
                parent.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                return

    def _write(self, name: str, line: Mapping[str, Any]) -> None:
        aside = self.path / f"{name}.{os.getpid()}.partial"
        with open(aside, "w", encoding="utf-8", opener=_private) as file:
            file.write(json.dumps(line) + "\n")
        aside.replace(self.path / name)

    def _read(self, name: str) -> list[dict[str, Any]]:
        """The lines of a file; one without its end is being written, or was cut off, and does not count. A damaged
        file is as good as none: the attempt is lost, and no other one is harmed."""
        try:
            with open(self.path / name, "rb") as file:
                return [json.loads(line) for line in file if line.endswith(b"\n")]
        except (FileNotFoundError, ValueError):
            return []


def attempt_names(id: AttemptId) -> tuple[str, ...]:
    """Names of the folders that lead to the attempt. Raises RunnerError: no plain file name."""
    names = (id.key.namespace, id.key.name, id.trial, str(id.attempt))
    for name in names:
        if not _NAME.fullmatch(name) or ".." in name:
            raise RunnerError(f"{name!r} cannot name a folder: expected letters, digits, '-', '_' and '.'")
    return names


def append(journal: int, line: Mapping[str, Any]) -> None:
    """Write one line to a locked journal."""
    data = (json.dumps(line) + "\n").encode()
    if os.write(journal, data) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _make_folder(path: Path) -> None:
    """mkdir -p, quick where only the last one is missing."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return
    except FileNotFoundError:
        _make_folder(path.parent)
        _make_folder(path)


def _private(path: str, flags: int) -> int:
    """Open for the owner alone: an order may carry passwords in its environment."""
    return os.open(path, flags, 0o600)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
