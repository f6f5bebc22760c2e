"""Logs of runs as arrays: read once, the parameters of their trials left behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarks.search import archive
from benchmarks.search.contestants import ALIASES
from benchmarks.search.trial_log import RunLog, loads
from katib.core.errors import PermanentError, UnknownNameError

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Run:
    """One log. For each of its n trials, in the order in which they were proposed:

    losses: (n, objectives) true ones, NaN where the trial failed. feasible: whether it has losses and violates nothing.
    failed, duplicate. ask: seconds. known: finished trials when it was proposed. The rest is as in ``RunLog``.
    """

    problem: str
    family: str
    algorithm: str
    seed: int
    workers: int
    budget: int
    best: float | None
    typical: float
    worst: tuple[float, ...]
    losses: Floats
    feasible: Bools
    failed: Bools
    duplicate: Bools
    ask: Floats
    known: Floats
    exhausted: bool
    error: str
    versions: Mapping[str, str]
    machine: str

    @property
    def length(self) -> int:
        """Number of trials."""
        return len(self.ask)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a folder held. unreadable: path -> why it is no log."""

    runs: tuple[Run, ...]
    unreadable: Mapping[str, str]

    def of(self, algorithms: Sequence[str]) -> Reading:
        """The runs of these algorithms; what stands in ``ALIASES`` is short for those of its algorithms that have runs.
        Raises UnknownNameError on a name that has none."""
        known = sorted({run.algorithm for run in self.runs})
        chosen: set[str] = set()
        for name in algorithms:
            meant = set(ALIASES.get(name, (name,))).intersection(known)
            if not meant:
                raise UnknownNameError("algorithm with a finished run", name, known)
            chosen |= meant
        return replace(self, runs=tuple(run for run in self.runs if run.algorithm in chosen))


def read_runs(folder: Path) -> Reading:
    """Every finished log below ``folder``, in files and in archives. Of two that differ in their suite alone, the
    longer one is kept."""
    kept: dict[tuple[str, str, int, int], Run] = {}
    unreadable: dict[str, str] = {}
    for source, logs in _sources(folder):
        try:
            for run in map(run_of, logs):
                key = run.problem, run.algorithm, run.workers, run.seed
                if key not in kept or run.length > kept[key].length:
                    kept[key] = run
        except (ValidationError, ValueError, PermanentError) as error:
            unreadable[source] = str(error).splitlines()[0]
    return Reading(tuple(kept.values()), unreadable)


def _sources(folder: Path) -> Iterator[tuple[str, Iterator[RunLog]]]:
    """Paths below ``folder``, and what logs each has, which are read as they are asked for."""
    for path in sorted(folder.rglob(archive.FILE)):
        yield str(path.relative_to(folder)), archive.read(path)
    for path in sorted(folder.rglob("w*-s*.json")):
        yield str(path.relative_to(folder)), (loads(each.read_bytes()) for each in (path,))


def run_of(log: RunLog) -> Run:
    """The arrays of a log. A loss that is no finite number counts as a failure. Raises ValueError if the trials differ
    in their number of losses."""
    trials = log.trials
    objectives = len(log.worst) or 1
    losses = np.full((len(trials), objectives), np.nan)
    for row, trial in zip(losses, trials, strict=True):
        if trial.losses:
            if len(trial.losses) != objectives:
                raise ValueError(f"a trial has {len(trial.losses)} losses, the problem has {objectives} objectives")
            row[:] = trial.losses
    finite = np.isfinite(losses).all(axis=1)
    losses[~finite] = np.nan
    violated = np.array([any(v > 0 for v in trial.violations) for trial in trials], dtype=bool)
    return Run(
        problem=log.problem,
        family=log.family,
        algorithm=log.algorithm,
        seed=log.seed,
        workers=log.workers,
        budget=log.budget,
        best=log.best,
        typical=log.typical,
        worst=log.worst,
        losses=losses,
        feasible=finite & ~violated,
        failed=~finite,
        duplicate=np.array([trial.duplicate for trial in trials], dtype=bool),
        ask=np.array([trial.ask for trial in trials], dtype=float),
        known=np.array([trial.known for trial in trials], dtype=float),
        exhausted=log.exhausted,
        error=log.error,
        versions=log.versions,
        machine=log.machine,
    )


def of_problem(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """The runs of each problem, by the problem's name."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.problem, []).append(run)
    return dict(sorted(found.items()))
