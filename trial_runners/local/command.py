"""From an attempt to the ``Order`` that the local runner carries out: command, environment, folder, limits.

Images are not used here: the command is looked up on this machine, first beside the Python interpreter that runs the
engine, then in PATH. ``paths`` and ``collecting`` say what becomes of the paths in it.
"""

from __future__ import annotations

import math
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from katib.core.errors import RunnerError, SpecError
from katib.core.trial import Attempt
from katib.resources.jobs import Container, deadline_seconds, primary_container
from trial_runners.attempt_folder import AttemptFolder, Order
from trial_runners.local.collecting import Collecting
from trial_runners.local.gpus import check_amount
from trial_runners.local.processes import MARKER

# How many threads the common numeric libraries start, unless the user says so.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_MAX_THREADS")

# What PyTorch wants to know of a training that is one process; port 0: any free one.
_ONE_PROCESS = {
    "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1", "LOCAL_WORLD_SIZE": "1",
    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0",
}  # fmt: skip


def order_for(attempt: Attempt, folder: AttemptFolder, cwd: Path, note: str = "") -> Order:
    """What to run for ``attempt``. ``cwd``: where, unless the container names a folder that exists here, or is a
    TrainJob's, which starts in an empty one of its own. ``note``: a line for its log. Raises RunnerError if the job has
    no command or limits that cannot be."""
    collecting = Collecting.of(attempt, folder)
    given = {**_own_variables(attempt, folder), **collecting.variables(folder)}
    try:
        container = primary_container(attempt.run, attempt.primary_container, given)
        deadline = deadline_seconds(attempt.run)
        wanted = container.working_dir
        start = folder.work if container.alone else cwd
        directory = wanted if wanted and Path(wanted).is_dir() else str(start)
        beside = collecting.beside(attempt, directory, given)
    except SpecError as error:
        raise RunnerError(str(error)) from error
    if any("\0" in text for text in (*container.argv, *container.env, *container.env.values())):
        raise RunnerError("a command or variable contains a NUL character, which no process can be given")
    if any(not name or "=" in name for name in container.env):
        raise RunnerError(f"a variable's name is empty or contains '=': {', '.join(map(repr, container.env))}")
    check_amount(container.gpus)
    values = {name: collecting.localize(value) for name, value in container.env.items()}
    return Order(
        argv=tuple(collecting.localize(word) for word in container.argv),
        env={**(_ONE_PROCESS if container.alone else {}), **values, **given},
        cwd=directory,
        image=container.image,
        threads=max(1, math.ceil(container.cpu)) if container.cpu else 0,
        memory=container.memory,
        gpus=container.gpus,
        deadline=deadline,
        kind=attempt.collector.kind,
        metrics=str(collecting.place or ""),
        directory=attempt.collector.directory,
        beside=beside,
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


def _own_variables(attempt: Attempt, folder: AttemptFolder) -> dict[str, str]:
    return {
        MARKER: str(folder.path),
        "KATIB_NAMESPACE": attempt.id.key.namespace,
        "KATIB_EXPERIMENT_NAME": attempt.id.key.name,
        "KATIB_TRIAL_NAME": attempt.id.trial,
        "KATIB_ATTEMPT": str(attempt.id.attempt),
        "KATIB_SEED": str(attempt.seed),
        "KATIB_CHECKPOINT_DIR": str(folder.checkpoint),
    }


def _notes(container: Container) -> tuple[str, ...]:
    """Variables that a cluster fills in come from the user's environment here; say which are not in it."""
    missing = [name for name in container.unsupported_env if name not in os.environ]
    return tuple(f"katib: variable {name} is filled in by a cluster only; set it to run locally" for name in missing)
