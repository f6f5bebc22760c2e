"""The controller over the in-memory store: budgets, ends, wishes, losses, restarts. Decisions are real; only attempts
that must vanish or linger are scripted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from katib.core.changes import Changes
from katib.core.errors import FencedError, LeaseHeldError, NotFoundError, UnavailableError
from katib.core.experiment import Budget, Desired, ResumePolicy, Verdict
from katib.core.history import History
from katib.core.objective import Direction, Objective
from katib.core.ports import Phase
from katib.core.space import Choice, SearchSpace
from katib.core.trial import FailureClass, Proposal, Suggestion, TrialState
from katib.engine import lifecycle
from katib.engine.controller import Controller
from tests.engine.house import KEY, SPEC, House, house
from tests.engine.scripted_runner import ScriptedRunner, ends, lingers, measured
from trial_runners.inline import InlineRunner


@pytest.mark.parametrize("parallel", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("max_trials", [1, 2, 10, 41])
def test_budget_is_exact(parallel, max_trials):
    place = house()
    experiment = place.run(replace(SPEC, budget=Budget(parallel, max_trials)))
    trials = place.store.trials(KEY)
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert sorted(t.number for t in trials) == list(range(max_trials))
    assert len({t.name for t in trials}) == max_trials
    assert place.states() == {TrialState.SUCCEEDED: max_trials}
    assert experiment.status.counts == {TrialState.SUCCEEDED: max_trials}
    assert experiment.status.best_value == min(t.parameters["x"] for t in trials)


def test_sequence_numbers_are_gapless_and_in_commit_order():
    place = house()
    place.run()
    trials = place.store.trials(KEY)
    recorded = [recorded.seq for _, recorded in place.store.curve(KEY)]
    assert len(recorded) == 10
    assert [t.seq for t in trials] == sorted(t.seq for t in trials)
    assert len({*recorded, *(t.seq for t in trials)}) == 20
    assert place.store.get(KEY).seq == max(t.seq for t in trials)


def test_goal_ends_the_experiment_and_running_trials_are_killed():
    runner = ScriptedRunner(lambda a: (ends(Phase.SUCCEEDED, 0.1) if a.number == 2 else lingers)(a))
    place = House(runner)
    experiment = place.run(replace(SPEC, objective=Objective("objective", goal=0.2)))
    assert experiment.status.verdict is Verdict.GOAL_REACHED
    assert place.states() == {TrialState.SUCCEEDED: 1, TrialState.KILLED: 2}
    assert len(runner.stopped) == 2
    assert experiment.status.best == 2


@pytest.mark.parametrize(("max_failed", "failed"), [(0, 1), (1, 1), (3, 3)])
def test_too_many_failures_end_it(max_failed, failed):
    def objective(parameters):
        raise ValueError("no good")

    place = house(objective)
    experiment = place.run(replace(SPEC, budget=Budget(1, 10, max_failed)))
    assert experiment.status.verdict is Verdict.FAILED
    assert f"{failed} trials failed" in experiment.status.message
    trials = place.store.trials(KEY)
    assert len(trials) == failed
    assert all(t.failure is FailureClass.USER_ERROR and "no good" in t.reason for t in trials)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_unusable_values_are_never_best(value):
    place = house(lambda p: value if p["x"] > 0.3 else p["x"])
    experiment = place.run(replace(SPEC, budget=Budget(2, 20)))
    good = [t for t in place.store.trials(KEY) if t.state is TrialState.SUCCEEDED]
    bad = [t for t in place.store.trials(KEY) if t.state is TrialState.METRICS_UNAVAILABLE]
    assert len(good) + len(bad) == 20
    assert good
    assert all(str(value) in t.reason for t in bad)
    assert experiment.status.best_value == min(t.parameters["x"] for t in good)


@pytest.mark.parametrize("direction", list(Direction))
def test_of_equal_trials_the_first_to_finish_is_best(direction):
    place = house(lambda p: 1.0)
    experiment = place.run(replace(SPEC, objective=Objective("objective", direction)))
    assert experiment.status.best == min(place.store.trials(KEY), key=lambda t: t.seq).number


def test_exhausted_search_succeeds():
    place = house(lambda p: 1.0)
    space = SearchSpace((Choice("a", (1, 2, 3)), Choice("b", ("x", "y"))))
    experiment = place.run(replace(SPEC, space=space, budget=Budget(4, 100)))
    assert experiment.status.verdict is Verdict.SEARCH_EXHAUSTED
    assert place.states() == {TrialState.SUCCEEDED: 6}


class Answers:
    """An algorithm that answers by a list of functions, the last one again and again."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def suggest(self, history: History, count: int) -> Proposal:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return answer(history, count)


