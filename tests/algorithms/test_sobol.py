"""The Sobol sequence over spaces of all kinds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pytest
from scipy.stats import kstest, qmc

from algorithms import create_algorithm
from algorithms.sobol_sequence import sobol_point
from katib.core.errors import SpecError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Parameter, Real, SearchSpace
from katib.core.trial import Key, Suggestion
from tests.contracts.simulation import MIXED_FATES, Simulation


def simulate(*parameters: Parameter, settings: Mapping[str, str] | None = None, seed: int = 0) -> Simulation:
    component = Component("sobol", settings or {})
    return Simulation(ExperimentSpec(Key("d", "e"), SearchSpace(parameters), Objective("loss"), component, seed=seed))


def first(simulation: Simulation, count: int) -> list[Mapping[str, object]]:
    suggestions = create_algorithm(simulation.spec).suggest(simulation.history, count).suggestions
    return [s.parameters for s in suggestions]


def test_points_are_more_even_than_chance() -> None:
    points = [list(p.values()) for p in first(simulate(Real("x", 0, 1), Real("y", 0, 1)), 256)]
    assert len({(int(16 * x), int(16 * y)) for x, y in points}) == 256  # one in each cell of a 16 x 16 grid
    chance = np.random.default_rng(0).random((256, 2))
    assert qmc.discrepancy(np.array(points)) < qmc.discrepancy(chance) / 10


def test_place_k_does_not_depend_on_what_was_asked_before() -> None:
    walked = [sobol_point(5, place, 3).tolist() for place in range(600)]
    sobol_point.__globals__["_block"].cache_clear()
    assert [sobol_point(5, place, 3).tolist() for place in (599, 0, 256, 255)] == [
        walked[i] for i in (599, 0, 256, 255)
    ]
    assert walked != [sobol_point(6, place, 3).tolist() for place in range(600)]


@pytest.mark.parametrize(
    "parameter",
    [
        pytest.param(Integer("p", 1, 5), id="integers"),
        pytest.param(Integer("p", 10, 19, step=3), id="step that is not a divisor of low"),
        pytest.param(Real("p", -0.3, 0.3, step=0.1), id="real with step"),
        pytest.param(Ordinal("p", (1, 10, 100)), id="ordinal"),
        pytest.param(Choice("p", ("a", "b", "c", "d")), id="choice"),
    ],
)
def test_every_value_gets_its_share_the_top_one_too(parameter: Parameter) -> None:
    counts = Counter(p["p"] for p in first(simulate(parameter, Real("_", 0, 1)), 1024))
    assert len(counts) == parameter.count
    assert max(counts.values()) - min(counts.values()) <= 12


@pytest.mark.parametrize("distribution", list(Distribution))
def test_points_follow_the_prior(distribution: Distribution) -> None:
    parameter = Real("p", 1e-3, 1e2, distribution)
    values = [float(p["p"]) for p in first(simulate(parameter), 512)]
    assert all(1e-3 <= value <= 1e2 for value in values)
    shares = [parameter.to_unit(value) for value in values]
    assert kstest(shares, "uniform").pvalue > 0.99  # far closer than chance would be


def test_initial_trials_use_up_no_place_of_the_sequence() -> None:
    expected = first(simulate(Real("x", 0, 1), Real("y", 0, 1)), 6)
    simulation = simulate(Real("x", 0, 1), Real("y", 0, 1))
    simulation.start([Suggestion({"x": 0.5, "y": 0.5}), Suggestion({"x": 0.25, "y": 0.5})])
    simulation.run(create_algorithm(simulation.spec), 8, parallel=3, order=2, fates=MIXED_FATES)
    assert [simulation.history.trials[number].parameters for number in range(2, 8)] == expected


def test_places_that_fall_on_a_tried_point_are_passed_over() -> None:
    simulation = simulate(Integer("a", 1, 4), Integer("b", 1, 4))
    last = simulation.run(create_algorithm(simulation.spec), 100, parallel=3, order=1, fates=MIXED_FATES)
    assert last.exhausted
    assert len(simulation.history) == 16
    for number in range(16):  # a restart at any moment, in the part that is drawn at random as well
        past = simulate(Integer("a", 1, 4), Integer("b", 1, 4))
        past.start([Suggestion(t.parameters, t.labels) for n, t in simulation.history.trials.items() if n < number])
        assert first(past, 1) == [simulation.history.trials[number].parameters]


def test_conditions_are_respected() -> None:
    points = first(simulate(Choice("k", ("a", "b")), Real("x", 0, 1, condition=Condition("k", ("b",)))), 64)
    assert {("x" in p) == (p["k"] == "b") for p in points} == {True}
    assert sum("x" in p for p in points) >= 31


def test_random_state_goes_before_the_experiments_seed() -> None:
    def points(settings: Mapping[str, str], seed: int) -> object:
        return first(simulate(Real("x", 0, 1), settings=settings, seed=seed), 3)

    assert points({"random_state": "3"}, 4) == points({}, 3) != points({}, 4)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        pytest.param({"random_state": "-1"}, "[random_state]: got '-1', expected an integer, at least 0"),
        pytest.param({"sigma": "1"}, "[sigma]: sobol has no such setting"),
    ],
)
def test_bad_settings(settings: Mapping[str, str], complaint: str) -> None:
    with pytest.raises(SpecError) as caught:
        create_algorithm(simulate(Real("x", 0, 1), settings=settings).spec)
    assert complaint in str(caught.value)


def test_more_parameters_than_dimensions() -> None:
    with pytest.raises(SpecError, match=r"spec\.parameters: got 21202, more than the 21201 dimensions"):
        create_algorithm(simulate(*(Real(f"p{i}", 0, 1) for i in range(21202))).spec)
