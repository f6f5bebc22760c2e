"""What algorithms that learn from the history have in common: they learn, from failures too, and from any data."""

from __future__ import annotations

import math
import statistics
import warnings

import numpy as np
import pytest

from algorithms import create_algorithm
from katib.core.constraints import Constraint
from katib.core.objective import Direction, Objective, Target
from katib.core.space import SearchSpace
from katib.core.trial import Suggestion, TrialState
from tests.algorithms.problems import (
    KINDS_OF_SPACES,
    MIXED,
    ODD_VALUES,
    PLANE,
    PROBLEMS,
    SQUARE,
    anywhere,
    mixed,
    simulate,
    valley,
)

# Settings with which an algorithm begins to learn after the given number of trials.
STARTS = {
    "tpe": {"n_startup_trials": "4"},
    "multivariate-tpe": {"n_startup_trials": "4"},
    "cmaes": {"population_size": "4"},
}
LEARNERS = sorted(STARTS)


@pytest.mark.parametrize("algorithm", LEARNERS)
@pytest.mark.parametrize("values", ODD_VALUES.values(), ids=ODD_VALUES)
def test_odd_data(algorithm: str, values: list[float]) -> None:
    simulation = simulate(algorithm, MIXED, mixed, {**STARTS[algorithm]})
    starts = [Suggestion({"x": -i / 7, "z": i / 20, "n": i + 1, "c": "abc"[i % 3], "o": 2}) for i in range(len(values))]
    for trial, value in zip(simulation.start(starts), values, strict=True):
        simulation.report(trial.number, value)
        simulation.finish(trial.number, TrialState.FAILED if math.isnan(value) else TrialState.SUCCEEDED)
    suggestions = create_algorithm(simulation.spec).suggest(simulation.history, 2).suggestions
    assert len({str(s.parameters) for s in suggestions}) == 2
    assert all(MIXED.contains(s.parameters) for s in suggestions)


