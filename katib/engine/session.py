"""One experiment as its owner holds it: the mirror of the store, and the draft of the next commit.

The mirror is ahead of the store only inside one ``reconcile``. If a commit fails, the session is thrown away and read
again, so a wrong mirror never lives on. Nothing here reads all finished trials after loading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from katib.core.branches import Branches
from katib.core.changes import Changes, Event, TrialChange
from katib.core.errors import ConflictError
from katib.core.experiment import Experiment
from katib.core.history import History
from katib.core.objective import Measurement
from katib.core.parameters import Parameter
from katib.core.ports import Algorithm, Collector, Lease, Runner, Stopper, Store
from katib.core.trial import AttemptId, Key, Trial, TrialState, evolve
from katib.engine.deadlines import begin
from katib.engine.plan import Tally
from katib.engine.progress import Explain, attempt_id, is_lost
from katib.engine.summary import Race


@dataclass(frozen=True, slots=True)
class Parts:
    """What the controller runs an experiment with. render: trial -> its job as a tree. explain: why a metric is
    missing, for people. adapt: these parts for the experiment with another budget or search space; what
    runs goes on."""

    algorithm: Algorithm
    runner: Runner
    collector: Collector
    render: Callable[[Trial], Mapping[str, object]]
    explain: Explain
    stopper: Stopper | None = None
    adapt: Callable[[Experiment], Parts] | None = None


@dataclass(slots=True)
class Patience:
    """When the algorithm is asked again. short_at: (finished, active) trials when it last gave too few. retry_at:
    monotonic time before which a service that did not answer is left alone, after ``retries`` tries."""

    short_at: tuple[int, int] | None = None
    retry_at: float = 0.0
    retries: int = 0


class Session:
    """The mirror (experiment, history, tally) and the draft of the next commit."""

    def __init__(self, experiment: Experiment, parts: Parts, lease: Lease, history: History) -> None:
        self.experiment = experiment
        self.parts = parts
        self.lease = lease
        self.history = history
        self.names = {trial.name for trial in history.trials.values()}
        self.counts: Counter[TrialState] = Counter(trial.state for trial in history.trials.values())
        self.lost = sum(is_lost(trial) for trial in history.finished)
        self.status = experiment.status
        self.unsure = False  # whether the store may have taken the draft without an answer
        self.exhausted = False
        self.error = ""
        self.time_up = False
        self.patience = Patience()
        # (number, attempt) that were given to the runner, and that the runner was asked to stop. Trials recorded as
        # started were given to a runner by an earlier owner; it finds their attempts again by name.
        self.launched = {(t.number, t.attempt) for t in history.active.values() if t.started is not None}
        self.stopping: set[tuple[int, int]] = set()
        # Those that may have been given to the runner, by an owner that died then or without an answer; it knows.
        self.sought = {(t.number, t.attempt) for t in history.active.values() if t.started is None}
        # Checkpoints that nothing will continue from: those to be dropped after the next commit, and all so far.
        self.releases: list[AttemptId] = []
        self.released: frozenset[int] = frozenset()
        self.declared: dict[str, Parameter] = {}  # by trials of an open space, and not in the store yet
        self._branches: Branches | None = None
        self._branched = 0  # finished trials that these have seen
        self._changes: list[TrialChange] = []
        self._slots: dict[tuple[int, int], int] = {}
        self._events: list[Event] = []
        self._next_seq = experiment.seq + 1
        self.race = self._run_race()

    @classmethod
    def load(cls, store: Store, experiment: Experiment, parts: Parts, lease: Lease) -> Session:
        """Mirror what the store holds."""
        trials = store.trials(experiment.key)
        attempts = {trial.number: trial.attempt for trial in trials}
        curves: dict[int, list[tuple[int, Measurement]]] = {}
        for number, recorded in store.curve(experiment.key):
            if recorded.attempt == attempts.get(number):
                curves.setdefault(number, []).append((recorded.seq, recorded.measurement))
        history = History(experiment.spec.space, experiment.spec.objective, trials, curves, experiment.spec.sources)
        return cls(experiment, parts, lease, history)

    @property
    def key(self) -> Key:
        """The experiment's key."""
        return self.experiment.key

    @property
    def tally(self) -> Tally:
        """The counts that ``plan`` decides by."""
        return Tally(self.counts, self.lost, self.race.goal_reached, self.exhausted, self.time_up, self.error)

    def put(self, trial: Trial, measurements: Iterable[Measurement] = ()) -> None:
        """Draft a trial's new record; the history sees it at once, with the numbers the commit will give it.

        A later record of the same attempt, without measurements, takes the place of the drafted one.
        """
        reports = tuple(measurements)
        slot = None if reports else self._slots.get((trial.number, trial.attempt))
        if slot is None:
            self._slots[trial.number, trial.attempt] = len(self._changes)
            first = self._next_seq
            numbered = evolve(trial, seq=first + len(reports))
            self._next_seq = numbered.seq + 1
            self._changes.append(TrialChange(numbered, reports))
            self.history.report(trial.number, reports, first)
        else:
            numbered = evolve(trial, seq=self.history.trials[trial.number].seq)
            self._changes[slot] = TrialChange(numbered, self._changes[slot].measurements)
        self._count(numbered)
        before = self.history.trials.get(trial.number)
        if before is not None and before.state.finished and not trial.state.finished:
            self.history = self.history.reopened(numbered)
            self._branches = None
            self.race = self._run_race()
            self.released -= {trial.number}  # its next attempt leaves a checkpoint of its own
        else:
            self.history.record(numbered)

    def log(self, time: float, type: str, reason: str, message: str, trial: Trial | None = None) -> None:
        """Draft an event of the experiment, or of one of its trials."""
        self._events.append(Event(time, type, reason, message, trial.name if trial else ""))

    def wait_for(self, what: str) -> None:
        """Say in the status what is awaited; empty for nothing."""
        if what != self.status.waiting:
            self.status = replace(self.status, waiting=what)

    def begin(self, now: float) -> None:
        """Note that the experiment is run, again if it had ended."""
        status = self.status
        self.status = begin(status, now)
        if status.verdict is not None:
            self.status = replace(self.status, restarted=now, message="")
            self.log(now, "Normal", "ExperimentRestarted", "the experiment goes on after its end")

    def launched_numbers(self) -> set[int]:
        """Numbers of active trials whose current attempt the runner has."""
        active = self.history.active
        return {number for number, attempt in self.launched if number in active and active[number].attempt == attempt}

    def running_attempts(self) -> dict[AttemptId, Trial]:
        """Active trials whose attempts were given to the runner, or may have been."""
        return {
            attempt_id(self.key, trial): trial
            for trial in self.history.active.values()
            if (run := (trial.number, trial.attempt)) in self.launched or run in self.sought
        }

    def summarize(self) -> None:
        """Bring counts and best trial of the status up to date."""
        if self._changes:
            best = self.race.best
            self.status = replace(
                self.status,
                counts={state: count for state, count in self.counts.items() if count},
                best=best.number if best else None,
                best_name=best.name if best else "",
                best_value=self.race.value,
            )

    def commit(self, store: Store) -> None:
        """Write the draft, if there is one. Raises FencedError, ConflictError, UnavailableError.

        After an UnavailableError the draft stays and ``unsure`` is set: the next call finds out whether the store took
        it, and writes it again if not. Reports that a runner hands over only once are so never lost.
        """
        status = self.status if self.status != self.experiment.status else None
        if not (self._changes or self._events or status):
            return
        if self.unsure and self._changes and (stored := store.get(self.key)).seq == self._next_seq - 1:
            self._settle(stored.revision)
            return
        self.unsure = True
        changes = Changes(self.key, status=status, trials=tuple(self._changes), events=tuple(self._events))
        committed = store.commit(changes, fence=self.lease.fence)
        if self._changes and committed.first_seq != self.experiment.seq + 1:
            raise ConflictError(f"{self.key}: sequence {committed.first_seq}, expected {self.experiment.seq + 1}")
        self._settle(committed.revision)

    def _settle(self, revision: int) -> None:
        self.unsure = False
        self.experiment = replace(self.experiment, status=self.status, seq=self._next_seq - 1, revision=revision)
        self._changes, self._slots, self._events = [], {}, []

    def adopt(self, experiment: Experiment) -> None:
        """Take over what another process wrote: desired state, budget, retries, spec and document."""
        moved = experiment.spec.space != self.experiment.spec.space
        if moved or experiment.budget != self.experiment.budget:
            self._branches = None
            self._move(experiment)
        self.experiment = replace(
            experiment, status=self.experiment.status, seq=self.experiment.seq, revision=self.experiment.revision
        )

    def branch(self) -> None:
        """See an open space as its finished trials show it to be: with the conditions that explain what they lack."""
        space = self.experiment.spec.space
        if not space.open:
            return
        if self._branches is None:
            self._branches, self._branched = Branches(space), 0
        for trial in self.history.finished[self._branched :]:
            if trial.state is TrialState.SUCCEEDED:
                self._branches.take(trial.parameters)
        self._branched = len(self.history.finished)
        shape = self._branches.space()
        if shape != self.history.space:
            self._move(replace(self.experiment, spec=replace(self.experiment.spec, space=shape)))

    def _move(self, experiment: Experiment) -> None:
        """Search on in the experiment's space, with its budget."""
        if self.parts.adapt is not None:
            self.parts = self.parts.adapt(experiment)
        if experiment.spec.space != self.history.space:
            self.history = self.history.within(experiment.spec.space)
            self.exhausted, self.patience = False, Patience()

    def _run_race(self) -> Race:
        race = Race(self.experiment.spec.objective)
        for trial in self.history.finished:
            race.take(trial)
        return race

    def _count(self, trial: Trial) -> None:
        before = self.history.trials.get(trial.number)
        if before is not None:
            self.counts[before.state] -= 1
            self.lost -= is_lost(before)
        self.counts[trial.state] += 1
        self.lost += is_lost(trial)
        if trial.state.finished and (before is None or not before.state.finished):
            self.launched.discard((trial.number, trial.attempt))
            self.stopping.discard((trial.number, trial.attempt))
            self.race.take(trial)
        self.names.add(trial.name)
