"""Trials that are worked on by whoever asks for one: started attempts stand in line until they are taken, and end when
somebody tells how. The runner of ``katib.Optimizer``.

One thread, the controller's, uses the port; any number of others ask, report and tell. Nothing here waits for them but
``wait``, and nothing they do waits for the controller.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from katib.core.errors import RunnerError
from katib.core.ports import Phase, Update
from katib.core.trial import Attempt, AttemptId, Cursor
from katib.report import Report
from trial_runners.objective_call import Ending
from trial_runners.outcomes import Outcomes
from trial_runners.surroundings import remove

INTERRUPTED = "it was given back when its optimizer closed"


@dataclass(slots=True, eq=False)
class Ticket:
    """A place among those who ask. asked: whether it stands in line. attempt: what came of it, None until then."""

    asked: bool = False
    attempt: Attempt | None = None


@dataclass(slots=True)
class _Taken:
    """An attempt that somebody works on. deadline: monotonic time by which it ends, told or not, once it was stopped.
    reported: how many reports it made, and ``metrics``, of what."""

    attempt: Attempt
    deadline: float = math.inf
    reported: int = 0
    metrics: set[str] = field(default_factory=set)

    @property
    def stopping(self) -> bool:
        return self.deadline < math.inf


class AskedRunner:
    """The Runner port, and its other side for those who work on trials. Attempts end with this process."""

    def __init__(self, *, metric: str, root: Path | None = None) -> None:
        """metric: what must be measured before a trial can be told to have succeeded. root: folder for checkpoints, a
        folder for each attempt; None for nowhere."""
        self._metric = metric
        self._root = root.absolute() if root else None
        self._changed = threading.Condition()
        self._line: dict[AttemptId, Attempt] = {}
        self._askers: deque[Ticket] = deque()
        self._taken: dict[AttemptId, _Taken] = {}
        self._outcomes = Outcomes()
        self._news = False  # something changed that no poll has told yet
        self._giving = True
        self._interrupted = False
        self._closed = False

    def start(self, attempt: Attempt) -> None:
        """Put it in line, or do nothing if it was started before. Raises RunnerError: closed."""
        with self._changed:
            if self._closed:
                raise RunnerError("the runner is closed")
            if attempt.id not in self._line and attempt.id not in self._taken and attempt.id not in self._outcomes:
                self._line[attempt.id] = attempt
                self._give()

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterable[Update]:
        """One Update for each id asked for."""
        with self._changed:
            self._news = False
            now = time.monotonic()
            for id in [id for id, taken in self._taken.items() if taken.deadline <= now]:
                self._end(id, Ending(stopped=True))
            return [self._update(id) for id in cursors]

    def stop(self, id: AttemptId, *, grace: float = 10.0) -> None:
        """Take it out of the line; one that is worked on ends when it is told, or after ``grace`` seconds."""
        with self._changed:
            if self._line.pop(id, None) is not None:
                self._outcomes.end(id, Phase.STOPPED)
                self._wake()
            elif (taken := self._taken.get(id)) is not None:
                taken.deadline = min(taken.deadline, time.monotonic() + grace)

    def wait(self, timeout: float) -> None:
        """Return after ``timeout`` seconds, or as soon as somebody asked, reported, told, or let its grace pass."""
        with self._changed:
            deadline = min((taken.deadline for taken in self._taken.values()), default=math.inf)
            self._changed.wait_for(lambda: self._news, max(0.0, min(timeout, deadline - time.monotonic())))

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """Remove its checkpoint; ``everything``: its folder, and all memory of it."""
        remove(id, self._root, everything=everything)
        if everything:
            with self._changed:
                self._outcomes.forget(id)

    def close(self) -> None:
        """Forget what is in line and what is worked on."""
        with self._changed:
            self._closed = True
            for held in (self._line, self._askers, self._taken):
                held.clear()
            self._wake()

    def ask(self, ticket: Ticket) -> None:
        """Stand in line for an attempt, which ``ticket`` gets now or when there is one. First come, first served."""
        with self._changed:
            self._askers.append(ticket)
            ticket.asked = True
            self._give()
            self._wake()

    def withdraw(self, ticket: Ticket) -> bool:
        """Ask no more. False if it has got an attempt, which stays taken."""
        with self._changed:
            if ticket.attempt is None and ticket in self._askers:
                self._askers.remove(ticket)
            return ticket.attempt is None

    def give_back(self, ticket: Ticket) -> None:
        """Ask no more; an attempt that it has got goes to the next one who asks."""
        if self.withdraw(ticket) or ticket.attempt is None:
            return
        with self._changed:
            taken = self._taken.pop(ticket.attempt.id, None)
            if taken is not None and taken.stopping:
                self._outcomes.end(taken.attempt.id, Phase.STOPPED)
            elif taken is not None:
                self._line = {taken.attempt.id: taken.attempt, **self._line}
                self._give()
            self._wake()

    def report(self, id: AttemptId, reports: tuple[Report, ...]) -> int | None:
        """Take reports of an attempt in; how many it made so far. None if it is not worked on (any more)."""
        with self._changed:
            taken = self._taken.get(id)
            if taken is None:
                return None
            taken.reported += len(reports)
            taken.metrics.update(report.metric for report in reports)
            self._outcomes.report(id, reports)
            self._wake()
            return taken.reported

    def tell(self, id: AttemptId, ending: Ending) -> bool:
        """End an attempt. False if it is not worked on (any more).

        Raises ValueError for a success without a value of the objective metric, unless it had been asked to stop.
        """
        with self._changed:
            taken = self._taken.get(id)
            if taken is None:
                return False
            measured = taken.metrics | {report.metric for report in ending.reports}
            if ending.failure is None and self._metric not in measured:
                if not taken.stopping:
                    names = ", ".join(sorted(measured)) or "nothing"
                    raise ValueError(f"trial {id.trial}: {names} was measured, but not {self._metric!r}")
                ending = ending._replace(stopped=True)
            self._end(id, ending)
            return True

    def stopping(self, id: AttemptId) -> bool:
        """Whether work on it is in vain: it was asked to stop, or has ended."""
        with self._changed:
            taken = self._taken.get(id)
            return taken is None or taken.stopping

    def allow(self, giving: bool) -> None:
        """Give out what is in line, or nothing for now: the experiment is about to end."""
        with self._changed:
            self._giving = giving
            self._give()

    def interrupt(self) -> None:
        """Give out nothing any more, and end what is worked on; it can run again as the next attempt."""
        with self._changed:
            self._interrupted = True
            for id in list(self._taken):
                del self._taken[id]
                self._outcomes.end(id, Phase.STOPPED, INTERRUPTED)
            self._wake()

    def wake(self) -> None:
        """Let ``wait`` return."""
        with self._changed:
            self._wake()

    def _wake(self) -> None:
        self._news = True
        self._changed.notify_all()

    def _give(self) -> None:
        while self._giving and not self._interrupted and self._askers and self._line:
            id = next(iter(self._line))
            attempt = self._line.pop(id)
            self._taken[id] = _Taken(attempt)
            self._askers.popleft().attempt = attempt
            self._news = True

    def _end(self, id: AttemptId, ending: Ending) -> None:
        taken = self._taken.pop(id)
        self._outcomes.conclude(id, ending, stopping=taken.stopping)
        self._wake()

    def _update(self, id: AttemptId) -> Update:
        if id in self._taken:
            return self._outcomes.update(id, Phase.RUNNING)
        if id in self._line:
            return self._outcomes.update(id, Phase.WAITING)  # for its turn; saying so would cost a record a trial
        return self._outcomes.update(id, None)
