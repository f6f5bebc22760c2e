"""Bayesian optimisation with our own Gaussian process: what others get wrong, odd data, and better than chance."""

from __future__ import annotations

import math
import statistics
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from algorithms import create_algorithm
from algorithms.bayesian_optimization import BayesianOptimization
from algorithms.blas_threads import one_blas_thread
from algorithms.sobol import Sobol
from benchmarks.search.ablation import NoTrend
from katib.core.constraints import Constraint
from katib.core.errors import SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Objective, Target
from katib.core.space import Choice, Condition, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Parameters, Suggestion, TrialState
from katib.core.warm_start import FormerTrial, Source
from tests.algorithms.problems import KINDS_OF_SPACES, MIXED, ODD_VALUES, PLANE, SQUARE, valley
from tests.contracts.simulation import Function, Simulation


def simulate(
    space: SearchSpace, function: Function, settings: Mapping[str, str] | None = None, seed: int = 0, **more: object
) -> Simulation:
    component = Component("bayesianoptimization", settings or {})
    spec = ExperimentSpec(Key("d", "e"), space, Objective("loss"), component, seed=seed)
    return Simulation(replace(spec, **more), function)


def mixed(p: Parameters) -> float:
    return (float(p["x"]) - 2) ** 2 + abs(float(p["n"]) - 20) / 20 + (p["c"] != "b") + abs(float(p["o"]) - 4)


@pytest.mark.parametrize("acquisition", ["gp_hedge", "EI", "PI", "LCB"])
def test_every_acquisition_function_finds_good_points(acquisition: str) -> None:
    simulation = simulate(MIXED, mixed, {"acq_func": acquisition})
    simulation.run(create_algorithm(simulation.spec), 30)
    losses = simulation.history.view().Y[:, 0]
    assert losses[15:].min() < 1.3  # one random point in a hundred is as good


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"engine": "gp", "base_estimator": "RF"}, "RF"),
        ({"engine": "gp", "acq_func": "EIps"}, "EIps"),
        ({"engine": "hebo"}, "expected one of auto, gp, skopt"),
    ],
    ids=["surrogate", "acquisition", "unknown"],
)
def test_engines_refuse_what_they_do_not_have(settings: Mapping[str, str], problem: str) -> None:
    with pytest.raises(SpecError, match=problem):
        create_algorithm(simulate(PLANE, valley, settings).spec)


def test_skopt_refuses_several_objectives() -> None:
    objective = Objective("loss", others=(Target("cost"),))
    with pytest.raises(SpecError, match="several objectives"):
        create_algorithm(simulate(PLANE, valley, {"engine": "skopt"}, objective=objective).spec)


def test_the_start_is_the_middle_and_then_fills_the_space() -> None:
    simulation = simulate(SQUARE, valley, {"n_initial_points": "17"})
    suggestions = create_algorithm(simulation.spec).suggest(simulation.history, 17).suggestions
    assert suggestions[0].parameters == {"x": 0.5, "y": 0.5}
    cells = {(int(4 * s.parameters["x"]), int(4 * s.parameters["y"])) for s in suggestions[1:]}
    assert len(cells) == 16  # a Sobol sequence puts one of 16 points into each cell of a 4 x 4 grid


def test_failed_trials_do_not_count_as_a_start() -> None:
    simulation = simulate(SQUARE, valley, {"n_initial_points": "4"})
    algorithm = create_algorithm(simulation.spec)
    simulation.run(algorithm, 6, fates=(TrialState.FAILED,))
    filling = create_algorithm(simulate(SQUARE, valley, {"n_initial_points": "40"}).spec)
    assert algorithm.suggest(simulation.history, 1) == filling.suggest(simulation.history, 1)


