"""Runs Python objectives in a pool of worker processes that stay up from trial to trial and die with their parent.

A trial can do no harm beyond its worker: one that crashes, is killed or does not stop in time costs its process,
which is replaced. The pool grows to what is started at once. Attempts end with the process that started them.
"""

from __future__ import annotations

import json
import math
import selectors
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from katib.core.errors import RunnerError, SpecError
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass
from trial_runners.objective_call import Ending, Objective, Surroundings
from trial_runners.outcomes import Outcomes
from trial_runners.pickling import pickled
from trial_runners.surroundings import remove, surroundings_of
from trial_runners.worker_process import WorkerProcess

# Signals that others send. Any other is the doing of the process itself (a segmentation fault, an abort).
_SENT = frozenset({signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})


class ProcessRunner:
    """The Runner port for functions. Not for several threads at a time.

    Stopping is cooperative: the next ``report_metrics`` of the objective raises TrialStopped; a run that lets the
    grace pass loses its worker process. Both, and starts beyond the number of workers, move on in ``poll``.
    """

    def __init__(
        self, objective: Objective, *, metric: str, workers: int, root: Path | None = None, isolate: bool = False
    ) -> None:
        """metric: what a returned number measures. workers: most trials at a time. root: folder for output and
        checkpoints, a folder for each attempt; without it output goes to standard error. isolate: a new worker process
        for every trial.

        Raises SpecError if the objective cannot be sent to another process.
        """
        if workers < 1:
            raise SpecError(f"workers: got {workers}, expected at least 1")
        self._pickled = pickled(objective, "worker processes")
        self._metric = metric
        self._size = workers
        self._root = root.absolute() if root else None
        self._isolate = isolate
        self._workers: list[WorkerProcess] = []
        self._idle: list[WorkerProcess] = []
        self._running: dict[AttemptId, WorkerProcess] = {}
        self._waiting: dict[AttemptId, tuple[Attempt, Surroundings]] = {}
        self._obstacle = ""
        self._outcomes = Outcomes()
        self._selector = selectors.DefaultSelector()
        self._news = False  # something changed that no poll has told yet
        self._closed = False

    def resize(self, workers: int) -> None:
        """Most trials at a time from now on; those that run go on, and idle workers beyond it end."""
        self._size = workers
        for _ in range(min(len(self._idle), len(self._workers) - workers)):
            self._idle.pop().kill()

    def start(self, attempt: Attempt) -> None:
        """Start it, or do nothing if it was started before. Raises RunnerError: closed, or a bad name."""
        if self._closed:
            raise RunnerError("the runner is closed")
        id = attempt.id
        if id not in self._running and id not in self._waiting and id not in self._outcomes:
            self._waiting[id] = attempt, surroundings_of(attempt, self._root)
            self._launch()

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterable[Update]:
        """One Update for each id asked for. Never blocks for long."""
        if not self._closed:
            self._look()
        return [self._update(id) for id in cursors]

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        """Let its next report raise TrialStopped; after ``grace`` seconds its worker is killed."""
        if self._waiting.pop(id, None) is not None:
            self._outcomes.end(id, Phase.STOPPED)
            self._news = True
        elif (worker := self._running.get(id)) is not None:
            worker.ask_to_stop(time.monotonic() + grace)
            if grace <= 0:
                worker.kill()

    def wait(self, timeout: float) -> None:
        """Return after ``timeout`` seconds, or as soon as a worker has something to say or must be killed."""
        if not self._news:
            deadline = min((w.deadline for w in self._running.values() if w.deadline is not None), default=math.inf)
            self._selector.select(max(0.0, min(timeout, deadline - time.monotonic())))

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """Remove its checkpoint; ``everything``: its folder, and all memory of it."""
        remove(id, self._root, everything=everything)
        if everything:
            self._outcomes.forget(id)

    def close(self) -> None:
        """End all workers, whatever they do: functions cannot outlive the process that holds them."""
        self._closed = True
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            self._selector.unregister(worker.channel)
            worker.bury()
        for held in (self._workers, self._idle, self._running, self._waiting):
            held.clear()
        self._selector.close()

    def _update(self, id: AttemptId) -> Update:
        if id in self._running:
            return self._outcomes.update(id, Phase.RUNNING)
        if id in self._waiting:
            return self._outcomes.update(id, Phase.WAITING, self._obstacle or "waits for a free worker process")
        return self._outcomes.update(id, None)

    def _look(self) -> None:
        """Take in what workers sent, bury those that ended, kill those past their deadline, start what waits."""
        self._news = False
        heard = {key.data for key, _ in self._selector.select(0)}
        now = time.monotonic()
        for worker in tuple(self._workers):
            exited = worker.exited()  # asked before reading, so that nothing it sent is missed
            connected = not (exited or worker in heard) or self._hear(worker, everything=exited)
            if exited or not connected:
                self._bury(worker)
            elif worker.deadline is not None and worker.deadline <= now:
                worker.kill()
        self._launch()

    def _hear(self, worker: WorkerProcess, *, everything: bool) -> bool:
        """Take in what a worker sent, some or all of it; False if it has hung up."""
        while messages := worker.channel.receive(block=False):
            for message in messages:
                self._take(worker, *json.loads(message))
            if not everything:
                return True
        return messages is not None

    def _take(self, worker: WorkerProcess, kind: str, run: int, *details: Any) -> None:
        id = worker.attempt
        if kind == "ready":
            worker.ready = True
        elif id is None or run != worker.runs:
            return  # a thread that outlived its trial
        elif kind == "report":
            self._outcomes.report(id, details[0])
        else:
            failure, *rest = details
            ending = Ending(FailureClass(failure) if failure else None, *rest)
            self._outcomes.conclude(id, ending, stopping=worker.stopping)
            self._running.pop(id)
            worker.rest()
            if self._isolate:
                worker.kill()
            elif not worker.killed:
                self._idle.append(worker)

    def _bury(self, worker: WorkerProcess) -> None:
        self._selector.unregister(worker.channel)
        self._workers.remove(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        killed = worker.killed
        status = worker.bury()
        if worker.attempt is not None:
            self._running.pop(worker.attempt)
            phase, reason, failure = (Phase.STOPPED, "", None) if killed else _death(status, ready=worker.ready)
            self._outcomes.end(worker.attempt, phase, reason, failure=failure)

    def _launch(self) -> None:
        while self._waiting and (worker := self._free_worker()) is not None:
            id = next(iter(self._waiting))
            attempt, surroundings = self._waiting.pop(id)
            self._running[id] = worker
            worker.run(id, attempt.parameters, surroundings)

    def _free_worker(self) -> WorkerProcess | None:
        self._obstacle = ""
        if self._idle:
            return self._idle.pop()
        if len(self._workers) >= self._size:
            return None
        try:
            worker = WorkerProcess(self._pickled, self._metric)
        except OSError as error:
            self._obstacle = f"no worker process can be started: {error}"
            return None
        self._workers.append(worker)
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        return worker


def _death(status: int, *, ready: bool) -> tuple[Phase, str, FailureClass]:
    """What a worker that ended by itself makes of its attempt."""
    if -status in _SENT:
        name = signal.Signals(-status).name
        hint = "; the system may have run out of memory" if -status == signal.SIGKILL else ""
        return Phase.LOST, f"the worker process was ended from outside ({name}){hint}", FailureClass.LOST
    what = f"exit status {status}" if status >= 0 else f"signal {-status} ({signal.strsignal(-status)})"
    if not ready:
        return Phase.FAILED, f"the worker process did not come up: {what}", FailureClass.INFRASTRUCTURE
    return Phase.FAILED, f"the objective ended its worker process: {what}", FailureClass.USER_ERROR
