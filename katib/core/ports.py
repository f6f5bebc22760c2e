"""The ports: what the engine needs from the world. Each has one contract suite in ``tests/contracts``, run over every
implementation. No implementation keeps a reference to the controller, the store or another port."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from katib.core.changes import Changes, Committed, Event, Recorded, Touched
from katib.core.experiment import Experiment
from katib.core.history import History
from katib.core.objective import Measurement
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass, Key, Proposal, Trial


class Algorithm(Protocol):
    """Proposes trials. Built from an ExperimentSpec; construction is validation and raises SpecError."""

    def suggest(self, history: History, count: int) -> Proposal:
        """At most ``count`` new suggestions: a pure function of the constructor's arguments and the history."""
        ...


class Stopper(Protocol):
    """Decides which running trials are not worth their time. Built from an ExperimentSpec."""

    def reason_to_stop(self, trial: Trial, history: History) -> str | None:
        """Why ``trial`` should stop after its newest report, None to go on. Pure; the reason is stored."""
        ...


class Comparison(StrEnum):
    """How a metric stands to a stopping rule's value (Katib's words)."""

    EQUAL = "equal"
    LESS = "less"
    GREATER = "greater"


class StoppingRule(NamedTuple):
    """A rule that whoever reads a trial's metrics applies by itself: stop the trial when ``metric`` (of the objective:
    its best value so far) is ``comparison`` than ``value``, from the ``start_step``-th report on."""

    metric: str
    value: float
    comparison: Comparison
    start_step: int


class RuleStopper(Stopper, Protocol):
    """A Stopper whose judgement can be handed out as rules."""

    def rules(self, history: History) -> Sequence[StoppingRule]:
        """The rules for trials that start now; a trial is stopped when all of them hold. Empty: none is stopped."""
        ...


class Phase(StrEnum):
    """Where a runner sees an attempt."""

    WAITING = "Waiting"  # accepted, not running yet; Update.reason says what it waits for
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    STOPPED = "Stopped"  # ended because stop() was called
    LOST = "Lost"  # was started once, is gone, and left no exit status

    @property
    def ended(self) -> bool:
        """Whether nothing of the attempt runs any more."""
        return self not in (Phase.WAITING, Phase.RUNNING)


class Chunk(NamedTuple):
    """Bytes of one source of an attempt. start: where they begin. time: when they were read, seconds since the epoch.
    final: the source has ended, nothing follows ``data``."""

    source: str
    start: Cursor
    data: bytes
    time: float
    final: bool = False


@dataclass(frozen=True, slots=True)
class Update:
    """What a runner says of one attempt.

    chunks: unread bytes by source, from the cursors that ``poll`` was given. measurements: ready-made ones (reported
    in process or pushed); each is handed over once. ends: cursors behind those of them that can be read again, by
    source. more: unread bytes remain, so poll again before believing the end. early_stop: why whoever watches the
    attempt ended it early, empty if nobody did.
    looked: once it has ended, where metrics were looked for and what was there, for the reason of a missing one.
    problem: once it has ended, what went wrong in collecting them, if anything did.
    """

    id: AttemptId
    phase: Phase
    reason: str = ""
    failure: FailureClass | None = None
    message: str = ""
    chunks: tuple[Chunk, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    ends: Mapping[str, Cursor] = field(default_factory=dict)
    more: bool = False
    early_stop: str = ""
    looked: str = ""
    problem: str = ""


class Runner(Protocol):
    """Runs attempts. Holds no truth: an attempt is found again by its id, so all methods work after a restart."""

    def start(self, attempt: Attempt) -> None:
        """Start it, or do nothing if it was started before. Raises RunnerError if it never can be started."""
        ...

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterable[Update]:
        """One Update for each id asked for, with what its sources hold beyond the cursors. Never blocks for long."""
        ...

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        """Ask it to end (SIGTERM); after ``grace`` seconds it is made to (SIGKILL). Returns at once; 0 kills now."""
        ...

    def wait(self, timeout: float) -> None:
        """Return after ``timeout`` seconds, or sooner if something may have happened. Only a wake-up."""
        ...

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """Remove its checkpoint, which nothing will continue from; ``everything``: all traces of the attempt."""
        ...

    def close(self) -> None:
        """Give up what this process holds. Attempts that can outlive it go on running."""
        ...


class LogReader(Protocol):
    """What a trial printed; implemented beside each runner."""

    def read(self, id: AttemptId, offset: int, limit: int) -> bytes:
        """At most ``limit`` bytes of its output from ``offset``; empty if there are none (yet)."""
        ...


class Collected(NamedTuple):
    """What a collector made of a chunk. end: the cursor to go on from. seen: names of metrics that nobody asked for.
    notes: what could not be read, for people."""

    measurements: tuple[Measurement, ...]
    end: Cursor
    seen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


Collector = Callable[[Chunk], Collected]


class Page(NamedTuple):
    """cont: pass it to ``list`` for the next page; empty at the end."""

    items: tuple[Experiment, ...]
    cont: str = ""


class Store(Protocol):
    """Experiments, trials and measurements. Reads see whole commits only."""

    def get(self, key: Key) -> Experiment:
        """The experiment. Raises NotFoundError, CorruptRecordError."""
        ...

    def list(
        self, namespace: str | None = None, selector: Mapping[str, str] | None = None, limit: int = 500, cont: str = ""
    ) -> Page:
        """Experiments in order of (namespace, name); ``selector``: labels that must be equal."""
        ...

    def trials(self, key: Key, since: int = 0) -> Sequence[Trial]:
        """Trials whose record has a seq greater than ``since``, in order of seq."""
        ...

    def numbered(self, key: Key, start: int, limit: int) -> Sequence[Trial]:
        """At most ``limit`` trials with the numbers ``start`` and up, in order of number: many, page by page."""
        ...

    def trial(self, key: Key, name: str) -> Trial:
        """One trial by name. Raises NotFoundError."""
        ...

    def curve(self, key: Key, number: int | None = None, since: int = 0) -> Sequence[tuple[int, Recorded]]:
        """(trial number, measurement) of one trial or of all, all attempts, with seq > ``since``, in order of seq."""
        ...

    def events(self, key: Key, limit: int = 100) -> Sequence[Event]:
        """The newest events, oldest first."""
        ...

    def changes(self, since: int, timeout: float = 0.0) -> Sequence[Touched]:
        """What commits after revision ``since`` touched, in order; waits up to ``timeout`` seconds for the first."""
        ...

    def commit(self, changes: Changes, expected: int | None = None, fence: int | None = None) -> Committed:
        """Write all of it or nothing.

        expected: the generation the writer read; 0 = the experiment must not exist yet. fence: the writer's fencing
        number. Raises ConflictError, AlreadyExistsError, NotFoundError, FencedError.
        """
        ...

    def close(self) -> None:
        """Give connections back."""
        ...


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to control an experiment until ``expires`` (seconds since the epoch). fence grows with each owner."""

    key: Key
    holder: str
    fence: int
    expires: float


class Leases(Protocol):
    """One controller owns an experiment at a time; its commits carry the fence, so a paused former owner cannot write.

    holder: ``host:pid:start time of the process``. A holder on this host that is no longer alive loses at once.
    """

    def acquire(self, key: Key, holder: str, ttl: float) -> Lease:
        """Raises LeaseHeldError while another live holder has it."""
        ...

    def renew(self, lease: Lease, ttl: float) -> Lease:
        """Raises FencedError if it was lost."""
        ...

    def release(self, lease: Lease) -> None:
        """Give it back; does nothing if it was lost."""
        ...