@pytest.mark.parametrize("values", ODD_VALUES.values(), ids=ODD_VALUES)
def test_odd_data(values: list[float]) -> None:
    simulation = simulate(MIXED, mixed, {"n_initial_points": "0"})
    starts = [Suggestion(MIXED.from_unit(np.random.default_rng(i).random(5))) for i in range(len(values))]
    for trial, value in zip(simulation.start(starts), values, strict=True):
        simulation.report(trial.number, value)
        simulation.finish(trial.number, TrialState.FAILED if math.isnan(value) else TrialState.SUCCEEDED)
    suggestions = create_algorithm(simulation.spec).suggest(simulation.history, 3).suggestions
    assert len({str(s.parameters) for s in suggestions}) == 3
    assert all(MIXED.contains(s.parameters) for s in suggestions)


@pytest.mark.parametrize("space", KINDS_OF_SPACES.values(), ids=KINDS_OF_SPACES)
def test_kinds_of_spaces(space: SearchSpace) -> None:
    simulation = simulate(space, lambda p: float(np.nansum(space.to_unit(p))), {"n_initial_points": "4"})
    simulation.run(create_algorithm(simulation.spec), 10, parallel=2)
    points = [t.parameters for t in simulation.history.finished]
    assert all(space.contains(p) for p in points)
    assert len({simulation.history.point(p) for p in points}) == 10


GRID = SearchSpace((Integer("a", 1, 3), Ordinal("b", (1, 2, 4, 8)), Choice("c", tuple("vwxyz"))))


@pytest.mark.parametrize("parallel", [1, 8])
def test_a_grid_of_sixty_points_has_no_duplicate_and_is_then_exhausted(parallel: int) -> None:
    """Pitfall 18: duplicates, and spaces that are used up unnoticed."""
    simulation = simulate(GRID, lambda p: float(GRID.to_unit(p).sum()))
    last = simulation.run(create_algorithm(simulation.spec), 100, parallel=parallel, order=3)
    assert last.exhausted
    assert (
        len(simulation.history)
        == len({simulation.history.point(t.parameters) for t in simulation.history.finished})
        == 60
    )


def test_no_point_of_a_larger_finite_space_comes_twice() -> None:
    space = SearchSpace((Integer("a", 1, 30), Integer("b", 1, 30), Choice("c", ("x", "y"))))
    simulation = simulate(space, lambda p: float(space.to_unit(p)[:2].sum()))
    simulation.run(create_algorithm(simulation.spec), 60)
    assert len({simulation.history.point(t.parameters) for t in simulation.history.finished}) == 60


@pytest.mark.parametrize("workers", [8, 16])
def test_many_workers_keep_apart(workers: int) -> None:
    """Pitfall 19: pending trials ignored."""
    simulation = simulate(PLANE, valley)
    algorithm = create_algorithm(simulation.spec)
    simulation.run(algorithm, 8)
    simulation.start(algorithm.suggest(simulation.history, workers).suggestions)
    points = simulation.history.pending()
    distances = [np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]]
    assert min(distances) > 1e-3


@pytest.mark.parametrize(
    ("loss", "trials"),
    [
        pytest.param(lambda p: -float(p["x"]), 40, id="the best is at the border"),
        pytest.param(lambda p: (float(p["x"]) - 0.2) ** 2 + (float(p["y"]) - 0.3) ** 2, 60, id="the best is known"),
    ],
)
def test_failures_are_avoided(loss: Callable[[Parameters], float], trials: int) -> None:
    """Pitfall 17: failed trials ignored. A quarter of the plane fails. At its border are the best values, or else there
    is soon nothing to gain but in that quarter, of which no loss is known."""
    simulation = simulate(SQUARE, loss)
    algorithm = create_algorithm(simulation.spec)
    failed = []
    for number in range(trials):
        (trial,) = simulation.start(algorithm.suggest(simulation.history, 1).suggestions)
        failed.append(trial.parameters["x"] > 0.5 and trial.parameters["y"] > 0.5)
        simulation.evaluate(number, TrialState.FAILED if failed[-1] else TrialState.SUCCEEDED)
    assert sum(failed[:20]) >= 1
    assert sum(failed[20:]) <= 5
    points = [simulation.history.point(t.parameters) for t in simulation.history.finished]
    assert len(set(points)) == len(points)  # never the same failure twice


