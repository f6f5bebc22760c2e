"""Trials that need no algorithm: the user's initial points, and further runs of the same parameters."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from katib.core.experiment import Budget, Verdict
from katib.core.objective import Objective
from katib.core.space import Choice, SearchSpace
from katib.core.trial import TrialState
from tests.engine.house import KEY, SPEC, House, house
from trial_runners.inline import InlineRunner

INITIAL = ({"x": 0.25}, {"x": 0.5}, {"x": 0.75})


def tried(place: House) -> list[float]:
    trials = sorted(place.store.trials(KEY), key=lambda t: t.number)
    return [trial.parameters["x"] for trial in trials]


@pytest.mark.parametrize("parallel", [1, 2, 7])
def test_initial_points_come_first_and_once(parallel):
    place = house()
    place.run(replace(SPEC, initial=INITIAL, budget=Budget(parallel, 6)))
    found = tried(place)
    assert found[:3] == [0.25, 0.5, 0.75]
    assert len(set(found)) == 6


def test_more_initial_points_than_trials():
    place = house()
    place.run(replace(SPEC, initial=INITIAL, budget=Budget(1, 2)))
    assert tried(place) == [0.25, 0.5]


@pytest.mark.parametrize("parallel", [1, 2, 4, 9])
def test_every_set_of_parameters_runs_as_often_as_asked(parallel):
    place = house()
    experiment = place.run(replace(SPEC, objective=Objective("objective", repeats=3), budget=Budget(parallel, 12)))
    assert sorted(Counter(tried(place)).values()) == [3, 3, 3, 3]
    assert experiment.status.verdict is Verdict.MAX_TRIALS_REACHED
    assert experiment.status.best_value == min(tried(place))


def test_the_budget_may_cut_the_last_repeats_short():
    place = house()
    place.run(replace(SPEC, initial=INITIAL, objective=Objective("objective", repeats=2), budget=Budget(1, 5)))
    assert tried(place) == [0.25, 0.25, 0.5, 0.5, 0.75]


def test_the_best_is_the_best_mean():
    values = iter([0.0, 9.0, 3.0, 3.0])
    place = House(InlineRunner(lambda p: next(values), metric="objective"))
    spec = replace(SPEC, initial=INITIAL, objective=Objective("objective", repeats=2), budget=Budget(1, 4))
    status = place.run(spec).status
    assert (status.best, status.best_value) == (2, 3.0)


def test_a_finite_space_is_used_up_with_all_its_repeats():
    place = house(lambda p: 1.0 if p["x"] == "a" else 2.0)
    spec = replace(SPEC, space=SearchSpace((Choice("x", ("a", "b")),)), budget=Budget(3, 100))
    experiment = place.run(replace(spec, objective=Objective("objective", repeats=4)))
    assert experiment.status.verdict is Verdict.SEARCH_EXHAUSTED
    assert Counter(tried(place)) == {"a": 4, "b": 4}
    assert place.states() == {TrialState.SUCCEEDED: 8}


def test_a_goal_is_reached_by_a_mean_not_by_one_lucky_run():
    values = iter([0.0, 9.0, 1.0, 1.0])
    place = House(InlineRunner(lambda p: next(values), metric="objective"))
    spec = replace(SPEC, initial=INITIAL, objective=Objective("objective", goal=2.0, repeats=2))
    experiment = place.run(replace(spec, budget=Budget(1, 100)))
    assert experiment.status.verdict is Verdict.GOAL_REACHED
    assert len(tried(place)) == 4
