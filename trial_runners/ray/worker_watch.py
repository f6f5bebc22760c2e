"""What worker 0 makes of the ends of the others. Runs on the nodes."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn

import ray
from ray.exceptions import RayError

from katib.core.ports import Phase
from katib.core.trial import FailureClass
from trial_runners.attempt_folder import AttemptFolder
from trial_runners.objective_call import Ending
from trial_runners.ray.deaths import cause_of
from trial_runners.ray.journal import End, OpenJournal

_LOOK_SECONDS = 0.2


class Outcome(NamedTuple):
    """How a worker ended. time: seconds since the epoch."""

    rank: int
    ending: Ending
    time: float


class Watch:
    """Ends the process, with the end written down, when another worker fails while this one's call goes on."""

    def __init__(
        self,
        refs: Sequence[ray.ObjectRef[Any]],
        folder: AttemptFolder,
        journal: OpenJournal,
        ask_to_stop: Callable[[float], None],
    ) -> None:
        """refs: answers to come of the others. ask_to_stop: passes a request on to them, with its grace."""
        self._refs = refs
        self._folder = folder
        self._journal = journal
        self._ask_to_stop = ask_to_stop
        self._over = False
        self._lock = threading.Lock()
        threading.Thread(target=self._look, name="katib-workers", daemon=True).start()

    def wait(self) -> None:
        """Return once all have ended."""
        ray.wait(list(self._refs), num_returns=len(self._refs))

    def close(self) -> None:
        """The call is over."""
        with self._lock:
            self._over = True

    def _look(self) -> None:
        asked = False
        while True:
            time.sleep(_LOOK_SECONDS)
            with self._lock:
                if self._over:
                    return
                request = self._folder.ending()
                failure = first_failure(outcomes_of(self._refs, 0)) if request is None else None
                if failure is not None:
                    self._journal.end(end_of(failure))
                    _die()
            if request is not None and not asked:
                asked = True
                self._ask_to_stop(request.grace)


def outcomes_of(refs: Sequence[ray.ObjectRef[Any]], timeout: float) -> list[Outcome]:
    """Of those that end within ``timeout`` seconds."""
    ready, _ = ray.wait(list(refs), num_returns=len(refs), timeout=timeout)
    return [_outcome(ref, refs.index(ref) + 1) for ref in ready]


def first_failure(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The one that failed first, None if none did."""
    failures = [outcome for outcome in outcomes if outcome.ending.failure is not None]
    return min(failures, key=lambda outcome: outcome.time, default=None)


def end_of(failure: Outcome) -> End:
    """The end of a trial, one of whose workers failed."""
    ending = told(failure)
    phase = Phase.LOST if ending.failure is FailureClass.LOST else Phase.FAILED
    return End(phase, ending.reason, ending.failure, ending.message)


def told(failure: Outcome) -> Ending:
    """The failure with the worker's number in its reason."""
    return failure.ending._replace(reason=f"worker {failure.rank}: {failure.ending.reason}")


def judged(own: Ending, others: Sequence[Outcome], over: float) -> Ending:
    """How the trial ended. own: of worker 0, which was ``over`` then. A failure that came before its own is why that
    came."""
    first = first_failure(others)
    if first is not None and not own.stopped and (own.failure is None or first.time < over):
        return told(first)
    if own.failure is None and any(other.ending.stopped for other in others):
        return Ending(stopped=True)
    return own


def _outcome(ref: ray.ObjectRef[Any], rank: int) -> Outcome:
    try:
        ending, ended = ray.get(ref)
    except RayError as error:
        return Outcome(rank, Ending(FailureClass.LOST, reason=cause_of(error)), time.time())
    return Outcome(rank, ending, ended)


def _die() -> NoReturn:
    """End this process with its children, whatever its main thread is at."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the objective may have closed or replaced it
            stream.flush()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)
