"""A machine whose attempts outlive their owners, as processes do, and owners that die when a fuse blows.

The store is the in-memory one; nothing waits, so that every point at which an owner can die is tried in no time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from algorithms import create_algorithm, create_stopper
from katib.core.experiment import Desired, Experiment, ExperimentSpec, Verdict
from katib.core.ports import Chunk, Phase, Stopper, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass, Key
from katib.engine import lifecycle
from katib.engine.controller import Controller
from katib.engine.session import Parts
from katib.metrics import create_collector, unavailable_reason
from katib.storage import open_store

KEY = Key("default", "crash")


class Crash(BaseException):
    """The owner's death: nothing may catch it."""


@dataclass
class Fuse:
    """Blows before (even) or after (odd) the effect that has its turn, once."""

    at: int | None = None
    error: type[BaseException] = Crash
    effects: int = 0

    def around(self, effect: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        turn, self.effects = self.effects, self.effects + 2
        if self.at == turn:
            raise self.error
        result = effect(*args, **kwargs)
        if self.at == turn + 1:
            raise self.error
        return result


@dataclass
class Task:
    """An attempt on the machine: a line of output a look, then its end."""

    lines: list[str]
    end: Phase
    log: bytes = b""
    phase: Phase = Phase.RUNNING

    def go_on(self) -> None:
        if self.phase is Phase.RUNNING and self.lines:
            self.log += f"{self.lines.pop(0)}\n".encode()
        elif self.phase is Phase.RUNNING:
            self.phase = self.end


@dataclass
class Machine:
    """Where attempts run. end: how an attempt ends."""

    end: Callable[[Attempt], Phase] = lambda attempt: Phase.SUCCEEDED
    tasks: dict[AttemptId, Task] = field(default_factory=dict)

    released: set[AttemptId] = field(default_factory=set)

    def running(self) -> list[AttemptId]:
        return [id for id, task in self.tasks.items() if task.phase is Phase.RUNNING]


class MachineRunner:
    """The Runner port to the machine; each owner has its own."""

    def __init__(self, machine: Machine, fuse: Fuse) -> None:
        self.machine, self.fuse = machine, fuse

    def start(self, attempt: Attempt) -> None:
        def launch() -> None:
            loss = attempt.parameters["x"]
            lines = [f"loss={loss + i / 1000}" for i in reversed(range(1 + attempt.number % 4))]
            self.machine.tasks.setdefault(attempt.id, Task(lines, self.machine.end(attempt)))

        self.fuse.around(launch)

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterator[Update]:
        for id, offsets in cursors.items():
            task = self.machine.tasks.get(id)
            if task is None:
                yield Update(id, Phase.LOST, failure=FailureClass.LOST)
                continue
            task.go_on()
            start = offsets.get("stdout", Cursor())
            chunk = Chunk("stdout", start, task.log[start.offset :], 0.0, final=task.phase.ended)
            yield Update(id, task.phase, chunks=(chunk,))

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        def end() -> None:
            task = self.machine.tasks.get(id)
            if task is not None and task.phase is Phase.RUNNING:
                task.phase = Phase.STOPPED

        self.fuse.around(end)

    def wait(self, timeout: float) -> None: ...

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        if everything:
            self.stop(id, grace=0.0)
            self.machine.released.add(id)

    def close(self) -> None: ...


class FusedStore:
    """A store whose commits have the fuse around them."""

    def __init__(self, store: Any, fuse: Fuse) -> None:
        self._store, self._fuse = store, fuse

    def commit(self, *args: Any, **kwargs: Any) -> Any:
        return self._fuse.around(self._store.commit, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class House:
    """A store, a machine, and owners that follow one another."""

    def __init__(
        self,
        spec: ExperimentSpec,
        machine: Machine,
        runner: type[MachineRunner] = MachineRunner,
        stopper: Stopper | None = None,
        url: str = "memory://",
    ) -> None:
        self.opened = open_store(url)
        self.machine = machine
        self.runner = runner
        self.stopper = stopper
        lifecycle.create(self.opened.store, spec, {})

    def own(self, fuse: Fuse, wishes: Iterable[tuple[int, Desired]] = ()) -> bool:
        """Be the owner until the end or death. Returns whether it lived. wishes: (look, wish) of other processes."""
        controller = self.controller(fuse)
        pending = dict(wishes)
        look = 0
        try:
            while controller.reconcile(KEY) is not None:
                look += 1
                if look in pending:
                    lifecycle.want(self.opened.store, KEY, pending.pop(look))
                    controller._looked.clear()
                assert look < 1000, "the experiment does not end"
        except Crash:
            return False
        return True

    def controller(self, fuse: Fuse) -> Controller:
        """A new owner. All have one name, so none waits for the lease of a dead one."""
        return Controller(FusedStore(self.opened.store, fuse), self.opened.leases, self._assemble(fuse), "me:1:1")

    def _assemble(self, fuse: Fuse) -> Callable[[Experiment], Parts]:
        def parts(experiment: Experiment) -> Parts:
            spec = experiment.spec
            return Parts(
                algorithm=create_algorithm(spec),
                runner=self.runner(self.machine, fuse),
                collector=create_collector(spec.collector, spec.objective),
                render=lambda trial: {},
                explain=unavailable_reason,
                stopper=self.stopper or create_stopper(spec),
            )

        return parts

    @property
    def experiment(self) -> Experiment:
        return self.opened.store.get(KEY)

    def check(self, spec: ExperimentSpec, verdict: Verdict) -> None:
        """What holds after any history of deaths."""
        trials = self.opened.store.trials(KEY)
        assert self.experiment.status.verdict is verdict
        assert self.machine.running() == []
        assert all(trial.state.finished for trial in trials)
        assert sorted(trial.number for trial in trials) == list(range(len(trials)))
        assert len(trials) <= (spec.budget.max_trials or 0)
        self.check_measurements()

    def check_measurements(self) -> None:
        """Every line of every attempt is stored once, in order; lines printed after a kill excepted."""
        trials = {trial.number: trial for trial in self.opened.store.trials(KEY)}
        stored: dict[AttemptId, list[str]] = {}
        for number, recorded in self.opened.store.curve(KEY):
            id = AttemptId(KEY, trials[number].name, recorded.attempt)
            stored.setdefault(id, []).append(f"loss={recorded.measurement.text}")
        for id, task in self.machine.tasks.items():
            assert stored.get(id, []) == task.log.decode().splitlines()
