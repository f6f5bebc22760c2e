"""Runs Python objectives in the caller's thread, one at a time, inside ``wait``: the debugging twin of the process
runner, so that breakpoints, profilers and printed lines work as in a plain function call.

While an objective runs nothing else does, so a stop decided by anyone but the objective itself comes too late for the
running trial: its reports are handed over together with its end. Use the process runner where stopping matters.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from katib.core.errors import RunnerError, SpecError
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor, FailureClass
from katib.report import Report, TrialStopped
from trial_runners.objective_call import Objective, Surroundings, call, failed, surrounded
from trial_runners.outcomes import Outcomes
from trial_runners.surroundings import remove, surroundings_of

_GO_SECONDS = 0.005


class InlineRunner:
    """The Runner port for functions, without processes or threads. Not for several threads at a time."""

    def __init__(self, objective: Objective, *, metric: str, root: Path | None = None) -> None:
        """metric: what a returned number measures. root: folder for checkpoints, a folder for each attempt.

        Raises SpecError if the objective is no function.
        """
        if not callable(objective):
            raise SpecError(f"objective: got {objective!r}, expected a function of the parameters")
        self._objective = objective
        self._metric = metric
        self._root = root.absolute() if root else None
        self._waiting: dict[AttemptId, tuple[Attempt, Surroundings]] = {}
        self._current: AttemptId | None = None
        self._stopping = False
        self._outcomes = Outcomes()
        self._news = False
        self._closed = False

    def start(self, attempt: Attempt) -> None:
        """Put it in line, or do nothing if it was started before. Raises RunnerError: closed, or a bad name."""
        if self._closed:
            raise RunnerError("the runner is closed")
        if attempt.id not in self._waiting and attempt.id not in self._outcomes and attempt.id != self._current:
            self._waiting[attempt.id] = attempt, surroundings_of(attempt, self._root)

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterable[Update]:
        """One Update for each id asked for."""
        self._news = False
        return [self._update(id) for id in cursors]

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        """Take it out of the line; if it runs (and asks for that itself), its next report raises TrialStopped."""
        if self._waiting.pop(id, None) is not None:
            self._outcomes.end(id, Phase.STOPPED)
            self._news = True
        elif id == self._current:
            self._stopping = True

    def wait(self, timeout: float) -> None:
        """Run the next attempt in line to its end, however long it takes; with none, sleep for ``timeout`` seconds.

        Attempts that take next to no time are run several at a go, so that one commit takes them all.
        KeyboardInterrupt passes through; its attempt is STOPPED.
        """
        if self._waiting:
            until = time.monotonic() + _GO_SECONDS
            while self._waiting and time.monotonic() < until:
                id = next(iter(self._waiting))
                self._run(*self._waiting.pop(id))
        elif not self._news:
            time.sleep(max(0.0, timeout))

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """Remove its checkpoint; ``everything``: its folder, and all memory of it."""
        remove(id, self._root, everything=everything)
        if everything:
            self._outcomes.forget(id)

    def close(self) -> None:
        """Forget what waits."""
        self._closed = True
        self._waiting.clear()

    def _update(self, id: AttemptId) -> Update:
        if id == self._current:
            return self._outcomes.update(id, Phase.RUNNING)
        if id in self._waiting:
            return self._outcomes.update(id, Phase.WAITING)  # for its turn; saying so would cost a record a trial
        return self._outcomes.update(id, None)

    def _run(self, attempt: Attempt, surroundings: Surroundings) -> None:
        self._current, self._stopping, self._news = attempt.id, False, True
        try:
            with surrounded(surroundings):
                ending = call(self._objective, attempt.parameters, self._metric, self._receive)
        except OSError as error:  # its folder cannot be made
            ending = failed(error, FailureClass.INFRASTRUCTURE)
        except KeyboardInterrupt:
            self._outcomes.end(attempt.id, Phase.STOPPED, "interrupted")
            raise
        finally:
            self._current = None
        self._outcomes.conclude(attempt.id, ending, stopping=self._stopping)

    def _receive(self, reports: tuple[Report, ...]) -> None:
        if self._current is not None:
            self._outcomes.report(self._current, reports)
        if self._stopping:
            raise TrialStopped