def test_constraints_on_metrics_are_learned() -> None:
    objective = Objective("loss", additional=("size",), constraints=(Constraint("size <= 0.8"),))
    simulation = simulate(SQUARE, lambda p: -float(p["x"]) - float(p["y"]), objective=objective)
    simulation.others = {"size": lambda p: float(p["x"]) ** 2 + 0.1 * float(p["y"])}
    simulation.run(create_algorithm(simulation.spec), 30)
    view = simulation.history.view()
    feasible = (view.violations <= 0).all(axis=1)
    assert feasible[15:].mean() > 0.25
    assert view.Y[feasible, 0].min() < -1.8  # the best is -1.837, at x = sqrt(0.7), y = 1


def test_several_objectives_cover_the_front() -> None:
    """Schaffer's problem: the front lies between x = 0 and x = 0.4."""
    objective = Objective("loss", others=(Target("other"),))
    simulation = simulate(
        SearchSpace((Real("x", -1, 1), Real("y", 0, 1))),
        lambda p: float(p["x"]) ** 2 + float(p["y"]),
        objective=objective,
    )
    simulation.others = {"other": lambda p: (float(p["x"]) - 0.4) ** 2 + float(p["y"])}
    simulation.run(create_algorithm(simulation.spec), 30)
    found = sorted(float(t.parameters["x"]) for t in simulation.history.finished if float(t.parameters["y"]) < 0.05)
    inside = [x for x in found if -0.05 <= x <= 0.45]
    assert len(inside) >= 8
    assert max(np.diff([0.0, *inside, 0.4])) < 0.15


def test_a_converged_search_looks_elsewhere_half_of_the_time() -> None:
    """Of two hills of which the lower one is found first, and soon known to the last digit."""

    def hills(p: Parameters) -> float:
        x, y = float(p["x"]), float(p["y"])
        return min((x - 0.3) ** 2 + (y - 0.4) ** 2, 10 * ((x - 0.93) ** 2 + (y - 0.9) ** 2) - 0.2)

    simulation = simulate(SQUARE, hills)
    simulation.run(create_algorithm(simulation.spec), 60)
    points = np.array([[t.parameters["x"], t.parameters["y"]] for t in simulation.history.finished], dtype=float)
    away = [bool((np.linalg.norm(points[:i] - points[i], axis=1) > 0.02).all()) for i in range(30, 60)]
    assert sum(away) >= 15
    assert simulation.history.view().Y.min() < -0.19


@pytest.mark.parametrize("others", [(), (Target("other"),)], ids=["one objective", "two objectives"])
def test_a_trend_is_for_a_single_objective(others: tuple[Target, ...]) -> None:
    """Of trial 19, whose turn is the one with a trend."""
    simulation = simulate(PLANE, valley, objective=Objective("loss", others=others))
    simulation.others = {target.metric: lambda p: float(p["y"]) - float(p["x"]) for target in others}
    simulation.run(create_algorithm(simulation.spec), 19)
    suggested = [kind(simulation.spec).suggest(simulation.history, 1) for kind in (BayesianOptimization, NoTrend)]
    assert (suggested[0] == suggested[1]) == bool(others)


@pytest.mark.parametrize("parallel", [1, 4], ids=["sequential", "parallel"])
def test_the_same_bits_warm_or_cold_and_in_any_thread(parallel: int) -> None:
    simulation = simulate(MIXED, mixed)
    warm = create_algorithm(simulation.spec)
    simulation.run(warm, 24, parallel=parallel, order=2)

    def cold(_: int) -> object:
        return create_algorithm(simulation.spec).suggest(simulation.restarted(), 2)

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(cold, range(3)))
    assert answers == [warm.suggest(simulation.history, 2)] * 3


def test_linear_algebra_has_one_thread_inside_whoever_comes_first_and_leaves_last() -> None:
    def threads() -> list[int]:
        return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]

    before, barrier, seen = threads(), threading.Barrier(3), []

    def work(place: int) -> None:
        with one_blas_thread():
            barrier.wait()
            seen.append(threads())
            barrier.wait()
            time.sleep(0.02 * place)  # they leave in this order

    for _ in range(2):
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(work, range(3)))
        assert threads() == before
    assert seen == [[1] * len(before)] * 6


