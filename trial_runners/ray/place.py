"""Where a node keeps the attempts that it runs, and what passes between the nodes and the controller."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import ray

from katib.core.ports import Update
from katib.core.trial import AttemptId, Key
from trial_runners.output import read_part

SCOPE_FILE = ".ray-scope"
"""In the runner's root: the word that names of its actors carry, so that two users of a cluster do not meet."""


@dataclass(frozen=True, slots=True)
class Place:
    """root: of the runner. scope: the word in its file. folder: of attempts on each node, empty for none in
    particular. checkpoints: where those are kept that outlive their node, empty for nowhere. cwd: where commands
    start. modules: entries of the controller's ``sys.path``."""

    root: str
    scope: str
    folder: str
    checkpoints: str
    cwd: str
    modules: Sequence[str]

    def here(self) -> Here:
        """The place on the node of this process. Raises OSError."""
        node = ray.get_runtime_context().get_node_id()
        if self.folder:
            return Here(
                node, _private(Path(self.folder) / self.scope / node[:16]), shared=False, checkpoints=self.checkpoints
            )
        if read_part(Path(self.root) / SCOPE_FILE, 0, 64).data.decode(errors="replace") == self.scope:
            return Here(node, Path(self.root), shared=True, checkpoints=self.checkpoints)
        folder = Path(tempfile.gettempdir(), f"katib-{os.getuid()}")
        if _private(folder).stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user")
        return Here(node, _private(folder / self.scope / node[:16]), shared=False, checkpoints=self.checkpoints)

    def find_modules(self) -> None:
        """Let this process import what the controller can, where its folders are here too."""
        known = set(sys.path)
        sys.path.extend(entry for entry in self.modules if entry not in known and Path(entry).exists())

    def directory(self) -> Path:
        """Where commands start on this node."""
        return Path(self.cwd) if Path(self.cwd).is_dir() else Path.home()


class Here(NamedTuple):
    """node: Ray's id of this one. root: folder of its attempts. shared: it is the controller's own. checkpoints: as in
    ``Place``."""

    node: str
    root: Path
    shared: bool
    checkpoints: str = ""

    @property
    def commands(self) -> Path:
        """Folder with a file for each command that runs on this node, so that its agent finds those whose actors
        died before anybody asked for them."""
        return self.root / ".ray-commands" / self.node[:16]

    def marker(self, id: AttemptId) -> Path:
        """The file of one of them."""
        return self.commands / "~".join((*id.key, id.trial, str(id.attempt)))

    def marked(self) -> list[AttemptId]:
        """The attempts of all of them."""
        names = os.listdir(self.commands) if self.commands.is_dir() else []
        parts = [name.split("~") for name in names]
        return [AttemptId(Key(p[0], p[1]), p[2], int(p[3])) for p in parts if len(p) == 4 and p[3].isdigit()]


class Hello(NamedTuple):
    """What an actor says first. node: it runs on. shared: attempts lie in the controller's own folder."""

    node: str
    pid: int
    shared: bool


class Trace(NamedTuple):
    """What a node has of an attempt. node: that ran it. over: it runs no more."""

    trial: str
    attempt: int
    node: str
    over: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What a node says of an attempt. log: bytes of its output from ``log_start`` on, where it lies on the node alone.
    unknown: the node has no trace of it."""

    update: Update
    log: bytes = b""
    log_start: int = 0
    unknown: bool = False


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
