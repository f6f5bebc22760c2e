"""The folder of one attempt: what a runner knows of it, in files that any process can read again.

``<root>/<namespace>/<experiment>/<trial>/<attempt>/`` holds

- ``attempt.json``: the ``Order``, all that is needed to launch the command and to watch it
- ``lock``: held (flock) by the wrapper shell as long as it runs, so "does it run?" needs no pid and no clock
- ``pid``: of the wrapper, which leads the attempt's process group; there from the moment it runs
- ``ending.json``: the ``Ending``, a request to end it, with its cause
- ``exit``: exit status of the command; without it an attempt that began and runs no more was lost
- ``stdout.log``, ``metrics/``, ``checkpoint/``: what the trial writes
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from katib.core.errors import RunnerError
from katib.core.ports import Phase
from katib.core.trial import AttemptId, FailureClass

# Names come from validated Kubernetes objects; this keeps a path inside the root even if one did not.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Order:
    """What to run. env: added to the environment of the process that launches. threads: how many numeric libraries may
    start, 0 for no limit. memory: bytes for all processes of the attempt. gpus: devices, or a fraction of one.
    deadline: seconds it may run. metrics: file it reports in, empty for standard output. notes: lines for its log."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: str
    image: str = ""
    threads: int = 0
    memory: int | None = None
    gpus: float = 0.0
    deadline: float | None = None
    metrics: str = ""
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


class AttemptFolder:
    """Reads and writes the files of one attempt. Small files are written aside and renamed."""

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, root: Path, id: AttemptId) -> AttemptFolder:
        """The folder of ``id`` below ``root``. Raises RunnerError for a name that is no plain file name."""
        names = (id.key.namespace, id.key.name, id.trial, str(id.attempt))
        for name in names:
            if not _NAME.fullmatch(name) or ".." in name:
                raise RunnerError(f"{name!r} cannot name a folder: expected letters, digits, '-', '_' and '.'")
        return cls(root.joinpath(*names))

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

    def prepare(self, order: Order, checkpoint: Path | None) -> None:
        """Make the folder, with a copy of ``checkpoint`` if there is one; ``attempt.json`` comes last."""
        self.metrics.mkdir(mode=0o700, parents=True, exist_ok=True)
        if checkpoint is not None and not self.checkpoint.exists():
            aside = self.path / f"checkpoint.{os.getpid()}.partial"
            shutil.rmtree(aside, ignore_errors=True)
            shutil.copytree(checkpoint, aside, symlinks=True)
            aside.rename(self.checkpoint)
        self.checkpoint.mkdir(exist_ok=True)
        self._write("attempt.json", json.dumps(asdict(order)))

    def order(self) -> Order | None:
        """What was ordered, None if nothing was."""
        tree = self._read_json("attempt.json")
        if tree is None:
            return None
        return Order(**{**tree, "argv": tuple(tree["argv"]), "notes": tuple(tree["notes"])})

    @contextlib.contextmanager
    def lock(self) -> Iterator[int | None]:
        """The exclusive lock as a file descriptor, None if the attempt runs. A child that inherits it keeps it."""
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield descriptor if _flock(descriptor, fcntl.LOCK_EX) else None
        finally:
            os.close(descriptor)

    def runs(self) -> bool:
        """Whether the wrapper runs (or is being launched) now."""
        try:
            descriptor = os.open(self.path / "lock", os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            return not _flock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def began(self) -> float | None:
        """When the wrapper began, in seconds since the epoch; None if it never did."""
        try:
            return (self.path / "pid").stat().st_mtime
        except FileNotFoundError:
            return None

    def begun(self) -> bool:
        """Whether it was launched once, or could not be; it is never launched again then."""
        return (self.path / "pid").exists() or (self.path / "exit").exists()

    def pid(self) -> int | None:
        """Process id of the wrapper, which is its process group and session too."""
        text = self._read("pid")
        return int(text) if text.endswith("\n") else None

    def exit(self) -> Exit | None:
        """How the command ended; believe a None only once the attempt does not run."""
        text = self._read("exit")
        if not text.endswith("\n"):
            return None
        status, _, reason = text.strip().partition(" ")
        return Exit(int(status), reason)

    def refuse(self, exit: Exit) -> None:
        """Record that the command could not be run."""
        self._write("exit", f"{exit.status} {' '.join(exit.reason.split())}\n")

    def ending(self) -> Ending | None:
        """The request to end it, if there is one."""
        tree = self._read_json("ending.json")
        if tree is None:
            return None
        failure = FailureClass(tree["failure"]) if tree["failure"] else None
        return Ending(**{**tree, "phase": Phase(tree["phase"]), "failure": failure})

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
        self._write("ending.json", json.dumps(asdict(ending)))
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

    def _write(self, name: str, text: str) -> None:
        aside = self.path / f"{name}.{os.getpid()}.partial"
        with open(aside, "w", encoding="utf-8", opener=_private) as file:
            file.write(text)
        aside.replace(self.path / name)

    def _read(self, name: str) -> str:
        try:
            return (self.path / name).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def _read_json(self, name: str) -> dict[str, Any] | None:
        text = self._read(name)
        tree: dict[str, Any] | None = json.loads(text) if text else None
        return tree


def _private(path: str, flags: int) -> int:
    """Open for the owner alone: an order may carry passwords in its environment."""
    return os.open(path, flags, 0o600)


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
