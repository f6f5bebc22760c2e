"""What the runner itself keeps of an attempt, in its folder, written aside and renamed:

- ``job.json``: the job that was made, so that one that is gone is told from one that never was
- ``end.json``: how it ended, written before the job may be deleted, so that it is told again afterwards

The request to end it (``ending.json``) and the output (``stdout.log``) are as those of a local attempt.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from typing import Any

from katib.core.ports import Phase
from katib.core.trial import FailureClass
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.kubernetes.sources import Collection

_JOB, _END = "job.json", "end.json"


@dataclass(frozen=True, slots=True)
class End:
    """How an attempt ended; fields as in ``Update``."""

    phase: Phase
    reason: str = ""
    failure: FailureClass | None = None
    message: str = ""
    looked: str = ""
    problem: str = ""


def write_job(folder: AttemptFolder, name: str, uid: str, collection: Collection) -> None:
    """Note that its job was made, and how its metrics are collected."""
    _write(folder, _JOB, {"name": name, "uid": uid, "collection": asdict(collection)})


def read_job(folder: AttemptFolder) -> str:
    """The uid of its job, empty if none is on record."""
    return str((_read(folder, _JOB) or {}).get("uid", ""))


def read_collection(folder: AttemptFolder) -> Collection:
    """How its metrics are collected; from its output if that is not on record."""
    return Collection(**(_read(folder, _JOB) or {}).get("collection", {}))


def write_end(folder: AttemptFolder, end: End) -> None:
    """Note how it ended."""
    _write(folder, _END, asdict(end))


def read_end(folder: AttemptFolder) -> End | None:
    """How it ended, None if that is not on record."""
    found = _read(folder, _END)
    if found is None:
        return None
    failure = FailureClass(found["failure"]) if found["failure"] else None
    return End(**{**found, "phase": Phase(found["phase"]), "failure": failure})


def _write(folder: AttemptFolder, name: str, content: dict[str, Any]) -> None:
    folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = folder.path / f"{name}.{os.getpid()}.partial"
    aside.write_text(json.dumps(content) + "\n", encoding="utf-8")
    aside.replace(folder.path / name)


def _read(folder: AttemptFolder, name: str) -> dict[str, Any] | None:
    """None for a file that is missing or damaged."""
    try:
        found = json.loads((folder.path / name).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None
