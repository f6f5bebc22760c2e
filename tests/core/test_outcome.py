"""Several objectives, constraints on metrics, repeats: losses, violations, rows of the history, best trial, front."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from katib.core.constraints import Constraint
from katib.core.experiment import Component, Experiment, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Direction, Measurement, Objective, Strategy, Target, observe
from katib.core.outcome import Outcome, outcome_of
from katib.core.space import Real, SearchSpace
from katib.core.trial import Key, Trial, TrialState
from katib.engine.summary import best_trial, incumbents, pareto_front

SPACE = SearchSpace((Real("x", 0, 10),))
TWO = Objective("acc", Direction.MAXIMIZE, 0.9, others=(Target("ms", goal=20.0),))
BOUNDED = Objective("loss", additional=("ms",), constraints=(Constraint("ms < 50"), Constraint("x * loss <= 4")))
REPEATED = Objective("loss", repeats=3)


def trial(number: int, metrics: dict[str, float], x: float | None = None, state=TrialState.SUCCEEDED) -> Trial:
    reports = [Measurement(name, value, str(value), 0.0) for name, value in metrics.items()]
    return Trial(
        number, f"t-{number}", {"x": float(number) if x is None else x}, state=state, seq=10 + number,
        observation=observe({}, reports),
    )  # fmt: skip


def best(objective: Objective, trials: list[Trial]) -> int | None:
    spec = ExperimentSpec(Key("default", "e"), SPACE, objective, Component("random"))
    found = best_trial(Experiment(spec.key, "u", spec), trials)
    return None if found is None else found.number


@pytest.mark.parametrize(
    ("objective", "metrics", "expected"),
    [
        pytest.param(TWO, {"acc": 0.5, "ms": 9.0}, Outcome((-0.5, 9.0), ()), id="two-targets"),
        pytest.param(TWO, {"acc": 0.5}, None, id="one-of-two-missing"),
        pytest.param(BOUNDED, {"loss": 2.0, "ms": 49.0}, Outcome((2.0,), (-1.0, 2.0)), id="violated"),
        pytest.param(BOUNDED, {"loss": 2.0}, Outcome((2.0,), (math.inf, 2.0)), id="metric-of-a-constraint-missing"),
    ],
)
def test_outcome_of_one_trial(objective, metrics, expected):
    assert outcome_of(objective, [trial(3, metrics)]) == expected
    assert objective.available(trial(3, metrics).observation) is (expected is not None)


@pytest.mark.parametrize(
    ("parameters", "metrics", "violation"),
    [
        pytest.param({"x": 1.0, "m": 0.9}, {"loss": 1.0, "ms": 40.0}, 16.0, id="both"),
        pytest.param({"x": 1.0}, {"loss": 1.0, "ms": 40.0}, 0.0, id="parameter-takes-no-part"),
        pytest.param({"x": 1.0}, {"loss": 1.0}, math.inf, id="metric-missing-too"),
    ],
)
def test_a_constraint_on_metrics_and_an_inactive_parameter(parameters, metrics, violation):
    objective = Objective("loss", additional=("ms",), constraints=(Constraint("ms * m <= 20"),))
    found = outcome_of(objective, [replace(trial(0, metrics), parameters=parameters)])
    assert found is not None
    assert found.violations == (violation,)


def test_the_mean_of_the_largest_numbers_is_a_number():
    losses = [1.6e308, 1.7e308, 1.8e308 / 1.01]
    found = outcome_of(REPEATED, [trial(i, {"loss": loss}, x=5.0) for i, loss in enumerate(losses)])
    assert found is not None
    assert found.losses == (pytest.approx(sum(loss / 3 for loss in losses)),)


def test_strategies_follow_the_direction_of_each_target():
    assert [TWO.strategy(metric) for metric in ("acc", "ms")] == [Strategy.MAX, Strategy.MIN]
    assert TWO.metrics == ("acc", "ms")


@pytest.mark.parametrize(
    ("losses", "reached"),
    [
        pytest.param((-0.95, 10.0), True, id="both"),
        pytest.param((-0.95, 30.0), False, id="first-only"),
        pytest.param((-0.5, 10.0), False, id="second-only"),
    ],
)
def test_every_goal_must_be_reached(losses, reached):
    assert TWO.reached(losses) is reached
    assert replace(TWO, others=(Target("ms"),)).reached(losses) is (losses[0] <= -0.9)
    assert not Objective("a", others=(Target("b"),)).reached(losses)


def test_the_view_has_a_column_for_each_target_and_each_constraint():
    view = History(SPACE, TWO, [trial(0, {"acc": 0.5, "ms": 9.0}), trial(1, {"acc": 0.7})]).view()
    np.testing.assert_array_equal(view.Y, [[-0.5, 9.0], [math.nan, math.nan]])
    assert view.failed.tolist() == [False, True]
    view = History(SPACE, BOUNDED, [trial(1, {"loss": 2.0, "ms": 60.0})]).view()
    np.testing.assert_array_equal(view.violations, [[10.0, -2.0]])
    assert view.failed.tolist() == [False]


def test_repeated_runs_are_one_row_once_all_are_in():
    runs = [trial(0, {"loss": 1.0}, x=5.0), trial(1, {"loss": 2.0}, x=5.0), trial(2, {"loss": 6.0}, x=5.0)]
    history = History(SPACE, REPEATED)
    for number, run in enumerate(runs):
        pending = replace(run, state=TrialState.PENDING, seq=number + 1, observation={})
        history.record(pending)
        assert history.pending().shape == (1, 1)
        assert (history.repeat_due() is None) is (number == 2)
    for number, run in enumerate(runs):
        assert len(history.view().numbers) == 0
        history.record(replace(run, seq=20 + number))
    view = history.view()
    assert (view.numbers.tolist(), view.seqs.tolist(), view.Y.tolist()) == ([0], [22], [[3.0]])
    assert [run.number for run in history.runs({"x": 5.0})] == [0, 1, 2]
    assert history.pending().shape == (0, 1)


def test_nothing_outside_of_the_space_is_repeated():
    history = History(SPACE, REPEATED, [trial(0, {"loss": 1.0}, x=9.0), trial(1, {"loss": 2.0}, x=5.0)])
    assert history.repeat_due().number == 0
    narrow = history.within(SearchSpace((Real("x", 0, 6),), revision=1))
    assert narrow.repeat_due().number == 1
    assert history.within(SearchSpace((Real("x", 0, 4),), revision=1)).repeat_due() is None


@pytest.mark.parametrize(
    ("states", "mean", "failed"),
    [
        pytest.param("SSF", 1.5, False, id="one-failed"),
        pytest.param("SEK", 1.5, False, id="one-stopped-one-killed"),
        pytest.param("FFM", math.nan, True, id="none-has-a-value"),
    ],
)
def test_the_mean_is_of_the_runs_that_have_a_value(states, mean, failed):
    kinds = {"S": TrialState.SUCCEEDED, "F": TrialState.FAILED, "E": TrialState.EARLY_STOPPED,
             "K": TrialState.KILLED, "M": TrialState.METRICS_UNAVAILABLE}  # fmt: skip
    runs = [trial(i, {"loss": i + 1.0}, x=5.0, state=kinds[letter]) for i, letter in enumerate(states)]
    view = History(SPACE, REPEATED, runs).view()
    np.testing.assert_array_equal(view.Y, [[mean]])
    assert view.failed.tolist() == [failed]
    assert view.censored.tolist() == ["E" in states]


@pytest.mark.parametrize(
    ("objective", "trials", "number"),
    [
        pytest.param(BOUNDED, [trial(1, {"loss": 0.1, "ms": 60.0}), trial(2, {"loss": 1.0, "ms": 40.0})], 2,
                     id="a-violated-constraint-is-no-solution"),
        pytest.param(BOUNDED, [trial(1, {"loss": 0.1, "ms": 60.0})], None, id="no-solution"),
        pytest.param(TWO, [trial(0, {"acc": 0.5, "ms": 9.0}), trial(1, {"acc": 0.5, "ms": 8.0})], 1,
                     id="the-next-target-decides-between-equals"),
        pytest.param(REPEATED, [trial(i, {"loss": loss}, x=x) for i, (x, loss) in enumerate(
            [(1.0, 0.0), (1.0, 9.0), (1.0, 9.0), (2.0, 5.0), (2.0, 5.0), (2.0, 5.0), (3.0, 0.0)])], 3,
                     id="the-mean-of-complete-repeats"),
    ],
)  # fmt: skip
def test_best(objective, trials, number):
    assert best(objective, trials) == number
    path = incumbents(objective, trials)
    assert (path[-1].trial.number if path else None) == number


def test_the_front_holds_what_nothing_beats_in_everything():
    points = [(0.9, 30.0), (0.8, 10.0), (0.8, 12.0), (0.7, 10.0), (0.5, 1.0), (0.9, 30.0)]
    trials = [trial(i, {"acc": acc, "ms": ms}) for i, (acc, ms) in enumerate(points)]
    assert [t.number for t in pareto_front(TWO, [*trials, trial(9, {"acc": 1.0})])] == [0, 1, 4]
    assert [t.number for t in pareto_front(Objective("acc"), trials)] == [4]


def test_the_front_waits_for_all_runs():
    twice = replace(TWO, repeats=2)
    runs = [(1.0, 0.8, 10.0), (1.0, 0.6, 10.0), (2.0, 0.9, 9.0)]
    trials = [trial(i, {"acc": acc, "ms": ms}, x=x) for i, (x, acc, ms) in enumerate(runs)]
    assert [t.number for t in pareto_front(twice, trials)] == [0]
    failed = trial(3, {}, x=2.0, state=TrialState.FAILED)
    assert [t.number for t in pareto_front(twice, [*trials, failed])] == [2]
