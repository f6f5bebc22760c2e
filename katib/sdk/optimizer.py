"""``katib.Optimizer``: trials that the caller runs, asked for one by one and told when they are over."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from katib.compose import Workshop
from katib.core.errors import NotFoundError, PermanentError, RetryableError
from katib.core.experiment import ResumePolicy
from katib.core.trial import Attempt, AttemptId, FailureClass, Key, Trial
from katib.options import Options
from katib.report import measure
from katib.sdk.arguments import OPTIMIZER, check
from katib.sdk.asked_trial import AskedTrial, ended, given, recorded, stopped
from katib.sdk.experiments import METRIC, create_or_find, make_spec, unique_name
from katib.sdk.owner import Owner
from katib.sdk.result import Result
from katib.sdk.search import Domain
from katib.storage.home import default_home
from trial_runners.asked import AskedRunner, Ticket
from trial_runners.objective_call import REASON_CHARACTERS, Ending, failed, make_checkpoint, storable
from trial_runners.surroundings import surroundings_of


class Optimizer:
    """Asks an algorithm for trials, and records what the caller tells of them. Any number of threads may use one.

    What a method did is in the store when it returns. Use it as a context manager, or call ``close``.
    """

    def __init__(  # noqa: PLR0913 - the public face: every argument after the space is a keyword
        self,
        space: Mapping[str, Domain],
        *,
        max_trials: int | None = None,
        parallel: int = 1,
        algorithm: str = "auto",
        algorithm_settings: Mapping[str, object] | None = None,
        early_stopping: str | None = None,
        early_stopping_settings: Mapping[str, object] | None = None,
        direction: Literal["minimize", "maximize"] = "minimize",
        metric: str = METRIC,
        goal: float | None = None,
        objectives: Mapping[str, Literal["minimize", "maximize"]] | None = None,
        constraints: Sequence[str] = (),
        initial: Sequence[Mapping[str, Any]] = (),
        repeats: int = 1,
        max_duration: float | None = None,
        max_trial_duration: float | None = None,
        max_failed: int | None = None,
        seed: int | None = None,
        store: str | None = None,
        name: str | None = None,
        folder: str | Path | None = None,
        wait: float = 0.0,
    ) -> None:
        """space: name -> ``katib.search`` helper. max_trials: None for no limit. parallel: how many trials may be out
        at a time; so many are proposed ahead. store: URL of a database to keep the experiment in; None for this process
        alone. name: of the experiment; one of that name in the store is gone on with, with the budget given now.
        folder: for checkpoints. wait: seconds to wait for an experiment that another process has.
        The others as in ``tune``.

        Raises SpecError for wrong arguments, or if the stored experiment is another search; UnknownNameError for an
        algorithm or early-stopping rule that there is not; LeaseHeldError if another process has the experiment;
        UnavailableError if the store does not answer.
        """
        check(OPTIMIZER, locals())
        spec = make_spec(Key("default", name or unique_name("optimizer")), locals())
        self._key = spec.key
        self._metric = spec.objective.metric
        self._folder = None if folder is None else Path(folder).absolute()
        self._process = os.getpid()
        self._closing = threading.Lock()
        self._last: Result | None = None
        self._runner = AskedRunner(metric=self._metric, root=self._folder)
        self._workshop = Workshop(Options(default_home(), store or "memory://", runner=self._runner))
        try:
            create_or_find(self._workshop, replace(spec, resume_policy=ResumePolicy.LONG_RUNNING), wait)
            self._owner = Owner(self._workshop.controller(), self._key, self._runner)
            self._owner.start()
        except BaseException:
            self._workshop.close()
            raise
        atexit.register(self.close)

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self._key.name

    def ask(self, timeout: float | None = None) -> AskedTrial | None:
        """The next trial; None if there is none to come: the experiment is over or about to end, it was stopped, all of
        ``max_trials`` are out, or this was closed.

        Waits while ``parallel`` trials are out, or the algorithm waits for some of them. timeout: seconds to wait.

        Raises TimeoutError; PermanentError if that wait had no end, as no other thread is there to tell a trial;
        FencedError if another process has taken the experiment over; OSError if the checkpoint folder cannot be made.
        """
        self._check_process()
        ticket = Ticket()
        answer = self._owner.put(partial(given, ticket, timeout is None and self._is_alone()))
        try:
            self._runner.ask(ticket)
            found = self._await(answer, ticket, timeout)
            if found and ticket.attempt is not None:
                return self._asked(ticket.attempt, found[0])
        except BaseException:
            self._runner.give_back(ticket)
            raise
        self._runner.give_back(ticket)
        return None

    def report(self, trial: AskedTrial, metrics: float | Mapping[str, Any], step: int | None = None) -> None:
        """Record values of a running trial; ``should_stop`` knows at once what the early-stopping rule makes of them.

        metrics: a value of the objective metric, or values by metric. step: the epoch or batch they belong to.
        Raises ValueError for what is no number; PermanentError and FencedError as ``tell`` does.
        """
        self._check_process()
        reports = measure(metrics if isinstance(metrics, Mapping) else {self._metric: metrics}, step)
        expected: list[int] = []
        answer = self._owner.put(partial(recorded, trial, expected))
        count = self._runner.report(self._id(trial), reports)
        if count is None:
            self._stopped(trial, answer)
        else:
            expected.append(count)
            answer.result()

    def should_stop(self, trial: AskedTrial) -> bool:
        """Whether work on the trial is in vain: it is stopped early, or the experiment is over or not this process's
        any more. Tell it then, with or without a value; after 10 seconds it ends untold."""
        return self._owner.ended or self._runner.stopping(self._id(trial))

    def tell(
        self,
        trial: AskedTrial,
        value: float | Mapping[str, Any] | None = None,
        *,
        state: Literal["succeeded", "failed"] = "succeeded",
        reason: str | BaseException = "",
    ) -> Trial:
        """End a trial, and return its record.

        value: of the objective metric, or values by metric; None if the objective metric was reported. reason: why it
        failed; an exception is kept with its traceback. A trial that was stopped early is EarlyStopped, whatever is
        told; one told without a value once the experiment is over is Killed, after a wish to stop Pending.

        Raises ValueError for what is no number or lacks the objective metric (the trial is still out then);
        PermanentError if it was told before, or was interrupted and will run again; NotFoundError if it was not asked
        for here; FencedError if another process has taken the experiment over.
        """
        self._check_process()
        ending = self._ending(value, state, reason)
        answer = self._owner.put(partial(ended, trial))
        try:
            told = self._runner.tell(self._id(trial), ending)
        except ValueError:
            answer.cancel()
            raise
        return answer.result() if told else self._stopped(trial, answer)

    @property
    def best(self) -> Trial | None:
        """The best trial so far, None if none has a value."""
        if self._last is not None:
            return self._last.best_trial
        store = self._workshop.store
        name = store.get(self._key).status.best_name
        return store.trial(self._key, name) if name else None

    @property
    def trials(self) -> tuple[Trial, ...]:
        """All trials by number."""
        return self.result.trials

    @property
    def result(self) -> Result:
        """The experiment and its trials as they are now; what ``tune`` returns."""
        if self._last is not None:
            return self._last
        store = self._workshop.store
        return Result(store.get(self._key), tuple(sorted(store.trials(self._key), key=lambda trial: trial.number)))

    def close(self) -> None:
        """Let go of the experiment, and keep its ``result``. Trials that are out are given back: they run again, each
        as its next attempt, when the experiment is gone on with. Threads that wait in ``ask`` get None."""
        if os.getpid() != self._process:
            return  # a copy made by fork: the experiment is not its own
        with self._closing:
            if self._last is not None:
                return
            self._owner.close()
            with suppress(RetryableError, NotFoundError):
                self._last = self.result
            self._workshop.close()
        atexit.unregister(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _await(self, answer: Future[tuple[Trial, ...]], ticket: Ticket, timeout: float | None) -> tuple[Trial, ...]:
        """The answer; ``timeout`` is for getting a trial, not for the commit that records it."""
        try:
            return answer.result(timeout)
        except TimeoutError:
            if not self._runner.withdraw(ticket):
                return answer.result()
            answer.cancel()
            raise TimeoutError(f"experiment {self.name}: there was no trial to ask for within {timeout} s") from None

    def _asked(self, attempt: Attempt, trial: Trial) -> AskedTrial:
        checkpoint = make_checkpoint(surroundings_of(attempt, self._folder))
        return AskedTrial(
            number=trial.number,
            name=trial.name,
            parameters=dict(trial.parameters),
            attempt=trial.attempt,
            parent=trial.parent,
            labels=dict(trial.labels),
            checkpoint=Path(checkpoint) if checkpoint else None,
        )

    def _ending(self, value: Any, state: str, reason: str | BaseException) -> Ending:
        if isinstance(value, str):
            raise ValueError(f"value: got {value!r}, expected a number, or numbers by metric name")
        named = {} if value is None else value if isinstance(value, Mapping) else {self._metric: value}
        reports = measure(named)
        if state == "succeeded":
            return Ending(reports=reports)
        if state != "failed":
            raise ValueError(f"state: got {state!r}, expected 'succeeded' or 'failed'")
        if isinstance(reason, BaseException):
            return failed(reason)._replace(reports=reports)
        text = storable(reason[:REASON_CHARACTERS]) or "told to have failed"
        return Ending(FailureClass.USER_ERROR, reports=reports, reason=text)

    def _stopped(self, trial: AskedTrial, answer: Future[Trial]) -> Trial:
        """What became of a trial that is not out."""
        self._runner.wake()
        return stopped(trial, answer.result())

    def _id(self, trial: AskedTrial) -> AttemptId:
        return AttemptId(self._key, trial.name, trial.attempt)

    def _is_alone(self) -> bool:
        """Whether only this thread could tell a trial."""
        return all(thread in (threading.current_thread(), self._owner.thread) for thread in threading.enumerate())

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise PermanentError(
                f"this optimizer lives in process {self._process}, and this is a fork of it, {os.getpid()}; "
                "send trials to other processes and tell their results here"
            )
