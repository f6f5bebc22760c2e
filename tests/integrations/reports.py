"""A trial's other end: takes the reports, and may end it."""

from __future__ import annotations

from contextlib import contextmanager

from katib.report import TrialStopped, receiving


class Reports:
    """What a trial reported: (step, {metric: value}) of each call."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.calls: list[tuple[int, dict[str, float]]] = []
        self._stop_at = stop_at

    @property
    def steps(self) -> list[int]:
        return [step for step, _ in self.calls]

    def take(self, reports) -> None:
        self.calls.append((reports[0].step, {report.metric: report.value for report in reports}))
        if len(self.calls) == self._stop_at:
            raise TrialStopped


@contextmanager
def trial(stop_at: int | None = None):
    """A trial of this thread, which is to end at its report number ``stop_at``."""
    reports = Reports(stop_at)
    with receiving(reports.take):
        yield reports
