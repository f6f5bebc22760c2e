"""Paths of a YAML lie inside a container; in arguments and environment values they are replaced by local ones.

* The folder of checkpoints (``suggestion_trial_dir``), whatever this machine has there: a cluster would mount a volume
  over it. It is KATIB_CHECKPOINT_DIR as well.
* The folder of metrics (TensorFlowEvent), in the same way. It is KATIB_METRICS_DIR as well.
* The file of metrics, which is KATIB_METRICS_FILE as well. Its folder only if this machine has no such folder
  (``/data/metrics.log`` must not take ``/data`` away).

A path is replaced where it stands alone, or after ``=``, ``:``, a quote or a space, never inside a longer path; where
two fit, the longer one is. What a program has hard-coded cannot be replaced; a file that it writes elsewhere is not
read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from katib.core.trial import Attempt
from trial_runners.attempt_folder import AttemptFolder

# What may not follow a path, lest it be a part of a longer one.
_FILE_END = r"(?![\w./-])"
_FOLDER_END = r"(?![\w.-])"

_DEFAULT_FILE = "metrics.log"


class Moved(NamedTuple):
    """A path of the container, and its place here. folder: what lies below it is moved as well."""

    path: str
    local: Path
    folder: bool


def metrics_place(attempt: Attempt, folder: AttemptFolder) -> Path | None:
    """The local file or folder that the trial writes metrics to, None if it only prints or serves them."""
    collector = attempt.collector
    if not collector.path and collector.kind not in ("Push", "Custom"):
        return None
    name = PurePosixPath(collector.path).name
    return folder.metrics / (name if name not in ("", "..") else _DEFAULT_FILE)


def moves(attempt: Attempt, folder: AttemptFolder) -> list[Moved]:
    """The paths to replace in the commands of ``attempt``, by the rules of this module; the first that fits holds."""
    folders = [Moved(attempt.checkpoint_path.rstrip("/"), folder.checkpoint, folder=True)]
    files = []
    path, place = attempt.collector.path, metrics_place(attempt, folder)
    if place is not None and path and attempt.collector.directory:
        folders.append(Moved(path.rstrip("/"), place, folder=True))
    elif place is not None and path:
        files.append(Moved(path, place, folder=False))
        parent = str(PurePosixPath(path).parent)
        if parent != "/" and not Path(parent).exists():
            folders.append(Moved(parent, place.parent, folder=True))
    return [*files, *sorted((moved for moved in folders if moved.path), key=lambda moved: -len(moved.path))]


def localize(text: str, moved: Sequence[Moved]) -> str:
    """``text`` with the container's paths replaced by the local ones."""
    if not moved:
        return text
    local = {m.path: str(m.local) for m in reversed(moved)}
    ends = (rf"{re.escape(m.path)}{_FOLDER_END if m.folder else _FILE_END}" for m in moved)
    return re.sub(rf"(?<![\w./-])(?:{'|'.join(ends)})", lambda match: local[match[0]], text)
