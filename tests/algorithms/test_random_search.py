"""Random search: draws from the prior."""

from __future__ import annotations

from collections import Counter

import pytest
from scipy.stats import chisquare, kstest

from algorithms.random_search import RandomSearch
from katib.core.experiment import Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Parameter, Real, SearchSpace
from katib.core.trial import Key
from tests.contracts.simulation import Simulation


def draw(*parameters: Parameter, trials: int = 2000, seed: int = 0) -> list[dict[str, object]]:
    """Parameters of ``trials`` trials; an extra continuous one keeps small spaces from running out."""
    space = SearchSpace((*parameters, Real("_", 0, 1)))
    spec = ExperimentSpec(Key("d", "e"), space, Objective("loss"), Component("random"), seed=seed)
    simulation = Simulation(spec)
    suggestions = RandomSearch(spec).suggest(simulation.history, trials).suggestions
    return [dict(s.parameters) for s in suggestions]


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param(Integer("p", 1, 5), id="integers"),
        pytest.param(Integer("p", 0, 12, step=4), id="step"),
        pytest.param(Integer("p", 10, 19, step=3), id="step that is not a divisor of low"),
        pytest.param(Real("p", -0.3, 0.3, step=0.1), id="real with step"),
        pytest.param(Ordinal("p", (1, 10, 100)), id="ordinal"),
        pytest.param(Choice("p", ("a", "b", "c", "d")), id="choice"),
    ],
)
def test_every_value_gets_its_share_the_end_values_too(parameter: Parameter) -> None:
    counts = Counter(point["p"] for point in draw(parameter))
    assert len(counts) == parameter.count
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_log_uniform_is_uniform_in_the_logarithm() -> None:
    parameter = Real("p", 1e-6, 1e2, Distribution.LOG_UNIFORM)
    coordinates = [parameter.to_unit(point["p"]) for point in draw(parameter)]
    assert kstest(coordinates, "uniform").pvalue > 1e-3


def test_a_trials_draw_does_not_depend_on_the_others_parameters() -> None:
    together, seeds = draw(Real("p", 0, 1), trials=30), draw(Real("p", 0, 1), trials=30, seed=1)
    assert together[:7] == draw(Real("p", 0, 1), trials=7)
    assert together != seeds


def test_conditions_are_respected() -> None:
    points = draw(Choice("kind", ("a", "b")), Real("x", 0, 1, condition=Condition("kind", ("b",))), trials=200)
    assert {("x" in point) for point in points if point["kind"] == "a"} == {False}
    assert {("x" in point) for point in points if point["kind"] == "b"} == {True}
    assert 60 < sum("x" in point for point in points) < 140


def test_random_state_goes_before_the_experiments_seed() -> None:
    space, objective = SearchSpace((Real("x", 0, 1),)), Objective("loss")

    def first(settings: dict[str, str], seed: int | None) -> object:
        spec = ExperimentSpec(Key("d", "e"), space, objective, Component("random", settings), seed=seed)
        return RandomSearch(spec).suggest(Simulation(spec).history, 1)

    assert first({"random_state": "3"}, 4) == first({"random_state": "3"}, 5) == first({}, 3)
    assert first({}, 3) != first({}, 4)
