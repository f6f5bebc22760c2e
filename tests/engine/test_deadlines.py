"""Limits of time and retries, with a clock of the test's own: one second passes at each look."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from katib.core.experiment import Budget, Desired, ExperimentStatus, Limits, RetryPolicy, Verdict
from katib.core.ports import Phase, Update
from katib.core.trial import FailureClass, Trial, TrialState
from katib.engine import lifecycle
from katib.engine.deadlines import begin, overdue, pause, time_up, time_used
from katib.engine.plan import Moment, Tally, plan
from tests.engine.house import KEY, SPEC, House
from tests.engine.scripted_runner import ScriptedRunner, ends, lingers, measured

RUNNING = Trial(0, "t", {"x": 0.5}, state=TrialState.RUNNING, started=100.0)


def ticking(script, start: float = 1000.0) -> House:
    return House(ScriptedRunner(script), clock=itertools.count(start).__next__)


@pytest.mark.parametrize(
    ("limits", "trial", "now", "reason"),
    [
        pytest.param(Limits(trial=50), RUNNING, 149.0, None, id="in-time"),
        pytest.param(Limits(trial=50), RUNNING, 150.0, "maxTrialDuration", id="too-long"),
        pytest.param(Limits(silence=30), RUNNING, 130.0, "noMetricTimeout", id="silent-from-the-start"),
        pytest.param(Limits(silence=30), replace(RUNNING, reported=120.0), 149.0, None, id="spoke-since"),
        pytest.param(Limits(silence=30), replace(RUNNING, reported=120.0), 150.0, "noMetricTimeout", id="silent-again"),
        pytest.param(Limits(), RUNNING, 1e9, None, id="no-limit"),
        pytest.param(Limits(trial=1), replace(RUNNING, state=TrialState.PENDING), 1e9, None, id="pending"),
    ],
)
def test_overdue(limits, trial, now, reason):
    stops = overdue(limits, [trial], now)
    assert (reason in stops[0].reason and stops[0].failure is FailureClass.TIME_OUT) if reason else stops == {}


def test_pauses_do_not_count_and_a_dead_owner_does():
    status = begin(ExperimentStatus(), 100.0)
    assert time_used(status, 130.0) == 30.0
    status = replace(pause(status, 130.0), stopped=True)
    assert time_used(status, 900.0) == 30.0
    status = begin(status, 900.0)
    assert (status.started, time_used(status, 910.0)) == (100.0, 40.0)
    assert time_used(begin(status, 920.0), 950.0) == 80.0  # the owner died at some time after 900
    assert time_up(Limits(experiment=80.0), status, 950.0)
    assert not time_up(Limits(experiment=80.5), status, 950.0)


def test_an_experiment_ends_when_its_time_is_up():
    place = ticking(lingers)
    experiment = place.run(replace(SPEC, limits=Limits(experiment=20.0)))
    assert experiment.status.verdict is Verdict.MAX_DURATION_REACHED
    assert experiment.status.verdict.succeeded
    assert "ran for" in experiment.status.message
    assert place.states() == {TrialState.KILLED: 3}


def reports_for(polls: int):
    def script(attempt):
        running = Update(attempt.id, Phase.RUNNING)
        return [*[replace(running, measurements=measured(0.5))] * polls, running]

    return script


@pytest.mark.parametrize(
    ("limits", "script", "reason"),
    [
        pytest.param(Limits(trial=9.0), lingers, "maxTrialDuration", id="too-long"),
        pytest.param(Limits(trial=9.0), reports_for(99), "maxTrialDuration", id="too-long-although-it-reports"),
        pytest.param(Limits(silence=9.0), lingers, "noMetricTimeout", id="silent"),
        pytest.param(Limits(silence=9.0), reports_for(4), "noMetricTimeout", id="falls-silent"),
    ],
)
def test_a_trial_that_takes_too_long_fails(limits, script, reason):
    place = ticking(script)
    experiment = place.run(replace(SPEC, limits=limits, budget=Budget(2, 4, max_failed=4)))
    trials = place.store.trials(KEY)
    assert {(t.state, t.failure, t.attempt) for t in trials} == {(TrialState.FAILED, FailureClass.TIME_OUT, 1)}
    assert all(reason in t.reason for t in trials)
    assert experiment.status.verdict is Verdict.FAILED


@pytest.mark.parametrize("failure", list(FailureClass))
def test_each_class_of_failure_has_its_own_number_of_retries(failure):
    lost = failure is FailureClass.LOST
    place = House(ScriptedRunner(ends(Phase.LOST if lost else Phase.FAILED, failure=failure, reason="bad luck")))
    place.run(replace(SPEC, budget=Budget(1, 1), retry=RetryPolicy({failure: 2})))
    (trial,) = place.store.trials(KEY)
    assert (trial.state, trial.failure, trial.attempt) == (TrialState.FAILED, failure, 3)
    assert trial.failures == {failure: 3}


def test_a_timed_out_trial_may_try_again():
    runner = ScriptedRunner(lambda a: (lingers if a.id.attempt == 1 else ends(Phase.SUCCEEDED, 0.5))(a))
    place = House(runner, clock=itertools.count(1000.0).__next__)
    place.run(
        replace(
            SPEC, limits=Limits(trial=9.0), budget=Budget(1, 2, max_failed=1),
            retry=RetryPolicy({FailureClass.TIME_OUT: 1}),
        )
    )  # fmt: skip
    assert {(t.state, t.attempt) for t in place.store.trials(KEY)} == {(TrialState.SUCCEEDED, 2)}


def test_a_retry_waits_for_its_time():
    waiting = replace(RUNNING, state=TrialState.PENDING, not_before=50.0)
    assert plan(Budget(), Tally({}), [waiting], Desired.RUN, Moment(49.0)).start == ()
    assert plan(Budget(), Tally({}), [waiting], Desired.RUN, Moment(50.0)).start == (0,)
    policy = RetryPolicy(backoff=10.0, max_backoff=60.0)
    assert [policy.pause(n) for n in (1, 2, 3, 4, 99)] == [10.0, 20.0, 40.0, 60.0, 60.0]


def test_backoff_end_to_end():
    place = ticking(lambda a: (ends(Phase.LOST) if a.id.attempt < 3 else ends(Phase.SUCCEEDED, 0.5))(a))
    lifecycle.create(place.store, replace(SPEC, budget=Budget(1, 1), retry=RetryPolicy(backoff=30.0)), {})
    place.controller().run(KEY)
    (trial,) = place.store.trials(KEY)
    assert (trial.state, trial.attempt) == (TrialState.SUCCEEDED, 3)
    assert trial.started - trial.created >= 90.0  # 30 seconds, then 60
