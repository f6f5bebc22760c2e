"""A slot: the actor that calls a function, one trial after another. Runs on the nodes.

Nothing of a run lives in this process alone: reports and end go to the attempt's journal, a request to stop comes as
a file in its folder, looked for at each report. Calls are made on the actor's main thread, so objectives may set
signal handlers.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import threading
import time
from typing import Any

import ray

from katib.core.errors import PermanentError
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, FailureClass
from katib.report import Report, TrialStopped
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.objective_call import Ending, call, failed, surrounded
from trial_runners.output import read_part
from trial_runners.ray.checkpoints import Checkpoints
from trial_runners.ray.journal import SMALL, End, Holder, OpenJournal
from trial_runners.ray.place import Hello, Place, Told
from trial_runners.surroundings import surroundings_of
from trial_runners.worker import late, redirect

IDLE_SECONDS = 300.0
"""Without a run for so long it ends: the controller that made it is gone, or has no use for it."""

_LOOK_SECONDS = 10.0


class Slot:
    """Calls the objective for each run that it is given."""

    def __init__(self, objective: bytes, metric: str, place: Place) -> None:
        """objective: pickled, loaded at the first call. metric: what a plain returned number measures."""
        place.find_modules()
        self._here = place.here()
        self._objective = late(objective)
        self._metric = metric
        self._outputs = os.dup(1), os.dup(2)
        self._free_since: float | None = time.monotonic()
        self._pid = os.getpid()
        threading.Thread(
            target=self._expire, args=(ray.get_runtime_context().current_actor,), name="katib-slot-expiry", daemon=True
        ).start()

    def hello(self) -> Hello:
        """Answers when it is free."""
        return Hello(self._here.node, os.getpid(), self._here.shared)

    def leave(self) -> None:
        """End: its controller goes, and has asked for this behind the run that it leaves."""
        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)

    def call(self, attempt: bytes) -> bytes | None:
        """``run``, pickled both ways: Ray's own pickler, which can do more, takes ten times as long."""
        told = self.run(pickle.loads(attempt))  # noqa: S301 - from the controller that made this actor
        return pickle.dumps(told) if told is not None else None

    def run(self, attempt: Attempt) -> Told | None:
        """Run it to its end; None if its folder has more to say of it than fits in here, or it was run before."""
        self._free_since = None
        try:
            folder = AttemptFolder.of(self._here.root, attempt.id)
            journal = OpenJournal.begin(folder.path, Holder(True, os.getpid(), self._here.node))
            return self._run(attempt, folder, journal) if journal is not None else None
        finally:
            self._free_since = time.monotonic()

    def _run(self, attempt: Attempt, folder: AttemptFolder, journal: OpenJournal) -> Told | None:
        checkpoints = self._checkpoints(attempt)
        ending = self._call(checkpoints, folder, journal)
        if os.getpid() != self._pid:
            os._exit(0)  # a child that the objective forked and let return
        self._restore()
        if ending.reports:
            journal.report(ending.reports)
        end = _judge(ending, stopping=folder.ending() is not None)._replace(problem=checkpoints.close())
        chunk = journal.end(end)
        if chunk is None:
            return None
        return told(end.update(attempt.id, (chunk,)), folder, shared=self._here.shared)

    def _call(self, checkpoints: Checkpoints, folder: AttemptFolder, journal: OpenJournal) -> Ending:
        request = os.path.join(folder.path, "ending.json")

        def receive(reports: tuple[Report, ...]) -> None:
            journal.report(reports)
            if os.path.exists(request):
                raise TrialStopped

        if os.path.exists(request):
            return Ending(stopped=True)
        try:
            attempt = checkpoints.begin()
            surroundings = surroundings_of(attempt, self._here.root)
            with surrounded(surroundings):
                redirect(surroundings.log)
                return call(self._objective, attempt.parameters, self._metric, receive)
        except KeyboardInterrupt as error:
            return failed(error)
        except (OSError, PermanentError) as error:  # its folder cannot be made
            return failed(error, FailureClass.INFRASTRUCTURE)

    def _checkpoints(self, attempt: Attempt) -> Checkpoints:
        return Checkpoints(self._here, attempt)

    def _restore(self) -> None:
        """Send output where Ray wants it again."""
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):  # the objective may have closed or replaced it
                stream.flush()
        for descriptor, number in zip(self._outputs, (1, 2), strict=True):
            os.dup2(descriptor, number)

    def _expire(self, this: ray.actor.ActorHandle[Any]) -> None:
        while True:
            time.sleep(_LOOK_SECONDS)
            free_since = self._free_since
            if free_since is not None and time.monotonic() - free_since > IDLE_SECONDS:
                ray.kill(this, no_restart=True)


def told(update: Update, folder: AttemptFolder, *, shared: bool) -> Told | None:
    """The answer of an actor whose run has ended: with its output if that is short, None if it is not."""
    if shared:
        return Told(update)
    data, size = read_part(folder.log, 0, SMALL)
    return Told(update, log=data) if size <= len(data) else None


def _judge(ending: Ending, *, stopping: bool) -> End:
    if ending.stopped or (stopping and ending.failure is not None):
        return End(Phase.STOPPED)
    if ending.failure is None:
        return End(Phase.SUCCEEDED)
    phase = Phase.LOST if ending.failure is FailureClass.LOST else Phase.FAILED
    return End(phase, ending.reason, ending.failure, ending.message)
