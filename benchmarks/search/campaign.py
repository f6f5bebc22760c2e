"""A campaign: every algorithm on every problem with every seed, each run a file that is there or is not.

What has its file is not run again, so a campaign that was interrupted goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

from benchmarks.search import archive, manifest
from benchmarks.search.archive import RunKey
from benchmarks.search.contestants import contestant
from benchmarks.search.files import put
from benchmarks.search.machine import installed
from benchmarks.search.ours import PACKAGES
from benchmarks.search.problem import Problem
from benchmarks.search.processes import Done, Lost, work_off
from benchmarks.search.simulation import Conditions, blank, simulate
from benchmarks.search.time_limit import OutOfTime, time_limit
from benchmarks.search.trial_log import RunLog, dumps, loads

#: A problem by name, with the folder of data; a function of a module, as processes import it.
Find = Callable[[str, Path | None], Problem]

PATIENCE = 120.0  # seconds beyond the limit after which a run's process is ended
KEPT = 16  # problems that a process keeps in memory


class Task(NamedTuple):
    """One run. minutes: its limit, None without."""

    problem: str
    algorithm: str
    conditions: Conditions
    minutes: float | None = None

    @property
    def key(self) -> RunKey:
        """What tells it from the others."""
        seed, _, workers, suite = self.conditions
        return RunKey(suite, self.problem, self.algorithm, workers, seed)

    def path(self, folder: Path) -> Path:
        """Where its log is."""
        file = f"w{self.conditions.workers}-s{self.conditions.seed}.json"
        return folder / self.conditions.suite / self.problem / self.algorithm / file


class Ended(NamedTuple):
    """A run that ended. loss: the smallest true one that was found, None without one or of several objectives.
    seconds: of wall-clock time."""

    task: Task
    trials: int
    loss: float | None
    error: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Campaign:
    """What is run, and where the logs go. algorithms: full names, see ``contestants.expand``. data: folder of the
    problems' data. minutes: limit of one run."""

    folder: Path
    suite: str
    problems: Sequence[str]
    algorithms: Sequence[str]
    seeds: Sequence[int]
    budget: int
    workers: int = 1
    data: Path | None = None
    minutes: float | None = None

    def tasks(self) -> Iterator[Task]:
        """All runs; each seed for all algorithms before the next one."""
        for seed in self.seeds:
            conditions = Conditions(seed, self.budget, self.workers, self.suite)
            for problem in self.problems:
                for algorithm in self.algorithms:
                    yield Task(problem, algorithm, conditions, self.minutes)

    def open_tasks(self, *, retry_errors: bool = False) -> list[Task]:
        """Those that have no log; with ``retry_errors`` those too whose run ended with an error."""
        archived = {archive.key_of(log): log.error for log in archive.read(self.folder / archive.FILE)}
        return [task for task in self.tasks() if _is_open(task, self.folder, archived, retry_errors)]


def _is_open(task: Task, folder: Path, archived: Mapping[RunKey, str], retry_errors: bool) -> bool:
    path = task.path(folder)
    if path.exists():
        return retry_errors and bool(loads(path.read_bytes()).error)
    error = archived.get(task.key)
    return error is None or (retry_errors and bool(error))


def prepare(campaign: Campaign, find: Find) -> dict[str, Problem]:
    """The problems, entered into the folder's manifest. Raises what is wrong with the campaign before anything runs."""
    for name in campaign.algorithms:
        contestant(name)
    problems = {name: find(name, campaign.data) for name in campaign.problems}
    manifest.enter(campaign.folder, campaign.suite, problems.values(), campaign.budget, installed(PACKAGES))
    return problems


def run(campaign: Campaign, find: Find, tasks: Iterable[Task], jobs: int = 1) -> Iterator[Ended]:
    """Run ``tasks`` in ``jobs`` processes and write their logs; the runs in the order in which they end.

    Closing the iterator ends the processes; what they were at leaves no file.
    """
    patience = float("inf") if campaign.minutes is None else campaign.minutes * 60 + PATIENCE
    work = partial(run_task, find, campaign.folder, campaign.data)
    for done in work_off(work, tasks, jobs, patience):
        yield _ended(campaign, find, done)


def _ended(campaign: Campaign, find: Find, done: Done) -> Ended:
    """What is said of a run; one whose process was lost gets a log that tells so."""
    task, answer = done.task, done.answer
    if isinstance(answer, Lost):
        log = blank(find(task.problem, campaign.data), task.algorithm, task.conditions, answer.reason)
        put(task.path(campaign.folder), dumps(log))
        return summary(task, log, done.seconds)
    ended: Ended = answer._replace(seconds=done.seconds)
    return ended


def run_task(find: Find, folder: Path, data: Path | None, task: Task) -> Ended:
    """One run, in this process."""
    problem, entrant = _found(find, task.problem, data), contestant(task.algorithm)
    try:
        with time_limit(task.minutes):
            log = simulate(problem, entrant, task.conditions)
    except OutOfTime as error:  # it came after the last trial
        log = blank(problem, task.algorithm, task.conditions, str(error))
    put(task.path(folder), dumps(log))
    return summary(task, log, 0.0)


@lru_cache(maxsize=KEPT)
def _found(find: Find, name: str, data: Path | None) -> Problem:
    return find(name, data)


def summary(task: Task, log: RunLog, seconds: float) -> Ended:
    """What is said of a run."""
    losses = [
        trial.losses[0] for trial in log.trials if len(trial.losses) == 1 and not any(v > 0 for v in trial.violations)
    ]
    return Ended(task, len(log.trials), min(losses, default=None), log.error, seconds)
