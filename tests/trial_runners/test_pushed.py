"""Metrics that come over the network, beside a runner: each row once, in order, whoever asks."""

from __future__ import annotations

import pytest

from katib.core.errors import UnavailableError
from katib.core.objective import Measurement
from katib.core.observation_log import PUSHED, Report
from katib.core.ports import Phase, Update
from katib.core.trial import AttemptId, Cursor, Key
from katib.storage import open_store
from trial_runners import pushed
from trial_runners.pushed import PushedMetrics

ID = AttemptId(Key("team", "study"), "study-0000", 2)


class Fixed:
    """A runner that always says the same."""

    def __init__(self, update):
        self.update = update
        self.released = []

    def poll(self, cursors):
        return [self.update for _ in cursors]

    def release(self, id, *, everything=False):
        self.released.append((id, everything))

    def start(self, attempt): ...
    def stop(self, id, *, grace=10.0): ...
    def wait(self, timeout): ...
    def close(self): ...


@pytest.fixture
def log():
    return open_store("memory://").store.log


def push(log, *values, attempt=2):
    log.append("team", ID.trial, Report(tuple(Measurement("loss", v, str(v), 1.0) for v in values), attempt))


def read(runner, cursor=None):
    (update,) = runner.poll({ID: {} if cursor is None else {PUSHED: Cursor(cursor), "stdout": Cursor(7)}})
    return update


def test_rows_come_with_the_cursor_behind_them(log):
    runner = PushedMetrics(Fixed(Update(ID, Phase.RUNNING)), log)
    push(log, 9.0, attempt=1)
    push(log, 1.0, 2.0)

    first = read(runner)
    push(log, 3.0)
    second = read(runner, first.ends[PUSHED].offset)

    assert [m.value for m in first.measurements] == [1.0, 2.0]
    assert [m.value for m in second.measurements] == [3.0]
    assert [m.value for m in read(runner).measurements] == [1.0, 2.0, 3.0]
    assert read(runner, second.ends[PUSHED].offset) == Update(ID, Phase.RUNNING)


def test_what_the_runner_says_stays(log):
    said = Update(ID, Phase.SUCCEEDED, measurements=(Measurement("acc", 1.0, "1", 1.0),), more=True)
    push(log, 1.0)

    update = read(PushedMetrics(Fixed(said), log))

    assert [(m.metric, m.value) for m in update.measurements] == [("acc", 1.0), ("loss", 1.0)]
    assert (update.phase, update.more) == (Phase.SUCCEEDED, True)


def test_an_end_is_not_believed_before_every_row_was_read(log, monkeypatch):
    monkeypatch.setattr(pushed, "LIMIT", 2)
    runner = PushedMetrics(Fixed(Update(ID, Phase.SUCCEEDED)), log)
    push(log, 1.0, 2.0, 3.0)

    first = read(runner)
    last = read(runner, first.ends[PUSHED].offset)

    assert [(len(u.measurements), u.more) for u in (first, last)] == [(2, True), (1, False)]


def test_a_log_that_does_not_answer_loses_nothing_and_ends_nothing(log):
    class Gone:
        def news(self, *_):
            raise UnavailableError("gone")

    said = Update(ID, Phase.SUCCEEDED, measurements=(Measurement("acc", 1.0, "1", 1.0),))

    update = read(PushedMetrics(Fixed(said), Gone()))

    assert (update.measurements, update.more) == (said.measurements, True)


@pytest.mark.parametrize(("attempt", "stopped"), [(1, False), (2, True)])
def test_a_mark_is_told_for_its_attempt(log, attempt, stopped):
    log.mark_early_stopped("team", ID.trial, attempt)

    assert bool(read(PushedMetrics(Fixed(Update(ID, Phase.RUNNING)), log)).early_stop) is stopped


@pytest.mark.parametrize(("everything", "rows"), [(False, 1), (True, 0)])
def test_the_log_goes_with_all_traces_of_the_trial(log, everything, rows):
    runner = Fixed(Update(ID, Phase.RUNNING))
    push(log, 1.0)

    PushedMetrics(runner, log).release(ID, everything=everything)

    assert runner.released == [(ID, everything)]
    assert len(log.read("team", ID.trial)) == rows
