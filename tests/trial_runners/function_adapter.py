"""Attempts for the contract suite, for the runners of functions."""

from __future__ import annotations

from pathlib import Path

from katib.core.trial import Attempt, AttemptId
from tests.contracts.runner_contract import RunnerAdapter
from tests.trial_runners.objectives import attempt


class FunctionAdapter(RunnerAdapter):
    """What the objective ``perform`` does for each wish of the suite."""

    outlives = False
    prints = False

    def append_line(self, id: AttemptId, path: Path) -> Attempt:
        return attempt(id, "append", path=str(path))

    def fail(self, id: AttemptId) -> Attempt:
        return attempt(id, "fail")

    def sleep(self, id: AttemptId, seconds: float) -> Attempt:
        return attempt(id, "sleep", seconds=seconds)

    def ignore_stop(self, id: AttemptId, seconds: float, ready: Path) -> Attempt:
        return attempt(id, "spin", seconds=seconds, ready=str(ready))
