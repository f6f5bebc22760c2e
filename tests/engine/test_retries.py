"""Finished trials that run again: who may, what it does to the counts, and that it survives any crash."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from katib.core.errors import LeaseHeldError, PermanentError, UnavailableError
from katib.core.experiment import Budget, Desired, Experiment, ExperimentStatus, ResumePolicy, Retry, Verdict
from katib.core.history import History
from katib.core.objective import Measurement, Objective
from katib.core.ports import Phase
from katib.core.trial import FailureClass, TrialState
from katib.engine import lifecycle, retries
from katib.engine.summary import best_trial
from tests.engine.scripted_runner import ScriptedRunner, ends, lingers
from tests.engine.test_accounting import make
from tests.engine.test_controller import KEY, SPEC, House

LOSSES = SPEC.retry.limits[FailureClass.LOST]
LONG = replace(SPEC, resume_policy=ResumePolicy.LONG_RUNNING)
RESTARTABLE = ExperimentStatus(verdict=Verdict.MAX_TRIALS_REACHED)


def stored(status: ExperimentStatus = ExperimentStatus(), **rest) -> Experiment:
    policy = rest.pop("policy", ResumePolicy.NEVER)
    return Experiment(KEY, "uid", replace(SPEC, resume_policy=policy), status=status, **rest)


@pytest.mark.parametrize("state", [s.value for s in TrialState])
def test_states_that_may_be_tried_again(state):
    refused = retries.refusal(stored(), make(state))
    assert bool(refused) is (state not in ("Failed", "MetricsUnavailable"))
    assert state in refused or not refused


@pytest.mark.parametrize(
    ("experiment", "allowed"),
    [
        pytest.param(stored(), True, id="running"),
        pytest.param(stored(ExperimentStatus(stopped=True), desired=Desired.STOP), True, id="stopped"),
        pytest.param(stored(desired=Desired.DELETE), False, id="being-deleted"),
        pytest.param(stored(RESTARTABLE), False, id="never"),
        pytest.param(stored(RESTARTABLE, policy=ResumePolicy.LONG_RUNNING), True, id="long-running"),
        pytest.param(stored(RESTARTABLE, policy=ResumePolicy.FROM_VOLUME), True, id="from-volume"),
        *(
            pytest.param(stored(ExperimentStatus(verdict=v), policy=ResumePolicy.LONG_RUNNING), False, id=v.name)
            for v in Verdict
            if v is not Verdict.MAX_TRIALS_REACHED
        ),
    ],
)
def test_experiments_that_take_it(experiment, allowed):
    assert (retries.refusal(experiment, make("Failed")) == "") is allowed


def test_a_wish_is_done_once_there_is_a_later_attempt():
    failed = make("Failed")
    experiment = stored(retries=(Retry(0, "t", 1), Retry(7, "gone", 1)))
    assert retries.due(experiment, {0: failed}) == [failed]
    assert retries.due(experiment, {0: replace(failed, attempt=2)}) == []
    assert retries.due(experiment, {0: retries.again(failed)}) == []


def test_the_next_attempt_starts_afresh():
    lost = replace(
        make("Failed (lost)"), attempt=4, failures={FailureClass.LOST: 4}, message="log tail", reason="gone", measured=3
    )
    after = retries.again(lost)
    assert (after.state, after.attempt, after.failures, after.failure) == (TrialState.PENDING, 5, {}, None)
    assert (after.observation, after.measured, after.message, after.finished) == ({}, 0, "", None)
    assert after.parameters == lost.parameters
    assert after.number == lost.number


def fails_first(number=0, **rest):
    """The trial of that number fails at its first attempt; all others, and its second, succeed."""
    bad, good = ends(Phase.FAILED, 0.01, reason="exit status 1", **rest), ends(Phase.SUCCEEDED, 0.5)
    return lambda a: (bad if a.number == number and a.id.attempt == 1 else good)(a)


def trial_of(place: House, number: int):
    return next(t for t in place.store.trials(KEY) if t.number == number)


def begun(place: House, spec=SPEC, steps: int = 6):
    lifecycle.create(place.store, spec, {})
    controller = place.controller()
    for _ in range(steps):
        controller.reconcile(KEY)
    return controller


def test_while_it_runs_counts_stay_exact():
    place = House(ScriptedRunner(fails_first()))
    controller = begun(place, replace(SPEC, budget=Budget(2, 8, max_failed=2)))
    assert trial_of(place, 0).state is TrialState.FAILED
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    controller._looked.clear()
    controller.reconcile(KEY)
    assert place.store.get(KEY).status.counts.get(TrialState.FAILED) is None
    experiment = controller.run(KEY)
    assert experiment.status.counts == {TrialState.SUCCEEDED: 8} == place.states()
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert trial_of(place, 0).attempt == 2
    assert [e.message for e in place.store.events(KEY) if e.reason == "TrialRetried"] == [
        "attempt 1 ended (Failed); attempt 2 was asked for"
    ]


def test_what_the_former_attempt_measured_is_kept():
    place = House(ScriptedRunner(fails_first()))
    controller = begun(place)
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    controller._looked.clear()
    experiment = controller.run(KEY)
    curve = [(r.attempt, r.measurement.value) for _, r in place.store.curve(KEY, 0)]
    assert curve == [(1, 0.01), (2, 0.5)]
    assert experiment.status.best_value == 0.5
    assert best_trial(experiment, place.store.trials(KEY)).number == experiment.status.best


def test_the_history_is_that_of_a_fresh_read():
    place = House(ScriptedRunner(fails_first(1)))
    controller = begun(place, replace(SPEC, budget=Budget(1, 8)), steps=9)
    before = controller.view(KEY)[1]
    lifecycle.retry(place.store, KEY, trial_of(place, 1).name)
    controller._looked.clear()
    controller.reconcile(KEY)
    history = controller.view(KEY)[1]
    read = History(SPEC.space, SPEC.objective, place.store.trials(KEY))
    assert history is not before
    assert history.finished == read.finished
    assert history.active == read.active
    assert history.view().numbers.tolist() == read.view().numbers.tolist()
    assert 1 in history.active
    assert len(history.curve(1)) == 0


def test_no_more_run_than_may_while_one_waits_its_turn():
    runner = ScriptedRunner(lambda a: (ends(Phase.FAILED, reason="x") if a.number == 0 else lingers)(a))
    place = House(runner)
    controller = begun(place, replace(SPEC, budget=Budget(2, 8)))
    assert place.states() == {TrialState.FAILED: 1, TrialState.RUNNING: 2}
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    controller._looked.clear()
    for _ in range(3):
        controller.reconcile(KEY)
    assert place.states() == {TrialState.PENDING: 1, TrialState.RUNNING: 2}
    assert len(runner.started) == 3


def test_a_lost_trial_may_be_lost_again():
    always = ScriptedRunner(ends(Phase.LOST, reason="gone", failure=FailureClass.LOST))
    place = House(always)
    controller = begun(place, replace(LONG, budget=Budget(1, 1)), steps=0)
    controller.run(KEY)
    assert trial_of(place, 0).attempt == LOSSES + 1
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    experiment = place.controller().run(KEY)
    assert trial_of(place, 0).attempt == 2 * (LOSSES + 1)
    assert experiment.status.counts == {TrialState.FAILED: 1}


def test_after_the_end_it_goes_on_and_ends_again():
    place = House(ScriptedRunner(fails_first()))
    place.run(replace(LONG, budget=Budget(2, 4)))
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    experiment = place.controller().run(KEY)
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert experiment.status.counts == {TrialState.SUCCEEDED: 4}
    assert experiment.status.restarted is not None
    assert "ExperimentRestarted" in {event.reason for event in place.store.events(KEY)}


@pytest.mark.parametrize("verdict", ["never", "too many failures"])
def test_after_an_end_that_is_final_it_is_refused(verdict):
    place = House(ScriptedRunner(fails_first()))
    spec = SPEC if verdict == "never" else replace(LONG, budget=Budget(1, 4, max_failed=1))
    place.run(spec)
    before = place.store.get(KEY)
    with pytest.raises(PermanentError, match="cannot be retried: its experiment has ended"):
        lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    assert place.store.get(KEY) == before


def test_a_wish_that_came_too_late_changes_nothing():
    """Written while it ran, and seen by nobody before the end, of an experiment that cannot go on."""
    place = House(ScriptedRunner(fails_first()))
    place.run()
    trial = trial_of(place, 0)
    lifecycle.edit(place.store, KEY, lambda e: replace(e, retries=(Retry(0, trial.name, 1),)))
    assert place.controller().reconcile(KEY) is None
    assert trial_of(place, 0) == trial


def test_without_an_owner_it_is_recorded_and_rests():
    place = House(ScriptedRunner(fails_first()))
    controller = begun(place)
    lifecycle.want(place.store, KEY, Desired.STOP)
    controller._looked.clear()
    controller.run(KEY)
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    experiment = place.controller("here:2:2").take_retries(KEY)
    assert trial_of(place, 0).state is TrialState.PENDING
    assert (experiment.status.stopped, experiment.desired) == (True, Desired.STOP)
    assert sum(experiment.status.counts.values()) == len(place.store.trials(KEY))
    lifecycle.want(place.store, KEY, Desired.RUN)
    assert place.controller().run(KEY).status.counts == {TrialState.SUCCEEDED: 10}


def test_recording_it_ends_no_trial_that_a_dead_owner_left_running():
    place = House(ScriptedRunner(lambda a: (ends(Phase.FAILED, reason="x") if a.number == 0 else lingers)(a)))
    controller = begun(place)
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    other = place.controller("here:2:2")
    with pytest.raises(LeaseHeldError):
        other.take_retries(KEY)
    controller.close()
    experiment = other.take_retries(KEY)
    assert not experiment.status.stopped
    assert place.states()[TrialState.RUNNING] == 3
    assert not place.runner.stopped


def test_recording_it_after_the_end_leaves_it_stopped():
    place = House(ScriptedRunner(fails_first()))
    place.run(replace(LONG, budget=Budget(2, 4)))
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    experiment = place.controller().take_retries(KEY)
    assert experiment.status.verdict is None
    assert experiment.status.stopped
    assert place.controller().run(KEY).status.verdict is Verdict.MAX_TRIALS_REACHED


def test_wishes_that_are_done_are_swept_up_and_asking_twice_is_asking_once():
    place = House(ScriptedRunner(lambda a: ends(Phase.FAILED, reason="x")(a)))
    place.run(replace(LONG, budget=Budget(1, 3)))
    names = [trial_of(place, number).name for number in range(3)]
    for name in (names[0], names[0], names[1]):
        lifecycle.retry(place.store, KEY, name)
    assert [wish.number for wish in place.store.get(KEY).retries] == [0, 1]
    place.controller().run(KEY)
    lifecycle.retry(place.store, KEY, names[2])
    assert place.store.get(KEY).retries == (Retry(2, names[2], 1),)


@pytest.mark.parametrize("failing", range(8))
def test_a_store_that_fails_now_and_then_loses_no_wish(failing):
    place = House(ScriptedRunner(fails_first()))
    controller = begun(place, replace(SPEC, budget=Budget(2, 8)))
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    controller._looked.clear()
    commit, calls = place.store.commit, Counter()

    def flaky(*args, **kwargs):
        calls["n"] += 1
        if calls["n"] == failing + 1:
            if failing % 2:
                commit(*args, **kwargs)  # it was taken, and nobody hears of it
            raise UnavailableError("the database is away")
        return commit(*args, **kwargs)

    place.store.commit = flaky
    controller.wait = lambda key, delay: None
    experiment = controller.run(KEY)
    assert experiment.status.counts == {TrialState.SUCCEEDED: 8}
    assert (trial_of(place, 0).attempt, len(place.runner.started)) == (2, 9)


@pytest.mark.parametrize("steps", range(5))
def test_an_owner_that_dies_is_succeeded(steps):
    place = House(ScriptedRunner(fails_first()))
    controller = begun(place, replace(SPEC, budget=Budget(2, 8)))
    lifecycle.retry(place.store, KEY, trial_of(place, 0).name)
    controller._looked.clear()
    for _ in range(steps):
        controller.reconcile(KEY)
    place.opened.leases.release(controller._sessions[KEY].lease)
    experiment = place.controller("next:1:1").run(KEY)
    assert experiment.status.counts == {TrialState.SUCCEEDED: 8}
    assert (trial_of(place, 0).attempt, len(place.runner.started)) == (2, 9)


def test_a_reopened_history_keeps_the_others_curves():
    place = House(ScriptedRunner(fails_first()))
    place.run(replace(SPEC, budget=Budget(1, 3)))
    trials = place.store.trials(KEY)
    curves = {t.number: [(t.seq - 1, Measurement("objective", 0.5, "0.5", 0.0))] for t in trials}
    history = History(SPEC.space, SPEC.objective, trials, curves)
    reopened = history.reopened(replace(retries.again(history.trials[0]), seq=99))
    assert [len(reopened.curve(n)) for n in range(3)] == [0, 1, 1]
    assert [len(history.curve(n)) for n in range(3)] == [1, 1, 1]
    assert len(reopened.finished) == 2


def test_of_repeated_runs_the_mean_waits_for_the_one_that_runs_again():
    """Trials 0 and 1 run the same parameters; 1 fails, and is better at its second attempt than 0 was."""

    def script(attempt):
        if attempt.number == 1 and attempt.id.attempt == 1:
            return ends(Phase.FAILED, reason="x")(attempt)
        return ends(Phase.SUCCEEDED, {0: 0.3, 1: 0.1}.get(attempt.number, 0.9))(attempt)

    place = House(ScriptedRunner(script))
    spec = replace(SPEC, objective=Objective("objective", repeats=2), budget=Budget(1, 6))
    controller = begun(place, spec, steps=9)
    assert trial_of(place, 1).state is TrialState.FAILED
    assert place.store.get(KEY).status.best_value == 0.3  # of the only good run
    lifecycle.retry(place.store, KEY, trial_of(place, 1).name)
    controller._looked.clear()
    experiment = controller.run(KEY)
    assert trial_of(place, 0).parameters == trial_of(place, 1).parameters
    assert experiment.status.best_value == pytest.approx(0.2)
    trials = place.store.trials(KEY)
    assert len(trials) == 6
    assert best_trial(experiment, trials).number == experiment.status.best == 0
    read = History(spec.space, spec.objective, trials)
    assert read.view().Y.ravel().tolist()[-1] == pytest.approx(0.9)
    assert 0.2 in [pytest.approx(y) for y in read.view().Y.ravel()]
