"""The volume of checkpoints under a Katib controller: a folder ``<experiment>/<trial>`` for each trial.

Katib's controller moves no checkpoints. Where an algorithm has the setting ``suggestion_trial_dir``, it mounts the
suggestion's volume into each trial, at that path and from that folder, and leaves it to the suggestion service to put
there what the trial is to go on from. So the parent's folder is copied before the trial is named in a reply.

A reply may be lost, or thrown away by the controller, and asked for again: a file ``.<trial>`` beside the folder says
whose copy it is, so that the same copy is not made twice and another one takes its place.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
from pathlib import Path

from katib.core.errors import SpecError, UnavailableError

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?")
_log = logging.getLogger(__name__)


class TrialVolume:
    """Hands checkpoints down from parents to children, below ``root``."""

    def __init__(self, root: Path) -> None:
        """root: where the volume is mounted. Raises SpecError if there is no such folder."""
        if not root.is_dir():
            raise SpecError(f"trial volume: got {str(root)!r}, expected a folder")
        self._root = root
        self._lock = threading.Lock()

    def hand_down(self, experiment: str, parent: str, child: str) -> None:
        """Make the child's folder a copy of the parent's. Without one, the child starts anew and the log says so.

        Raises SpecError for a name that cannot name a folder, UnavailableError if the volume cannot be written now.
        """
        for name in (experiment, parent, child):
            if not _NAME.fullmatch(name) or ".." in name:
                raise SpecError(f"{name!r} cannot name a folder: expected letters, digits, '-', '_' and '.'")
        folder = self._root / experiment
        with self._lock:
            try:
                self._copy(folder, parent, child)
            except OSError as error:
                raise UnavailableError(f"checkpoint of trial {parent} cannot be copied now: {error}") from error

    def _copy(self, folder: Path, parent: str, child: str) -> None:
        marker, aside = folder / f".{child}", folder / f".{child}.partial"
        if marker.exists() and marker.read_text() == parent:
            return
        shutil.rmtree(aside, ignore_errors=True)
        marker.unlink(missing_ok=True)
        if (folder / child).exists():
            shutil.rmtree(folder / child)
        if not (folder / parent).is_dir():
            _log.warning("trial %s has left no checkpoint for trial %s to continue from", parent, child)
            return
        shutil.copytree(folder / parent, aside, symlinks=True)
        aside.rename(folder / child)
        marker.write_text(parent)
