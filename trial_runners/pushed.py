"""A runner whose trials hand their metrics in over the network: what came is beside what the runner itself says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from katib.core.errors import RetryableError
from katib.core.observation_log import PUSHED
from katib.core.ports import Runner, Update
from katib.core.store_ports import ObservationLog
from katib.core.trial import AttemptId, Cursor

LIMIT = 1000
"""Rows of one trial that are taken at a time."""


class PushedMetrics:
    """The port Runner over ``runner`` and an observation log.

    Rows are handed over with the cursor behind them, so each is recorded once, whenever this process ends. The runner
    is asked first: a trial reports before it ends, so what has ended has all its rows in the log.
    """

    def __init__(self, runner: Runner, log: ObservationLog) -> None:
        self._runner = runner
        self._log = log
        self.start = runner.start
        self.stop = runner.stop
        self.wait = runner.wait
        self.close = runner.close

    def poll(self, cursors: Mapping[AttemptId, Mapping[str, Cursor]]) -> Iterator[Update]:
        """The runner's updates, with unread rows of the log."""
        for update in self._runner.poll(cursors):
            yield self._with_news(update, cursors[update.id].get(PUSHED, Cursor()).offset)

    def release(self, id: AttemptId, *, everything: bool = False) -> None:
        """As the runner does; ``everything``: also what the log has of the trial."""
        self._runner.release(id, everything=everything)
        if everything:
            self._log.delete(id.key.namespace, id.trial)

    def _with_news(self, update: Update, first: int) -> Update:
        id = update.id
        try:
            news = self._log.news(id.key.namespace, id.trial, id.attempt, first, LIMIT)
        except RetryableError:
            return replace(update, more=True)  # its end is not to be believed; what the runner said is not to be lost
        early_stop = "an early-stopping rule held" if news.early_stopped else ""
        if not news.rows:
            return replace(update, early_stop=early_stop) if early_stop else update
        return replace(
            update,
            measurements=(*update.measurements, *(row.measurement for row in news.rows)),
            ends={PUSHED: Cursor(news.rows[-1].sequence + 1)},
            more=update.more or news.more,
            early_stop=early_stop,
        )
