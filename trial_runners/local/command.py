"""From an attempt to the ``Order`` that the local runner carries out: command, environment, folder, limits.

Images are not used here: the command is looked up on this machine, first beside the Python interpreter that runs the
engine, then in PATH.

The paths of a YAML lie inside a container, so in arguments and environment values they are replaced by local ones:

* The folder of checkpoints (``suggestion_trial_dir``), whatever this machine has there: a cluster would mount a volume
  over it. It is KATIB_CHECKPOINT_DIR as well.
* The file of metrics, which is KATIB_METRICS_FILE as well. Its folder only if this machine has no such folder
  (``/data/metrics.log`` must not take ``/data`` away).

A path is replaced where it stands alone, or after ``=``, ``:``, a quote or a space, never inside a longer path; where
two fit, the longer one is. What a program has hard-coded cannot be replaced; a file that it writes elsewhere is not
read.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from katib.core.errors import RunnerError, SpecError
from katib.core.trial import Attempt
from katib.resources.jobs import Container, deadline_seconds, primary_container
from trial_runners.attempt_folder import AttemptFolder, Order
from trial_runners.local.gpus import check_amount
from trial_runners.local.processes import MARKER

# How many threads the common numeric libraries start, unless the user says so.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_MAX_THREADS")

# What may not follow a path, lest it be a part of a longer one.
_FILE_END = r"(?![\w./-])"
_FOLDER_END = r"(?![\w.-])"


class Moved(NamedTuple):
    """A path of the container, and its place here. folder: what lies below it is moved as well."""

    path: str
    local: Path
    folder: bool


def order_for(attempt: Attempt, folder: AttemptFolder, cwd: Path, note: str = "") -> Order:
    """What to run for ``attempt``. ``cwd``: where, unless the container names a folder that exists here. ``note``: a
    line for its log. Raises RunnerError if the job has no command or limits that cannot be."""
    try:
        container = primary_container(attempt.run, attempt.primary_container)
        deadline = deadline_seconds(attempt.run)
    except SpecError as error:
        raise RunnerError(str(error)) from error
    if any("\0" in text for text in (*container.argv, *container.env, *container.env.values())):
        raise RunnerError("a command or variable contains a NUL character, which no process can be given")
    if any(not name or "=" in name for name in container.env):
        raise RunnerError(f"a variable's name is empty or contains '=': {', '.join(map(repr, container.env))}")
    check_amount(container.gpus)
    metrics = folder.metrics / _metrics_name(attempt.metrics_path) if attempt.metrics_path else None
    moved = moves(attempt, folder, metrics)
    values = {name: localize(text, moved) for name, text in container.env.items()}
    directory = container.working_dir
    return Order(
        argv=tuple(localize(text, moved) for text in container.argv),
        env={**values, **_own_variables(attempt, folder, metrics)},
        cwd=directory if directory and Path(directory).is_dir() else str(cwd),
        image=container.image,
        threads=max(1, math.ceil(container.cpu)) if container.cpu else 0,
        memory=container.memory,
        gpus=container.gpus,
        deadline=deadline,
        metrics=str(metrics or ""),
        notes=(*_notes(container), *filter(None, [note])),
    )


def environment_for(order: Order, devices: tuple[str, ...], inherited: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of the command. The engine's own settings (a database address with its password may be
    among them) are not passed on; all else that the user has set is."""
    environment = {name: value for name, value in inherited.items() if not name.startswith("KATIB_")}
    environment["PATH"] = os.pathsep.join((os.path.dirname(sys.executable), inherited.get("PATH", os.defpath)))
    environment.setdefault("PYTHONUNBUFFERED", "1")
    environment.update(order.env)
    if order.threads:
        for name in _THREAD_VARIABLES:
            environment.setdefault(name, str(order.threads))
    if devices:
        environment["CUDA_VISIBLE_DEVICES"] = ",".join(devices)
    return environment


def find_program(name: str, cwd: str, path: str) -> str | None:
    """Absolute path of the program, None if there is none. With a slash in it ``name`` is relative to ``cwd``."""
    found = shutil.which(os.path.join(cwd, name)) if os.sep in name else shutil.which(name, path=path)
    return os.path.join(cwd, found) if found is not None else None


def moves(attempt: Attempt, folder: AttemptFolder, metrics: Path | None) -> list[Moved]:
    """The paths to replace in the command of ``attempt``, by the rules of this module; the first that fits holds."""
    found = []
    checkpoint = attempt.checkpoint_path.rstrip("/")
    if checkpoint:
        found.append(Moved(checkpoint, folder.checkpoint, folder=True))
    if metrics is None:
        return found
    directory = str(PurePosixPath(attempt.metrics_path).parent)
    if directory != "/" and not Path(directory).exists():
        found.append(Moved(directory, metrics.parent, folder=True))
    return [Moved(attempt.metrics_path, metrics, folder=False), *sorted(found, key=lambda m: -len(m.path))]


def localize(text: str, moved: Sequence[Moved]) -> str:
    """``text`` with the container's paths replaced by the local ones."""
    if not moved:
        return text
    local = {m.path: str(m.local) for m in reversed(moved)}
    ends = (rf"{re.escape(m.path)}{_FOLDER_END if m.folder else _FILE_END}" for m in moved)
    return re.sub(rf"(?<![\w./-])(?:{'|'.join(ends)})", lambda match: local[match[0]], text)


def _metrics_name(path: str) -> str:
    name = PurePosixPath(path).name
    return name if name not in ("", "..") else "metrics.log"


def _own_variables(attempt: Attempt, folder: AttemptFolder, metrics: Path | None) -> dict[str, str]:
    variables = {
        MARKER: str(folder.path),
        "KATIB_NAMESPACE": attempt.id.key.namespace,
        "KATIB_EXPERIMENT_NAME": attempt.id.key.name,
        "KATIB_TRIAL_NAME": attempt.id.trial,
        "KATIB_ATTEMPT": str(attempt.id.attempt),
        "KATIB_CHECKPOINT_DIR": str(folder.checkpoint),
        "KATIB_METRICS_DIR": str(folder.metrics),
    }
    return variables if metrics is None else {**variables, "KATIB_METRICS_FILE": str(metrics)}


def _notes(container: Container) -> tuple[str, ...]:
    """Variables that a cluster fills in come from the user's environment here; say which are not in it."""
    missing = [name for name in container.unsupported_env if name not in os.environ]
    return tuple(f"katib: variable {name} is filled in by a cluster only; set it to run locally" for name in missing)