def raising(error: Exception):
    def answer(history, count):
        raise error

    return answer


def points(count_given=None, x=0.5):
    return lambda history, count: Proposal(tuple(Suggestion({"x": x}) for _ in range(count_given or count)))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(raising(ZeroDivisionError("one over none")), "ZeroDivisionError: one over none", id="raises"),
        pytest.param(points(count_given=9), "gave 9 suggestions, 3 were asked for", id="too-many"),
        pytest.param(points(x=7.0), "left the search space", id="out-of-range"),
        pytest.param(points(x=float("nan")), "left the search space", id="nan"),
        pytest.param(lambda h, c: Proposal(), "proposes nothing although no trial is running", id="nothing-for-ever"),
        pytest.param(lambda h, c: None, "answered None", id="no-proposal-at-all"),
    ],
)
def test_a_broken_algorithm_fails_the_experiment_with_its_reason(answer, message):
    place = house(algorithm=Answers(answer))
    experiment = place.run()
    assert experiment.status.verdict is Verdict.FAILED
    assert message in experiment.status.message


def test_an_algorithm_that_breaks_later_leaves_finished_trials_and_kills_running_ones():
    runner = ScriptedRunner(lambda a: (ends(Phase.SUCCEEDED, 0.1) if a.number == 0 else lingers)(a))
    place = House(runner, algorithm=Answers(points(), raising(RuntimeError("broke"))))
    experiment = place.run()
    assert "broke" in experiment.status.message
    assert place.states() == {TrialState.SUCCEEDED: 1, TrialState.KILLED: 2}


def test_an_unavailable_service_is_asked_again(monkeypatch):
    monkeypatch.setattr("katib.engine.proposals.pause", lambda retries: 0.001)
    place = house(
        algorithm=Answers(raising(UnavailableError("no answer")), raising(UnavailableError("none")), points())
    )
    lifecycle.create(place.store, SPEC, {})
    controller = place.controller()
    controller.reconcile(KEY)
    assert place.store.get(KEY).status.waiting == "no answer"
    experiment = controller.run(KEY)
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert experiment.status.waiting == ""


def test_fewer_suggestions_mean_wait_for_running_trials():
    asked = []

    def one_at_a_time(history, count):
        asked.append((count, len(history.active)))
        return points(count_given=1)(history, count) if not history.active else Proposal()

    place = house(algorithm=Answers(one_at_a_time))
    experiment = place.run(replace(SPEC, budget=Budget(3, 4)))
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert len(asked) <= 9


def test_lost_attempts_run_again_and_spend_nothing():
    lost = ends(Phase.LOST, reason="gone")
    runner = ScriptedRunner(lambda a: (lost if a.id.attempt <= 2 else ends(Phase.SUCCEEDED, 0.5))(a))
    place = House(runner)
    experiment = place.run(replace(SPEC, budget=Budget(2, 4, max_failed=1)))
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    trials = place.store.trials(KEY)
    assert len(trials) == 4
    assert {(t.state, t.attempt, t.failures[FailureClass.LOST]) for t in trials} == {(TrialState.SUCCEEDED, 3, 2)}
    assert {event.reason for event in place.store.events(KEY)} >= {"TrialRetried"}


