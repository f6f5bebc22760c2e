"""The table of docs/accounting.md, row by row, against the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from katib.core.experiment import Budget, Desired, Verdict
from katib.core.history import History
from katib.core.objective import Measurement, Objective, observe
from katib.core.space import Real, SearchSpace
from katib.core.trial import FailureClass, Trial, TrialState
from katib.engine.plan import Moment, Tally, plan
from katib.engine.progress import is_lost
from katib.engine.summary import MAY_BE_BEST

PAGE = Path(__file__).parents[2] / "docs" / "accounting.md"
SPACE = SearchSpace((Real("x", 0, 1),))


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def make(state: str) -> Trial:
    lost = state.endswith("(lost)")
    return Trial(
        number=0,
        name="t",
        parameters={"x": 0.5},
        state=TrialState(state.split(" ")[0]),
        seq=1,
        failure=FailureClass.LOST if lost else None,
        observation=observe({}, [Measurement("m", 1.0, "1", 0.0)]),
    )


@pytest.mark.parametrize("row", [pytest.param(row, id=row[0]) for row in rows()])
def test_row(row):
    state, final, completed, failed, shown, best = row
    trial = make(state)
    tally = Tally({trial.state: 1}, lost=int(is_lost(trial)))
    history = History(SPACE, Objective("m"), [trial])
    view = history.view()
    assert trial.state.finished is (final == "yes")
    assert tally.completed == (1 if completed == "yes" else 0)
    assert tally.failed == (1 if failed == "yes" else 0)
    assert (len(history.pending()) == 1) is (shown == "as pending")
    assert len(view.numbers) == (0 if shown in ("no", "as pending") else 1)
    assert view.failed.tolist() == ([] if len(view.numbers) == 0 else [shown == "as failed"])
    assert view.censored.any() == ("censored" in shown)
    assert (trial.state in MAY_BE_BEST) is (best == "yes")


def test_every_state_has_a_row():
    assert {row[0].split(" ")[0] for row in rows()} == {state.value for state in TrialState}


@pytest.mark.parametrize(
    "state",
    [pytest.param(s, id=s.value) for s in TrialState],
)
def test_each_state_takes_one_place_of_the_budget(state):
    trial = make(state.value)
    active = [] if state.finished else [trial]
    tally = Tally({state: 1})
    assert plan(Budget(parallel=5, max_trials=1), tally, active, Desired.RUN).ask == 0
    assert plan(Budget(parallel=5, max_trials=2), tally, active, Desired.RUN).ask == 1


TRIALS = {TrialState.SUCCEEDED: 3, TrialState.FAILED: 2, TrialState.METRICS_UNAVAILABLE: 1}


@pytest.mark.parametrize(
    ("budget", "tally", "verdict"),
    [
        pytest.param(Budget(max_trials=7, max_failed=4), Tally(TRIALS), None, id="goes-on"),
        pytest.param(Budget(max_trials=6), Tally(TRIALS), Verdict.MAX_TRIALS_REACHED, id="max-trials"),
        pytest.param(Budget(max_trials=6, max_failed=3), Tally(TRIALS), Verdict.FAILED, id="failed-before-max"),
        pytest.param(Budget(max_trials=9, max_failed=3), Tally(TRIALS, lost=1), None, id="lost-spend-no-failures"),
        pytest.param(
            Budget(max_trials=6, max_failed=3),
            Tally(TRIALS, goal_reached=True),
            Verdict.GOAL_REACHED,
            id="goal-before-all",
        ),
        pytest.param(Budget(max_failed=0), Tally({TrialState.FAILED: 1}), Verdict.FAILED, id="max-failed-0"),
        pytest.param(Budget(max_failed=1), Tally({TrialState.FAILED: 1}), Verdict.FAILED, id="max-failed-1"),
        pytest.param(Budget(max_failed=0), Tally({TrialState.SUCCEEDED: 5}), None, id="no-failure-yet"),
        pytest.param(Budget(), Tally({TrialState.FAILED: 500}), None, id="no-failure-limit"),
        pytest.param(Budget(), Tally(TRIALS, exhausted=True), Verdict.SEARCH_EXHAUSTED, id="exhausted"),
        pytest.param(Budget(), Tally(TRIALS, error="broken"), Verdict.FAILED, id="algorithm-failed"),
        pytest.param(Budget(max_trials=6), Tally({TrialState.KILLED: 6}), Verdict.MAX_TRIALS_REACHED, id="killed"),
    ],
)
def test_the_end(budget, tally, verdict):
    step = plan(budget, tally, [], Desired.RUN)
    assert step.verdict is verdict
    assert step.done is (verdict is not None)


def running(number: int, state: TrialState = TrialState.RUNNING) -> Trial:
    return Trial(number, f"t-{number}", {"x": 0.1}, state=state)


def test_exhausted_search_waits_for_running_trials():
    step = plan(Budget(parallel=3), Tally({TrialState.RUNNING: 1}, exhausted=True), [running(0)], Desired.RUN)
    assert (step.verdict, step.ask, step.done) == (None, 0, False)


def test_running_trials_are_stopped_at_the_end_and_the_end_waits_for_them():
    step = plan(Budget(), Tally({}, goal_reached=True), [running(0), running(1, TrialState.PENDING)], Desired.RUN)
    assert {number: stop.state for number, stop in step.stop.items()} == {0: TrialState.KILLED, 1: TrialState.KILLED}
    assert step.verdict is Verdict.GOAL_REACHED
    assert not step.done


@pytest.mark.parametrize("desired", [Desired.STOP, Desired.DELETE])
def test_a_wish_to_stop_interrupts_running_trials_and_keeps_pending_ones(desired):
    step = plan(Budget(), Tally({}), [running(0), running(1, TrialState.PENDING)], desired)
    assert {number: stop.state for number, stop in step.stop.items()} == {0: TrialState.PENDING}
    assert not step.done
    assert plan(Budget(), Tally({}), [running(1, TrialState.PENDING)], desired).done


def test_draining_starts_nothing_and_leaves_when_nothing_runs():
    active = [running(0), running(1, TrialState.PENDING)]
    step = plan(Budget(parallel=4), Tally({}), active, Desired.RUN, moment=Moment(draining=True))
    assert (step.start, step.ask, step.stop, step.done) == ((), 0, {}, False)
    assert plan(Budget(parallel=4), Tally({}), active[1:], Desired.RUN, moment=Moment(draining=True)).done


def test_lowered_parallelism_starts_nothing_beyond_it_and_ends_nothing():
    active = [running(n) for n in range(3)] + [running(3, TrialState.PENDING)]
    lowered = plan(Budget(parallel=2), Tally({}), active, Desired.RUN)
    assert (lowered.start, lowered.stop, lowered.ask) == ((), {}, 0)
    assert plan(Budget(parallel=4), Tally({}), active, Desired.RUN).start == (3,)


def test_what_the_runner_has_not_begun_holds_a_place_too():
    """Trial 0 runs again, while 1 and 2 were just given to the runner."""
    active = [running(n, TrialState.PENDING) for n in range(3)]
    assert plan(Budget(parallel=2), Tally({}), active, Desired.RUN, moment=Moment(launched={1, 2})).start == ()
    assert plan(Budget(parallel=3), Tally({}), active, Desired.RUN, moment=Moment(launched={1, 2})).start == (0,)


@pytest.mark.parametrize(
    ("limit", "completed", "active", "ask", "verdict"),
    [
        pytest.param(5, 3, 2, 0, None, id="all-made"),
        pytest.param(4, 3, 2, 0, None, id="below-those-made"),
        pytest.param(3, 3, 2, 0, Verdict.MAX_TRIALS_REACHED, id="at-those-finished"),
        pytest.param(None, 3, 2, 3, None, id="limit-taken-away"),
    ],
)
def test_an_edited_limit(limit, completed, active, ask, verdict):
    tally = Tally({TrialState.SUCCEEDED: completed, TrialState.RUNNING: active})
    step = plan(Budget(5, limit), tally, [running(9 + n) for n in range(active)], Desired.RUN)
    assert (step.ask, step.verdict) == (ask, verdict)
