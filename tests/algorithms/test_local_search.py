"""Local search: walks to better neighbours, begins anew where there is none, and keeps several workers busy."""

from __future__ import annotations

import pytest

from algorithms.local_search import WALK, LocalSearch
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Choice, Real, SearchSpace
from katib.core.trial import Key
from tests.contracts.simulation import Simulation

SPACE = SearchSpace(tuple(Choice(f"p{i}", tuple("abc")) for i in range(4)))


def simulation(function, space: SearchSpace = SPACE) -> Simulation:
    component = Component("local-search", {"initial_points": "3"})
    spec = ExperimentSpec(Key("d", "e"), space, Objective("loss"), component, Budget(1, 500), seed=3)
    return Simulation(spec, function)


def differing(one, other) -> int:
    return sum(one[name] != other[name] for name in one)


def slope(parameters) -> float:
    return sum("abc".index(value) for value in parameters.values())


def test_a_walk_goes_downhill_to_the_end():
    searched = simulation(slope)
    algorithm = LocalSearch(searched.spec)
    searched.run(algorithm, 40)
    trials = [searched.history.trials[number] for number in range(40)]
    best = min(trials[:3], key=lambda trial: slope(trial.parameters))
    for trial in trials[3:]:
        if trial.labels[WALK] != "0":
            break
        assert differing(best.parameters, trial.parameters) == 1
        if slope(trial.parameters) < slope(best.parameters):
            best = trial
    assert slope(best.parameters) == 0


def test_a_new_walk_begins_where_no_neighbour_is_better():
    searched = simulation(lambda parameters: 0.0)
    searched.run(LocalSearch(searched.spec), 30)
    walks = [int(searched.history.trials[number].labels[WALK]) for number in range(30)]
    assert walks == sorted(walks)
    assert walks[-1] >= 2
    first = [searched.history.trials[number].parameters for number in range(walks.count(0))]
    assert sum(differing(first[0], point) == 1 for point in first) == 4 * 2  # all neighbours of its best point


def test_workers_try_neighbours_of_the_same_point():
    searched = simulation(slope)
    algorithm = LocalSearch(searched.spec)
    searched.run(algorithm, 6)
    best = min(searched.history.finished, key=lambda trial: slope(trial.parameters)).parameters
    together = [each.parameters for each in algorithm.suggest(searched.history, 4).suggestions]
    assert [differing(best, each) for each in together] == [1] * 4
    assert len({str(each) for each in together}) == 4


def test_an_endless_space_is_refused():
    with pytest.raises(SpecError, match=r"needs a step for doubles; x has none"):
        LocalSearch(simulation(slope, SearchSpace((Real("x", 0, 1),))).spec)