def test_a_trial_that_is_always_lost_fails_without_spending_failures():
    place = House(ScriptedRunner(ends(Phase.LOST, reason="gone")))
    experiment = place.run(replace(SPEC, budget=Budget(1, 2, max_failed=1)))
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    trials = place.store.trials(KEY)
    assert {(t.state, t.failure, t.attempt) for t in trials} == {(TrialState.FAILED, FailureClass.LOST, 4)}


def test_reports_of_a_lost_attempt_stay_its_own():
    def script(attempt):
        if attempt.id.attempt == 1:
            return ends(Phase.LOST, 0.9, reason="gone")(attempt)
        return ends(Phase.SUCCEEDED, 0.4)(attempt)

    place = House(ScriptedRunner(script))
    place.run(replace(SPEC, budget=Budget(1, 1)))
    recorded = [(r.attempt, r.sequence, r.measurement.value) for _, r in place.store.curve(KEY)]
    assert recorded == [(1, 0, 0.9), (2, 0, 0.4)]
    assert place.store.get(KEY).status.best_value == 0.4


class StopAt:
    def __init__(self, number):
        self.number = number

    def reason_to_stop(self, trial, history):
        curve = history.curve(trial.number)
        return f"worse at report {len(curve)}" if trial.number == self.number and len(curve) >= 2 else None


def test_early_stopping_is_committed_with_its_report_and_keeps_the_value():
    def script(attempt):
        reports = [replace(lingers(attempt)[0], measurements=measured(0.5 - i / 10)) for i in range(3)]
        return [*reports, *ends(Phase.SUCCEEDED, 0.1)(attempt)]

    runner = ScriptedRunner(script)
    place = House(runner, stopper=StopAt(1))
    place.run(replace(SPEC, budget=Budget(2, 3)))
    stopped = place.store.trials(KEY)[0:3]
    by_number = {t.number: t for t in stopped}
    assert by_number[1].state is TrialState.EARLY_STOPPED
    assert by_number[1].reason == "worse at report 2"
    assert SPEC.objective.value(by_number[1].observation) == pytest.approx(0.4)
    assert [id.trial for id in runner.stopped] == [by_number[1].name]
    assert by_number[0].state is by_number[2].state is TrialState.SUCCEEDED


def test_stop_and_resume_run_interrupted_trials_again():
    runner = ScriptedRunner(
        lambda a: (lingers if (a.number < 3 and a.id.attempt == 1) else ends(Phase.SUCCEEDED, 0.5))(a)
    )
    place = House(runner)
    lifecycle.create(place.store, SPEC, {})
    controller = place.controller()
    for _ in range(4):
        controller.reconcile(KEY)
    lifecycle.want(place.store, KEY, Desired.STOP)
    controller._looked.clear()
    experiment = controller.run(KEY)
    assert experiment.status.stopped
    assert experiment.status.verdict is None
    assert place.states() == {TrialState.PENDING: 3}
    lifecycle.want(place.store, KEY, Desired.RUN)
    experiment = place.controller().run(KEY)
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    trials = sorted(place.store.trials(KEY), key=lambda t: t.number)
    assert [t.attempt for t in trials[:3]] == [2, 2, 2]
    assert len(trials) == 10


def test_delete_stops_everything_and_removes_it():
    runner = ScriptedRunner(lingers)
    place = House(runner)
    lifecycle.create(place.store, SPEC, {})
    controller = place.controller()
    for _ in range(3):
        controller.reconcile(KEY)
    lifecycle.want(place.store, KEY, Desired.DELETE)
    controller._looked.clear()
    with pytest.raises(NotFoundError):
        controller.run(KEY)
    assert {id.trial for id in runner.released} == {a.id.trial for a in runner.started}


def test_a_finished_experiment_can_be_deleted():
    place = house()
    place.run()
    lifecycle.want(place.store, KEY, Desired.DELETE)
    with pytest.raises(NotFoundError):
        place.controller().run(KEY)


