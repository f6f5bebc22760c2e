"""scikit-optimize as the engine: every surrogate and acquisition function, odd data, and better than chance."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from algorithms import create_algorithm
from algorithms.bayesian_optimization import BayesianOptimization
from algorithms.skopt_optimization import Observed
from algorithms.sobol import Sobol
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Objective
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Parameters, Suggestion, TrialState
from katib.core.warm_start import FormerTrial, Source
from tests.algorithms.problems import ODD_VALUES, PLANE, valley
from tests.contracts.simulation import Function, Simulation

pytest.importorskip("skopt")

from algorithms.skopt_surrogate import SkoptSurrogate

MIXED = SearchSpace((Real("x", -5.0, 0.0), Integer("n", 1, 64, Distribution.LOG_UNIFORM), Choice("c", ("a", "b", "c"))))


def simulate(
    space: SearchSpace,
    function: Function,
    settings: Mapping[str, str],
    seed: int = 0,
    name: str = "bayesianoptimization",
) -> Simulation:
    engine = {"engine": "skopt"} if name == "bayesianoptimization" else {}
    spec = ExperimentSpec(Key("d", "e"), space, Objective("loss"), Component(name, {**engine, **settings}), seed=seed)
    return Simulation(spec, function)


def mixed(p: Parameters) -> float:
    return (float(p["x"]) + 2) ** 2 + abs(float(p["n"]) - 20) / 20 + (p["c"] != "b")


@pytest.mark.parametrize("estimator", ["GP", "RF", "ET", "GBRT"])
@pytest.mark.parametrize("acquisition", ["gp_hedge", "LCB", "EI", "PI", "EIps", "PIps"])
def test_every_surrogate_works_with_every_acquisition_function(estimator: str, acquisition: str) -> None:
    settings = {"base_estimator": estimator, "acq_func": acquisition, "n_initial_points": "6"}
    simulation = simulate(MIXED, mixed, settings)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none gets through to the user
        simulation.run(create_algorithm(simulation.spec), 8)
    assert len({simulation.history.point(t.parameters) for t in simulation.history.finished}) == 8


@pytest.mark.parametrize("optimizer", ["auto", "sampling", "lbfgs"])
def test_every_way_to_maximise(optimizer: str) -> None:
    simulation = simulate(PLANE, valley, {"acq_optimizer": optimizer, "n_initial_points": "3"})
    simulation.run(create_algorithm(simulation.spec), 6)
    assert len(simulation.history) == 6


def test_initial_points_fill_the_space_and_differ_by_seed() -> None:
    designs = []
    for seed in (1, 2):
        simulation = simulate(SearchSpace((Real("x", 0, 1), Real("y", 0, 1))), valley, {"n_initial_points": "16"}, seed)
        suggestions = create_algorithm(simulation.spec).suggest(simulation.history, 16).suggestions
        cells = {(int(4 * s.parameters["x"]), int(4 * s.parameters["y"])) for s in suggestions}
        assert len(cells) == 16  # a Sobol sequence puts one of 16 points into each cell of a 4 x 4 grid
        designs.append(suggestions)
    assert designs[0] != designs[1]


def test_random_state_goes_before_the_experiments_seed() -> None:
    def first(settings: Mapping[str, str], seed: int) -> object:
        simulation = simulate(PLANE, valley, settings, seed)
        return create_algorithm(simulation.spec).suggest(simulation.history, 1)

    assert first({"random_state": "3"}, 4) == first({}, 3)
    assert first({}, 3) != first({}, 4)


@pytest.mark.parametrize("values", ODD_VALUES.values(), ids=ODD_VALUES)
@pytest.mark.parametrize("acquisition", ["EI", "EIps"])
def test_odd_data(values: list[float], acquisition: str) -> None:
    simulation = simulate(MIXED, mixed, {"n_initial_points": "0", "acq_func": acquisition})
    algorithm = create_algorithm(simulation.spec)
    starts = [Suggestion({"x": -i / 7, "n": i + 1, "c": "abc"[i % 3]}) for i in range(len(values))]
    for trial, value in zip(simulation.start(starts), values, strict=True):
        simulation.report(trial.number, value)
        simulation.finish(trial.number, TrialState.FAILED if math.isnan(value) else TrialState.SUCCEEDED)
    suggestions = algorithm.suggest(simulation.history, 2).suggestions
    assert len({str(s.parameters) for s in suggestions}) == 2
    assert all(MIXED.contains(s.parameters) for s in suggestions)


@pytest.mark.parametrize(
    "space",
    [
        pytest.param(
            SearchSpace((Choice("a", tuple("abcdefgh")), Choice("b", tuple(range(100))))), id="categories only"
        ),
        pytest.param(SearchSpace((Real("a", 2.0, 2.0), Real("b", -1.0, 1.0), Choice("c", ("x",)))), id="constants"),
        pytest.param(SearchSpace((Ordinal("a", (1, 10, 100)), Real("b", 0, 1, step=0.001))), id="steps"),
        pytest.param(
            SearchSpace(
                (
                    Choice("kind", ("plain", "deep")),
                    Real("rate", 0, 1, condition=Condition("kind", ("deep",))),
                    Choice("act", ("relu", "tanh"), condition=Condition("kind", ("deep",))),
                    Real("x", 0, 1),
                )
            ),
            id="conditions",
        ),
    ],
)
def test_kinds_of_spaces(space: SearchSpace) -> None:
    simulation = simulate(space, lambda p: float(np.nansum(space.to_unit(p))), {"n_initial_points": "4"})
    simulation.run(create_algorithm(simulation.spec), 8, parallel=2)
    points = [t.parameters for t in simulation.history.finished]
    assert all(space.contains(p) for p in points)
    assert len({simulation.history.point(p) for p in points}) == 8


def test_a_space_of_one_point_is_used_up_at_once() -> None:
    simulation = simulate(SearchSpace((Real("a", 2.0, 2.0),)), lambda p: 1.0, {"n_initial_points": "0"})
    last = simulation.run(create_algorithm(simulation.spec), 5)
    assert len(simulation.history) == 1
    assert last.exhausted


def test_many_workers_keep_apart() -> None:
    simulation = simulate(PLANE, valley, {"n_initial_points": "5"})
    algorithm = create_algorithm(simulation.spec)
    simulation.run(algorithm, 5)
    simulation.start(algorithm.suggest(simulation.history, 8).suggestions)
    points = simulation.history.pending()
    distances = [np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]]
    assert min(distances) > 0


def test_failures_are_avoided() -> None:
    """A quarter of the plane fails; told to be bad, it is left."""
    simulation = simulate(SearchSpace((Real("x", 0, 1), Real("y", 0, 1))), lambda p: -float(p["x"]), {"acq_func": "EI"})
    algorithm = create_algorithm(simulation.spec)
    failed = []
    for number in range(24):
        (trial,) = simulation.start(algorithm.suggest(simulation.history, 1).suggestions)
        failed.append(trial.parameters["x"] > 0.5 and trial.parameters["y"] > 0.5)
        simulation.evaluate(number, TrialState.FAILED if failed[-1] else TrialState.SUCCEEDED)
    assert sum(failed[:10]) >= 2
    assert sum(failed[14:]) <= 2


def test_of_a_long_history_the_best_and_the_newest_are_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = simulate(PLANE, valley, {"acq_func": "EI"})
    simulation.run(create_algorithm(simulate(PLANE, valley, {}, name="random").spec), 400, parallel=50)
    fitted: list[Observed] = []
    fit = SkoptSurrogate.__init__
    monkeypatch.setattr(SkoptSurrogate, "__init__", lambda self, *given: fitted.append(given[1]) or fit(self, *given))
    create_algorithm(simulation.spec).suggest(simulation.history, 1)
    (observed,) = fitted
    trials = simulation.history.finished
    best = sorted(trials, key=lambda t: valley(t.parameters))[:50]
    rows = {tuple(point) for point in observed.points.tolist()}
    assert len(rows) == 100
    assert {tuple(PLANE.to_unit(t.parameters).tolist()) for t in [*best, *trials[-40:]]} <= rows


@pytest.mark.slow
def test_better_than_chance() -> None:
    """Medians over five seeds; the true ratio is about one to a hundred."""
    best: dict[str, list[float]] = {"random": [], "bayesianoptimization": []}
    for name, results in best.items():
        for seed in range(5):
            simulation = simulate(PLANE, valley, {}, seed, name)
            simulation.run(create_algorithm(simulation.spec), 22)
            results.append(min(valley(t.parameters) for t in simulation.history.finished))
    assert statistics.median(best["bayesianoptimization"]) < statistics.median(best["random"]) / 3


class TestWarmStart:
    """Former experiments whose trials are borne out take the place of the first space-filling trials."""

    SPACE = SearchSpace((Real("x", 0.0, 1.0), Real("y", 0.0, 1.0)))

    def simulation(self, sign: float) -> Simulation:
        """Five trials of a bowl, with forty of the same one (or of its opposite) on another scale before them."""

        def bowl(point):
            return (point["x"] - 0.3) ** 2 + (point["y"] - 0.6) ** 2

        rows = np.random.default_rng(1).random((40, 2)).tolist()
        points = [{"x": x, "y": y} for x, y in rows]
        trials = tuple(FormerTrial(f"t{i}", point, (sign * 30 * bowl(point),)) for i, point in enumerate(points))
        component = Component("bayesianoptimization", {"engine": "skopt"})
        sources = (Source(Key("default", "former"), trials, 40),)
        spec = ExperimentSpec(Key("default", "new"), self.SPACE, Objective("loss"), component, seed=3, sources=sources)
        simulation = Simulation(spec, bowl)
        simulation.history = History(spec.space, spec.objective, sources=sources)
        simulation.run(Sobol(replace(spec, algorithm=Component("sobol"))), 5)
        return simulation

    def test_confirmed_sources_are_learned_from_at_once(self):
        simulation = self.simulation(1.0)
        (suggestion,) = BayesianOptimization(simulation.spec).suggest(simulation.history, 1).suggestions
        assert np.hypot(suggestion.parameters["x"] - 0.3, suggestion.parameters["y"] - 0.6) < 0.15

    def test_refuted_ones_change_nothing(self):
        simulation = self.simulation(-1.0)
        cold = History(self.SPACE, simulation.spec.objective, simulation.history.trials.values())
        algorithm = BayesianOptimization(simulation.spec)
        assert algorithm.suggest(simulation.history, 2) == algorithm.suggest(cold, 2)
