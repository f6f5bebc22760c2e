"""The thread that runs an experiment's controller for ``katib.Optimizer``, and what other threads ask of it.

What a caller did (asked, reported, told) is settled by a commit. The caller leaves a question: a function of what the
owner sees. The owner puts it after each look until there is an answer, so nobody is told what the store does not hold,
and callers that come together share one commit.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from katib.core.errors import ConflictError, KatibError, PermanentError, UnavailableError
from katib.core.experiment import Budget, Limits
from katib.core.history import History
from katib.core.trial import Key, Trial, TrialState
from katib.engine.controller import IDLE_SECONDS, Controller
from katib.engine.plan import INTERRUPTED
from trial_runners.asked import AskedRunner

CLOSE_SECONDS = 10.0  # that closing waits for a store that does not answer

_ENDS_ALL = frozenset({TrialState.KILLED, INTERRUPTED})  # states of the stops that all trials get

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Look:
    """What the owner sees. trials: by number. seq: records up to this one are in the store. over: no trial will be
    given out any more, unless one that is out is given back. idle: nothing happens before one that is out is told.
    final: this is the last look."""

    trials: Mapping[int, Trial]
    seq: int
    over: bool = False
    idle: bool = False
    final: bool = False


Question = Callable[[Look], T | None]


class Owner:
    """Runs the controller in a thread of its own until the experiment is over or ``close`` is called."""

    def __init__(self, controller: Controller, key: Key, runner: AskedRunner) -> None:
        """runner: the one in the parts that the controller assembles for ``key``."""
        self._controller = controller
        self._key = key
        self._runner = runner
        self._lock = threading.Lock()
        self._questions: list[tuple[Question[Any], Future[Any]]] = []
        self._trials: Mapping[int, Trial] = {}
        self._failure: BaseException | None = None
        self._deadline: float | None = None
        self.ended = False
        self.thread = threading.Thread(target=self._run, name=f"katib-{key.name}", daemon=True)

    def start(self) -> None:
        """Take the experiment on. Raises what its first look raises: LeaseHeldError, SpecError, CorruptRecordError."""
        opened = self.put(lambda look: True)
        self.thread.start()
        opened.result()

    def put(self, question: Question[T]) -> Future[T]:
        """Leave a question; do what settles it after that. Its answer is never None.

        The future raises what the question raises, and what ended the owner if that was not the end of the experiment.
        """
        future: Future[T] = Future()
        with self._lock:
            ended = self.ended
            if not ended:
                self._questions.append((question, future))
        if ended:
            self._answer_last(question, future)
        return future

    def close(self) -> None:
        """Give back what is out, and the lease, and wait for that. Does nothing the second time."""
        self._deadline = time.monotonic() + CLOSE_SECONDS
        self._controller.drain()
        self._runner.interrupt()
        self.thread.join()

    def _run(self) -> None:
        try:
            while (delay := self._controller.reconcile(self._key)) is not None:
                self._answer(self._look(delay))
                if self._deadline is not None and time.monotonic() > self._deadline:
                    raise UnavailableError(f"experiment {self._key}: its store did not answer in time to close it")
                self._controller.wait(self._key, delay)
        except BaseException as error:
            self._failure = error
        with suppress(KatibError):
            self._controller.close()
        with self._lock:
            self.ended = True
            questions, self._questions = self._questions, []
        for question, future in questions:
            self._answer_last(question, future)

    def _look(self, delay: float) -> Look:
        view = self._controller.view(self._key)
        if view is None:
            # The controller would read everything again and go on, but what was told meanwhile would be missing there.
            raise ConflictError(f"experiment {self._key}: the store holds what its owner did not write")
        experiment, history = view
        self._trials = history.trials
        ending = is_ending(history)
        self._runner.allow(not ending)
        idle = delay == IDLE_SECONDS and is_waiting(history) and experiment.spec.limits == Limits()
        return Look(history.trials, experiment.seq, ending or all_out(experiment.budget, history), idle)

    def _answer(self, look: Look) -> None:
        with self._lock:
            questions = tuple(self._questions)
        settled = {future for question, future in questions if _settle(question, future, look)}
        if settled:
            with self._lock:
                self._questions = [item for item in self._questions if item[1] not in settled]

    def _answer_last(self, question: Question[T], future: Future[T]) -> None:
        """Nothing happens any more, and all that did is in the store."""
        if self._failure is not None:
            future.set_exception(self._failure)
        elif not _settle(question, future, Look(self._trials, sys.maxsize, over=True, final=True)):
            future.set_exception(PermanentError(f"experiment {self._key}: it ended, or its optimizer was closed"))


def is_waiting(history: History) -> bool:
    """Whether trials are out, nothing is in line, and none of those out will end without being told."""
    active = history.active.values()
    return bool(active) and all(trial.state is TrialState.RUNNING and trial.stop is None for trial in active)


def is_ending(history: History) -> bool:
    """Whether trials are being stopped because the experiment is over, or is to rest."""
    return any(t.stop is not None and t.stop.state in _ENDS_ALL for t in history.active.values())


def all_out(budget: Budget, history: History) -> bool:
    """Whether the last trials that the budget allows are out."""
    last = budget.max_trials is not None and len(history) >= budget.max_trials
    return last and all(trial.state is TrialState.RUNNING for trial in history.active.values())


def _settle(question: Question[T], future: Future[T], look: Look) -> bool:
    """Whether there is an answer now, or nobody waits for one any more."""
    with suppress(InvalidStateError):  # cancelled meanwhile
        try:
            answer = question(look)
        except Exception as error:
            future.set_exception(error)
        else:
            if answer is not None:
                future.set_result(answer)
    return future.done()