@pytest.mark.parametrize("steps", range(0, 24, 3))
def test_a_controller_that_dies_anywhere_is_succeeded_without_a_trace(steps):
    """The next owner finds the same attempts, and the search goes on as if nothing had happened."""
    unbroken = house()
    unbroken.run(replace(SPEC, budget=Budget(2, 9)))
    runner = InlineRunner(lambda p: p["x"], metric="objective")
    place = House(runner)
    lifecycle.create(place.store, replace(SPEC, budget=Budget(2, 9)), {})
    first = place.controller("dead:1:1")
    for _ in range(steps):
        first.reconcile(KEY)
        first.wait(KEY, 0.0)
    for session in first._sessions.values():
        first._leases.release(session.lease)
    place.controller("next:1:1").run(KEY)
    assert [(t.number, t.parameters, t.state, t.attempt) for t in place.store.trials(KEY)] == [
        (t.number, t.parameters, t.state, t.attempt) for t in unbroken.store.trials(KEY)
    ]
    assert len(place.store.curve(KEY)) == 9


def test_one_owner_at_a_time_and_a_paused_one_cannot_write():
    place = House(ScriptedRunner(lingers))
    lifecycle.create(place.store, SPEC, {})
    first = place.controller("a:1:1")
    first.reconcile(KEY)
    with pytest.raises(LeaseHeldError):
        place.controller("b:1:1").reconcile(KEY)
    lease = first._sessions[KEY].lease
    place.opened.leases.release(lease)
    second = place.controller("b:1:1")
    second.reconcile(KEY)
    with pytest.raises(FencedError):
        place.store.commit(Changes(KEY, status=replace(place.store.get(KEY).status, message="mine")), fence=lease.fence)
    first._sessions[KEY].status = replace(place.store.get(KEY).status, message="something to write")
    with pytest.raises(FencedError):
        first.reconcile(KEY)


def test_finished_experiment_does_nothing_more_and_restarts_by_policy():
    place = house()
    place.run()
    revision = place.store.get(KEY).revision
    assert place.controller().reconcile(KEY) is None
    assert place.store.get(KEY).revision == revision
    lifecycle.set_budget(place.store, KEY, Budget(3, 15))
    place.controller().run(KEY)
    assert len(place.store.trials(KEY)) == 10  # policy Never
    lifecycle.edit(
        place.store, KEY, lambda e: replace(e, spec=replace(e.spec, resume_policy=ResumePolicy.LONG_RUNNING))
    )
    experiment = place.controller().run(KEY)
    assert len(place.store.trials(KEY)) == 15
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED


def test_budget_edited_while_running_takes_effect():
    place = house()
    lifecycle.create(place.store, replace(SPEC, budget=Budget(1, 100)), {})
    controller = place.controller()
    for _ in range(6):
        controller.reconcile(KEY)
        controller.wait(KEY, 0.0)
    lifecycle.set_budget(place.store, KEY, Budget(2, 7))
    controller._looked.clear()
    controller.run(KEY)
    assert place.states() == {TrialState.SUCCEEDED: 7}


def test_a_failing_store_loses_nothing():
    """Commits fail now and then; the mirror is read again and the end is the same as without."""
    place = house()
    commit, calls = place.store.commit, Counter()

    def flaky(*args, **kwargs):
        calls["n"] += 1
        if kwargs.get("fence") and calls["n"] % 3 == 0:
            raise UnavailableError("the database is away")
        return commit(*args, **kwargs)

    place.store.commit = flaky
    lifecycle.create(place.store, SPEC, {})
    controller = place.controller()
    controller.wait = lambda key, delay: Controller.wait(controller, key, 0.0)
    experiment = controller.run(KEY)
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert len(place.store.trials(KEY)) == 10
    assert len(place.store.curve(KEY)) == 10


def test_parents_attempt_is_handed_to_the_runner():
    def chain(history, count):
        number = history.next_number
        return Proposal((Suggestion({"x": 0.5}, parent=number - 1 if number else None),))

    runner = ScriptedRunner(ends(Phase.SUCCEEDED, 0.5))
    place = House(runner, algorithm=Answers(chain))
    place.run(replace(SPEC, budget=Budget(1, 3)))
    parents = [attempt.parent for attempt in runner.started]
    assert parents == [None, runner.started[0].id, runner.started[1].id]


