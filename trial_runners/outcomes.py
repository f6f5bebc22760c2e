"""What became of attempts, for runners that hear of it themselves: reports not handed over yet, and how runs ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

from katib.core.objective import Measurement
from katib.core.ports import Phase, Update
from katib.core.trial import AttemptId, FailureClass
from trial_runners.objective_call import Ending

# Ended attempts that are remembered, so that a repeated start or poll finds them. Callers poll an attempt until it
# has ended and seldom after, so what is older is never asked for.
REMEMBERED = 10_000

_End = tuple[Phase, str, FailureClass | None, str]
_UNKNOWN: _End = (Phase.LOST, "it ran in a process that is gone", FailureClass.LOST, "")


class Outcomes:
    """Reports of attempts, each handed over once, and the ends of the newest ones."""

    def __init__(self) -> None:
        self._reports: dict[AttemptId, list[Measurement]] = {}
        self._ends: OrderedDict[AttemptId, _End] = OrderedDict()

    def __contains__(self, id: AttemptId) -> bool:
        """Whether the attempt has ended, as far as is remembered."""
        return id in self._ends

    def report(self, id: AttemptId, reports: Iterable[Sequence[Any]]) -> None:
        """Keep what a trial reported for the next update. reports: tuples or lists with the fields of a Report."""
        self._reports.setdefault(id, []).extend([Measurement(*fields) for fields in reports])

    def end(
        self, id: AttemptId, phase: Phase, reason: str = "", message: str = "", failure: FailureClass | None = None
    ) -> None:
        """Remember how an attempt ended."""
        self._ends[id] = phase, reason, failure, message
        if len(self._ends) > REMEMBERED:
            forgotten, _ = self._ends.popitem(last=False)
            self._reports.pop(forgotten, None)

    def conclude(self, id: AttemptId, ending: Ending, *, stopping: bool) -> None:
        """Remember what a call of the objective came to. stopping: it had been asked to stop."""
        self.report(id, ending.reports)
        if ending.stopped or (stopping and ending.failure is not None):
            self.end(id, Phase.STOPPED)
        elif ending.failure is None:
            self.end(id, Phase.SUCCEEDED)
        else:
            self.end(id, Phase.FAILED, ending.reason, ending.message, ending.failure)

    def update(self, id: AttemptId, phase: Phase | None, reason: str = "") -> Update:
        """What to say of an attempt. phase: of one that has not ended, None for any other."""
        measurements = tuple(self._reports.pop(id, ()))
        if phase is not None:
            return Update(id, phase, reason, measurements=measurements)
        return Update(id, *self._ends.get(id, _UNKNOWN), measurements=measurements)

    def forget(self, id: AttemptId) -> None:
        """Forget all of an attempt."""
        self._ends.pop(id, None)
        self._reports.pop(id, None)