@pytest.mark.parametrize("algorithm", LEARNERS)
@pytest.mark.parametrize("space", KINDS_OF_SPACES.values(), ids=KINDS_OF_SPACES)
def test_kinds_of_spaces(algorithm: str, space: SearchSpace, capfd: pytest.CaptureFixture[str]) -> None:
    simulation = simulate(algorithm, space, anywhere, STARTS[algorithm])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # none gets through to the user
        simulation.run(create_algorithm(simulation.spec), 30, parallel=3, order=1)
    points = [t.parameters for t in simulation.history.finished]
    assert all(space.contains(p) for p in points)
    assert len({simulation.history.point(p) for p in points}) == 30
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_many_workers_keep_apart(algorithm: str) -> None:
    simulation = simulate(algorithm, settings=STARTS[algorithm])
    searcher = create_algorithm(simulation.spec)
    simulation.run(searcher, 20)
    simulation.start(searcher.suggest(simulation.history, 16).suggestions)
    points = simulation.history.pending()
    distances = [np.linalg.norm(a - b) for i, a in enumerate(points) for b in points[:i]]
    assert min(distances) > 1e-3


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_failures_are_avoided(algorithm: str) -> None:
    """Values get better towards a region in which all trials fail. Unless that is learned, all go there in the end:
    but for cmaes, whose distribution moves to what has a value and no further."""
    shares = {}
    for state in (TrialState.FAILED, TrialState.KILLED):  # a killed trial says nothing
        simulation = simulate(algorithm, SQUARE, lambda p: -float(p["x"]))
        searcher = create_algorithm(simulation.spec)
        inside = []
        for number in range(60):
            (trial,) = simulation.start(searcher.suggest(simulation.history, 1).suggestions)
            inside.append(float(trial.parameters["x"]) > 0.7)
            simulation.evaluate(number, state if inside[-1] else TrialState.SUCCEEDED)
        shares[state] = sum(inside[30:]) / 30
    assert shares[TrialState.FAILED] < 0.7
    assert shares[TrialState.KILLED] > 0.8 or algorithm == "cmaes"


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_failures_alone_teach_nothing_good(algorithm: str) -> None:
    """With many failures and few values, the failed ones never pass for good ones."""
    simulation = simulate(algorithm, SQUARE, lambda p: 1.0, STARTS[algorithm])
    crowd = [Suggestion({"x": 0.9 + i / 2000, "y": 0.9 + (i * 37 % 100) / 2000}) for i in range(100)]
    for trial in simulation.start(crowd):
        simulation.evaluate(trial.number, TrialState.FAILED)
    few = [Suggestion({"x": 0.1 + i / 50, "y": 0.2}) for i in range(6)]
    for trial in simulation.start(few):
        simulation.evaluate(trial.number)
    suggestions = create_algorithm(simulation.spec).suggest(simulation.history, 8).suggestions
    assert sum(s.parameters["x"] > 0.9 and s.parameters["y"] > 0.9 for s in suggestions) == 0


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_constraints_on_parameters_are_kept(algorithm: str) -> None:
    space = SearchSpace(SQUARE.parameters, constraints=(Constraint("x + y <= 0.5"),))
    simulation = simulate(algorithm, space, lambda p: -float(p["x"]), STARTS[algorithm])
    simulation.run(create_algorithm(simulation.spec), 25, parallel=3)
    points = [t.parameters for t in simulation.history.finished]
    assert all(p["x"] + p["y"] <= 0.5 for p in points)
    assert max(p["x"] for p in points) > 0.35


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_constraints_on_metrics_are_learned(algorithm: str) -> None:
    objective = Objective("loss", constraints=(Constraint("memory <= 0.6"),))
    simulation = simulate(algorithm, SQUARE, lambda p: -float(p["x"]), objective=objective)
    simulation.others = {"memory": lambda p: float(p["x"])}
    simulation.run(create_algorithm(simulation.spec), 60)
    later = [float(simulation.history.trials[number].parameters["x"]) for number in range(30, 60)]
    assert sum(x <= 0.6 for x in later) >= 10  # unless learned, nearly all lie beyond
    assert statistics.median(later) > 0.4


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe"])
def test_several_objectives_are_traded_off(algorithm: str) -> None:
    """Every x is a best compromise; y is bad for both."""
    objective = Objective("loss", others=(Target("score", Direction.MAXIMIZE, None),))
    simulation = simulate(algorithm, SQUARE, lambda p: float(p["x"] ** 2 + 2 * p["y"]), objective=objective)
    simulation.others = {"score": lambda p: -float((p["x"] - 1) ** 2 + 2 * p["y"])}
    simulation.run(create_algorithm(simulation.spec), 80, parallel=2, order=1)
    later = [simulation.history.trials[number].parameters for number in range(40, 80)]
    assert statistics.median(float(p["y"]) for p in later) < 0.15
    assert {int(4 * float(p["x"])) for p in later} == {0, 1, 2, 3}


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_repeated_runs_count_once(algorithm: str) -> None:
    """A batch leaves room for the numbers of all runs, so one call for two is two calls for one."""
    objective = Objective("loss", repeats=3)
    answers = []
    for counts in ((2,), (1, 1)):
        simulation = simulate(algorithm, settings=STARTS[algorithm], objective=objective)
        searcher = create_algorithm(simulation.spec)
        while len(simulation.history) < 30:
            for trial in simulation.start(list(searcher.suggest(simulation.history, 1).suggestions) * 3):
                simulation.evaluate(trial.number)
        for count in counts:
            found = searcher.suggest(simulation.history, count).suggestions
            simulation.start([s for s in found for _ in range(3)])
        answers.append([t.parameters for t in simulation.running])
    assert answers[0] == answers[1]


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", LEARNERS)
@pytest.mark.parametrize("problem", sorted(PROBLEMS))
def test_better_than_chance(algorithm: str, problem: str) -> None:
    """Medians of the best value over nine seeds, with four trials at a time."""
    space, function, trials = PROBLEMS[problem]
    best: dict[str, list[float]] = {"random": [], algorithm: []}
    for name, results in best.items():
        for seed in range(9):
            simulation = simulate(name, space, function, seed=seed)
            simulation.run(create_algorithm(simulation.spec), trials, parallel=4, order=seed)
            results.append(min(function(t.parameters) for t in simulation.history.finished))
    assert statistics.median(best[algorithm]) < statistics.median(best["random"]) * 0.7


def test_the_plane_has_its_best_point_where_the_tests_think() -> None:
    assert valley({"x": 1e-3, "y": 0.5}) == 0
    assert PLANE.contains({"x": 1e-3, "y": 0.5})
    assert mixed({"x": 1, "z": 0.7, "n": 20, "c": "b", "o": 2}) == 0