def test_releases_reach_the_runner_after_the_commit():
    def answer(history, count):
        number = history.next_number
        return Proposal((Suggestion({"x": 0.5}),), releases=frozenset({number - 1} if number else ()))

    runner = ScriptedRunner(ends(Phase.SUCCEEDED, 0.5))
    place = House(runner, algorithm=Answers(answer))
    place.run(replace(SPEC, budget=Budget(1, 3)))
    assert runner.released == [attempt.id for attempt in runner.started[:2]]


@pytest.mark.parametrize("policy", list(ResumePolicy))
def test_every_resume_policy_at_the_end(policy):
    """Never: the end is final. LongRunning and FromVolume: it goes on once it may have more trials, and ends again."""
    place = house()
    place.run(replace(SPEC, resume_policy=policy))
    assert place.controller().reconcile(KEY) is None  # nothing to go on with, whatever the policy
    edited = lifecycle.set_budget(place.store, KEY, Budget(2, 14))
    restarts = policy is not ResumePolicy.NEVER
    assert lifecycle.may_restart(edited) is restarts
    experiment = place.controller().run(KEY)
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert place.states() == {TrialState.SUCCEEDED: 14 if restarts else 10}
    assert (experiment.status.restarted is not None) is restarts
    assert experiment.status.message == f"all {14 if restarts else 10} trials are done"


@pytest.mark.parametrize("policy", list(ResumePolicy))
def test_a_stopped_experiment_goes_on_whatever_its_policy(policy):
    place = house()
    lifecycle.create(place.store, replace(SPEC, resume_policy=policy), {})
    lifecycle.want(place.store, KEY, Desired.STOP)
    assert place.controller().run(KEY).status.stopped
    lifecycle.want(place.store, KEY, Desired.RUN)
    experiment = place.controller().run(KEY)
    assert place.states() == {TrialState.SUCCEEDED: 10}
    assert experiment.status.restarted is None


def test_lowered_parallelism_lets_running_trials_end_and_then_holds():
    runner = ScriptedRunner(lingers)
    place = House(runner)
    lifecycle.create(place.store, replace(SPEC, budget=Budget(4, 20)), {})
    controller = place.controller()
    for _ in range(3):
        controller.reconcile(KEY)
    lifecycle.set_budget(place.store, KEY, Budget(2, 20))
    controller._looked.clear()
    for ended in range(5):
        assert place.states()[TrialState.RUNNING] == max(2, 4 - ended)
        oldest = min(controller.view(KEY)[1].active)
        runner._plays[runner.started[oldest].id] = ends(Phase.SUCCEEDED, 0.5)(runner.started[oldest])
        for _ in range(3):
            controller.reconcile(KEY)
    assert not runner.stopped
    assert len(runner.started) == 7
    lifecycle.set_budget(place.store, KEY, Budget(5, 20))
    controller._looked.clear()
    for _ in range(2):
        controller.reconcile(KEY)
    assert len(controller.view(KEY)[1].active) == 5


def test_an_edited_budget_reaches_the_algorithm():
    """A rebuilt one would know it after a restart, so the running one must know it too."""
    built = []

    def assemble(experiment):
        built.append(experiment.budget)
        parts = place.assemble(experiment)
        return replace(parts, adapt=assemble)

    place = house()
    lifecycle.create(place.store, SPEC, {})
    controller = Controller(place.store, place.opened.leases, assemble, "here:1:1")
    controller.reconcile(KEY)
    lifecycle.set_budget(place.store, KEY, Budget(3, 12))
    controller._looked.clear()
    controller.run(KEY)
    assert built == [SPEC.budget, Budget(3, 12)]
    story = [event.message for event in place.store.events(KEY) if event.reason == "ExperimentEdited"]
    assert story == ["maxTrialCount 10 -> 12"]