def test_no_global_state_is_touched() -> None:
    """Pitfalls 11 and 24: unseeded randomness, and BLAS threads left as they were not."""
    np.random.seed(5)
    before, threads = np.random.get_state()[1].tolist(), [pool["num_threads"] for pool in threadpool_info()]
    simulation = simulate(PLANE, valley)
    simulation.run(create_algorithm(simulation.spec), 8)
    assert np.random.get_state()[1].tolist() == before
    assert [pool["num_threads"] for pool in threadpool_info()] == threads


def test_random_state_goes_before_the_experiments_seed() -> None:
    def eighth(settings: Mapping[str, str], seed: int) -> Parameters:
        simulation = simulate(PLANE, valley, settings, seed)
        simulation.run(create_algorithm(simulation.spec), 8)
        return simulation.history.trials[7].parameters

    assert eighth({"random_state": "3"}, 4) == eighth({}, 3)
    assert eighth({}, 3) != eighth({}, 4)


def test_a_long_history_is_answered_from_a_part_of_it() -> None:
    simulation = simulate(PLANE, valley)
    random = replace(simulation.spec, algorithm=Component("random"))
    simulation.run(create_algorithm(random), 600, parallel=50)
    (suggestion,) = create_algorithm(simulation.spec).suggest(simulation.history, 1).suggestions
    losses = sorted(valley(t.parameters) for t in simulation.history.finished)
    assert valley(suggestion.parameters) < losses[60]


def test_better_than_chance() -> None:
    best: dict[str, list[float]] = {"random": [], "bayesianoptimization": []}
    for name, results in best.items():
        for seed in range(3):
            simulation = simulate(PLANE, valley, {}, seed, budget=Budget(max_trials=22), algorithm=Component(name))
            simulation.run(create_algorithm(simulation.spec), 22)
            results.append(min(valley(t.parameters) for t in simulation.history.finished))
    assert statistics.median(best["bayesianoptimization"]) < statistics.median(best["random"]) / 10


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
        component = Component("bayesianoptimization")
        sources = (Source(Key("default", "former"), trials, 40),)
        spec = ExperimentSpec(Key("default", "new"), self.SPACE, Objective("loss"), component, seed=3, sources=sources)
        simulation = Simulation(spec, bowl)
        simulation.history = History(spec.space, spec.objective, sources=sources)
        simulation.run(Sobol(replace(spec, algorithm=Component("sobol"))), 5)
        return simulation

    def test_confirmed_sources_are_learned_from_at_once(self):
        simulation = self.simulation(1.0)
        (suggestion,) = BayesianOptimization(simulation.spec).suggest(simulation.history, 1).suggestions
        assert np.hypot(suggestion.parameters["x"] - 0.3, suggestion.parameters["y"] - 0.6) < 0.2

    def test_refuted_ones_change_nothing(self):
        simulation = self.simulation(-1.0)
        cold = History(self.SPACE, simulation.spec.objective, simulation.history.trials.values())
        algorithm = BayesianOptimization(simulation.spec)
        assert algorithm.suggest(simulation.history, 2) == algorithm.suggest(cold, 2)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_branch_whose_first_trials_were_bad_is_tuned_all_the_same(seed: int) -> None:
    """The good branch is bad in most places. Where it gets no turn of its own, it is left with these seeds."""
    deep = tuple(Real(f"r{i}", 0, 1, condition=Condition("model", ("deep",))) for i in range(4))
    plain = Real("x", 0, 1, condition=Condition("model", ("plain",)))
    best = {"r0": 0.8, "r1": 0.2, "r2": 0.7, "r3": 0.4}

    def loss(p: Parameters) -> float:
        if p["model"] == "plain":
            return 0.3 + 0.1 * (float(p["x"]) - 0.5) ** 2
        return 8 * sum((float(p[name]) - at) ** 2 for name, at in best.items())

    space = SearchSpace((Choice("model", ("plain", "deep")), plain, *deep))
    simulation = simulate(space, loss, seed=seed)
    simulation.run(create_algorithm(simulation.spec), 40)
    assert simulation.history.view().Y.min() < 0.1
