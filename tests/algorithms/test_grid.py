"""Grid search: each combination once, in an order that needs no list of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from algorithms import create_algorithm
from algorithms.grid import Combinations
from algorithms.randomness import permuted
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Suggestion, TrialState
from tests.contracts.simulation import MIXED_FATES, Simulation

D = Distribution
SMALL = SearchSpace((Integer("n", 1, 3), Real("x", 0.1, 0.3, step=0.1), Choice("c", ("a", "b"))))
HUGE = SearchSpace(tuple(Integer(f"p{i}", 1, 1000) for i in range(4)))  # 10**12 points
TREE = SearchSpace(
    (
        Choice("kind", ("plain", "deep", "wide")),
        Integer("layers", 1, 4, condition=Condition("kind", ("deep",))),
        Choice("skip", (True, False), condition=Condition("layers", (2, 4))),
        Real("width", 0.5, 2.5, step=0.5, condition=Condition("kind", ("wide", "deep"))),
        Ordinal("batch", (16, 32)),
    )
)


def spec(
    space: SearchSpace, settings: Mapping[str, str] | None = None, max_trials: int | None = None, seed: int = 0
) -> ExperimentSpec:
    component = Component("grid", settings or {})
    return ExperimentSpec(Key("d", "e"), space, Objective("loss"), component, Budget(3, max_trials), seed=seed)


def whole(space: SearchSpace, seed: int = 0, parallel: int = 2) -> Simulation:
    """A grid searched to its end."""
    simulation = Simulation(spec(space, seed=seed))
    last = simulation.run(create_algorithm(simulation.spec), 10_000, parallel=parallel, order=1, fates=MIXED_FATES)
    assert last.exhausted
    return simulation


@pytest.mark.parametrize(
    ("space", "count"),
    [
        pytest.param(SMALL, 3 * 3 * 2, id="product"),
        pytest.param(TREE, 2 * (1 + 5 + 5 * (1 + 2 + 1 + 2)), id="conditions"),
        pytest.param(SearchSpace((Real("x", 0.0, 1.0, step=0.1),)), 11, id="floats up to the top"),
        pytest.param(SearchSpace((Real("x", 0.0, 0.99, step=0.1),)), 10, id="top that the step misses"),
        pytest.param(SearchSpace((Integer("n", 10, 19, step=3),)), 4, id="integers by step"),
        pytest.param(SearchSpace((Integer("n", 1, 40, D.LOG_NORMAL, step=3),)), 14, id="prior with step"),
        pytest.param(SearchSpace((Real("x", 0.5, 0.5), Integer("n", 2, 2))), 1, id="single values"),
        pytest.param(SearchSpace((Real("x", 0, 1, step=5),)), 1, id="step beyond the range"),
        pytest.param(SearchSpace(()), 1, id="no parameters"),
    ],
)
def test_every_combination_comes_once_and_then_no_more(space: SearchSpace, count: int) -> None:
    simulation = whole(space)
    points = {simulation.history.point(t.parameters) for t in simulation.history.trials.values()}
    assert len(points) == len(simulation.history) == count == Combinations(space).count
    assert all(space.contains(t.parameters) for t in simulation.history.trials.values())


def test_values_are_the_ones_that_the_user_wrote() -> None:
    values = [t.parameters["x"] for t in whole(SearchSpace((Real("x", 0.1, 0.9, step=0.1),))).history.trials.values()]
    assert sorted(values) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]


def test_a_condition_on_some_of_many_numbers() -> None:
    space = SearchSpace((Integer("n", 1, 10**9), Choice("c", ("a", "b"), condition=Condition("n", (7, 10**9)))))
    grid = Combinations(space)
    assert grid.count == 10**9 + 2
    assert [grid.at(i) for i in range(5)] == [
        {"n": 7, "c": "a"}, {"n": 7, "c": "b"}, {"n": 10**9, "c": "a"}, {"n": 10**9, "c": "b"}, {"n": 1},
    ]  # fmt: skip
    assert [grid.at(i) for i in (9, 10, 11, grid.count - 1)] == [{"n": 6}, {"n": 8}, {"n": 9}, {"n": 10**9 - 1}]


def test_ten_to_the_twelve_points_cost_no_more_than_ten() -> None:
    simulation = Simulation(spec(HUGE))
    simulation.run(create_algorithm(simulation.spec), 500, parallel=50)
    points = [t.parameters for t in simulation.history.trials.values()]
    assert len({simulation.history.point(p) for p in points}) == 500
    for name in ("p0", "p1", "p2", "p3"):  # shuffled: each quarter of each range has its share
        quarters = [sum(1 for p in points if (p[name] - 1) // 250 == quarter) for quarter in range(4)]
        assert min(quarters) > 80


@given(size=st.integers(1, 3000), seed=st.integers(-(2**70), 2**70))
@settings(max_examples=30, deadline=None)
def test_the_order_is_a_permutation(size: int, seed: int) -> None:
    assert sorted(permuted(seed, index, size) for index in range(size)) == list(range(size))


def test_the_order_belongs_to_the_seed_and_no_place_of_it_is_favoured() -> None:
    assert [permuted(1, i, 10**12) for i in range(5)] != [permuted(2, i, 10**12) for i in range(5)]
    firsts = [permuted(seed, 0, 10) for seed in range(1000)]
    assert all(60 < firsts.count(place) < 145 for place in range(10))


@pytest.mark.parametrize(
    ("space", "settings", "max_trials", "complaint"),
    [
        pytest.param(
            SearchSpace((Integer("n", 1, 2), Real("x", 0, 1))), {}, None,
            "spec.parameters[1].feasibleSpace.step: missing: grid needs the step of double 'x'", id="no step",
        ),
        pytest.param(SMALL, {}, 19, "spec.maxTrialCount: got 19, more than all 18 possible", id="budget"),
        pytest.param(TREE, {}, 73, "spec.maxTrialCount: got 73, more than all 72", id="conditions are counted"),
        pytest.param(SMALL, {"random_state": "x"}, None, "algorithmSettings[random_state]: got 'x'", id="random_state"),
        pytest.param(SMALL, {"seed": "1"}, None, "algorithmSettings[seed]: grid has no such setting", id="unknown"),
    ],
)  # fmt: skip
def test_what_is_refused(
    space: SearchSpace, settings: Mapping[str, str], max_trials: int | None, complaint: str
) -> None:
    with pytest.raises(SpecError) as caught:
        create_algorithm(spec(space, settings, max_trials))
    assert complaint in str(caught.value)


def test_a_budget_of_exactly_the_grid_is_allowed() -> None:
    create_algorithm(spec(SMALL, max_trials=18))
    create_algorithm(spec(TREE, max_trials=72))


@pytest.mark.parametrize("state", [None, TrialState.SUCCEEDED, TrialState.FAILED, TrialState.KILLED])
def test_what_others_proposed_is_not_tried_again(state: TrialState | None) -> None:
    """Initial trials carry no label of the grid; pending, failed and killed ones are tried points too."""
    simulation = Simulation(spec(SMALL))
    foreign = [{"n": n, "x": x, "c": "a"} for n in (1, 2, 3) for x in (0.1, 0.3)]
    for trial in simulation.start([Suggestion(p) for p in foreign]):
        if state is not None:
            simulation.evaluate(trial.number, state)
    algorithm = create_algorithm(simulation.spec)
    proposal = algorithm.suggest(simulation.history, 100)
    assert proposal.exhausted
    assert len(proposal.suggestions) == 12
    assert len({simulation.history.point(s.parameters) for s in proposal.suggestions}) == 12
    for _ in range(12):
        simulation.start(algorithm.suggest(simulation.history, 1).suggestions)
    assert [t.parameters for t in simulation.running][-12:] == [s.parameters for s in proposal.suggestions]


def test_a_wider_space_is_searched_to_its_end_as_well() -> None:
    simulation = whole(SMALL)
    wider = SearchSpace((Integer("n", 1, 4), *SMALL.parameters[1:]), revision=1)
    after = Simulation(spec(wider))
    for trial in simulation.history.trials.values():
        after.history.record(replace(trial, seq=trial.number + 1))
    last = after.run(create_algorithm(simulation.spec), 1000)
    assert last.exhausted
    assert len(after.history) == 4 * 3 * 2


def test_trials_whose_parameters_are_not_known_leave_the_walk_where_it_was() -> None:
    """A Katib controller hides trials without a metric: what is left of them are numbers and labels."""
    simulation = Simulation(spec(SMALL))
    algorithm = create_algorithm(simulation.spec)
    simulation.run(algorithm, 9)
    expected = algorithm.suggest(simulation.history, 1)
    shown = Simulation(spec(SMALL))
    for trial in simulation.history.finished:
        shown.history.record(replace(trial, parameters={}) if trial.number in (3, 8) else trial)
    assert algorithm.suggest(shown.history, 1) == expected


def test_every_point_has_all_its_runs() -> None:
    simulation = Simulation(replace(spec(SMALL), objective=Objective("loss", repeats=2)))
    algorithm = create_algorithm(simulation.spec)
    while not (proposal := algorithm.suggest(simulation.history, 2)).exhausted:
        for trial in simulation.start([s for s in proposal.suggestions for _ in range(2)]):
            simulation.evaluate(trial.number)
    assert len(simulation.history) == 36
    assert len(simulation.history.view().numbers) == 18
