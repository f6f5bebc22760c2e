"""What a new attempt begins from: the checkpoint of an earlier attempt, or of the trial that its trial continues."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from katib.core.trial import Attempt, AttemptId
from trial_runners.attempt_folder import AttemptFolder


class Inheritance(NamedTuple):
    """What an attempt begins from. checkpoint: folder to copy. note: for its log, if what it continues is gone."""

    checkpoint: Path | None
    note: str = ""


def inheritance(root: Path, attempt: Attempt) -> Inheritance:
    """The checkpoint of the trial's last attempt that left one, else that of its parent. Raises RunnerError for a name
    that cannot name a folder."""
    earlier = [AttemptId(attempt.id.key, attempt.id.trial, n) for n in range(attempt.id.attempt - 1, 0, -1)]
    for id in [*earlier, *([attempt.parent] if attempt.parent else [])]:
        checkpoint = AttemptFolder.of(root, id).checkpoint
        if checkpoint.is_dir() and any(checkpoint.iterdir()):
            return Inheritance(checkpoint)
    note = f"katib: trial {attempt.parent.trial} has left no checkpoint to continue from" if attempt.parent else ""
    return Inheritance(None, note)
