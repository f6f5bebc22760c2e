"""A trial and its parts. Everything is frozen: a change is a copy, and the store keeps the latest copy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, NamedTuple

from katib.core.collector import CollectorSpec
from katib.core.objective import Observation
from katib.core.values import Parameters as Parameters
from katib.core.values import Value as Value


class Key(NamedTuple):
    """What an experiment is found by."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class TrialState(StrEnum):
    """The life of a trial; the value is Katib's condition type. docs/accounting.md says what each one counts for."""

    PENDING = "Pending"  # recorded; nothing runs yet
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    EARLY_STOPPED = "EarlyStopped"
    FAILED = "Failed"
    KILLED = "Killed"  # stopped because the experiment was over
    METRICS_UNAVAILABLE = "MetricsUnavailable"

    @property
    def finished(self) -> bool:
        """Whether the state is final."""
        return self not in (TrialState.PENDING, TrialState.RUNNING)


class FailureClass(StrEnum):
    """Why an attempt failed, which decides whether it is tried again."""

    USER_ERROR = "UserError"
    OUT_OF_MEMORY = "OutOfMemory"
    LOST = "Lost"  # node, actor or process gone without an exit status
    TIME_OUT = "TimeOut"
    INFRASTRUCTURE = "Infrastructure"


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far one source of an attempt was read. offset: bytes consumed. mid_line: the offset lies inside an
    over-long line whose rest is to be skipped."""

    offset: int = 0
    mid_line: bool = False


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop that was decided but not yet confirmed by the runner: the state the trial will end in, and why. failure:
    the class of a stop that is a failure, which may be tried again."""

    state: TrialState
    reason: str
    failure: FailureClass | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One evaluation of one set of parameters.

    number: 0, 1, 2, ... in order of creation, never reused. name: unique in the store.
    labels: the algorithm's memory (bracket, rung, generation). parent: number of the trial this one continues.
    attempt: 1 for the first run; a lost attempt is followed by the next. seq: place of this record in the
    experiment's commit order, 0 before the first commit. created, started, finished: seconds since the epoch.
    measured: measurements recorded for the current attempt, the last of them at the time ``reported``. failures: how
    many attempts failed, by class. not_before: when the next attempt may start. seen: what the current attempt reports
    beside the metrics that are asked for: some names, to tell a misspelt one. message: log tail or explanation beside
    ``reason``.
    """

    number: int
    name: str
    parameters: Parameters
    labels: Mapping[str, str] = field(default_factory=dict)
    parent: int | None = None
    state: TrialState = TrialState.PENDING
    attempt: int = 1
    seq: int = 0
    created: float = 0.0
    started: float | None = None
    finished: float | None = None
    observation: Observation = field(default_factory=dict)
    measured: int = 0
    reported: float | None = None
    failures: Mapping[FailureClass, int] = field(default_factory=dict)
    not_before: float | None = None
    cursors: Mapping[str, Cursor] = field(default_factory=dict)
    seen: tuple[str, ...] = ()
    stop: Stop | None = None
    reason: str = ""
    message: str = ""
    failure: FailureClass | None = None


def evolve(trial: Trial, **changes: Any) -> Trial:
    """``dataclasses.replace`` in half its time: every trial is copied several times on its way."""
    values = list(_values(trial))
    for name, value in changes.items():
        values[_PLACES[name]] = value
    return Trial(*values)


_NAMES = tuple(f.name for f in fields(Trial))
_PLACES = {name: place for place, name in enumerate(_NAMES)}
_values = attrgetter(*_NAMES)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What an algorithm wants tried. parent: number of the trial whose checkpoint it continues from."""

    parameters: Parameters
    labels: Mapping[str, str] = field(default_factory=dict)
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """An algorithm's answer. Fewer suggestions than asked: wait for running trials. exhausted: never again.
    releases: numbers of trials that will never be continued, so their checkpoints may go."""

    suggestions: tuple[Suggestion, ...] = ()
    exhausted: bool = False
    releases: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class AttemptId:
    """What a runner finds one run of a trial by. Folders, actors and pods carry all of it in their names."""

    key: Key
    trial: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a runner needs to start one run of a trial.

    run: the rendered job (a Kubernetes manifest as a tree), empty for Python objectives.
    primary_container: name of the container in ``run`` that trains. parent: the attempt whose checkpoint to copy.
    collector: where its metrics come from. metrics: their names, the objective's first.
    checkpoint_path: folder that the trial knows its checkpoint by, beside $KATIB_CHECKPOINT_DIR; empty for none.
    seed: of its random numbers, below 2**31, so that it can be repeated; another for each trial.
    """

    id: AttemptId
    number: int
    parameters: Parameters
    run: Mapping[str, object] = field(default_factory=dict)
    primary_container: str = ""
    parent: AttemptId | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    collector: CollectorSpec = field(default_factory=CollectorSpec)
    metrics: tuple[str, ...] = ()
    retain: bool = False
    checkpoint_path: str = ""
    seed: int = 0
