"""Faults that other systems had, looked for here: seeds and threads, restarts, TPE, CMA-ES, grids, integers, guards.

The number in each name is that of the table in docs/pitfalls.md, which points at further tests.
"""

from __future__ import annotations

import ast
import itertools
import math
import random
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from algorithms import create_algorithm
from katib.core.objective import Objective
from katib.core.space import Choice, Distribution, Integer, Ordinal, Parameter, Real, SearchSpace
from katib.core.trial import Parameters, TrialState
from tests.algorithms.problems import MIXED, mixed, simulate
from tests.contracts.simulation import Simulation

ROOT = Path(__file__).parents[2]
LOG = Distribution.LOG_UNIFORM
EVERY: Mapping[str, Mapping[str, str]] = {
    "random": {},
    "sobol": {},
    "tpe": {"n_startup_trials": "4"},
    "multivariate-tpe": {"n_startup_trials": "4"},
    "cmaes": {"population_size": "4"},
    "pbt": {"n_population": "9", "truncation_threshold": "0.4"},
    "hyperband": {"r_l": "64", "resource_name": "n"},
}
MODELS = ("tpe", "multivariate-tpe", "cmaes")


def begun(algorithm: str, trials: int = 14) -> Simulation:
    """A search of MIXED after some trials, three of which still run."""
    simulation = simulate(algorithm, MIXED, mixed, EVERY[algorithm], seed=5)
    simulation.run(create_algorithm(simulation.spec), trials - 3, parallel=4, order=2)
    simulation.start(create_algorithm(simulation.spec).suggest(simulation.history, 3).suggestions)
    return simulation


# 11: draws from global generators, or from one that threads share, differ from run to run; the same seed for each
# worker makes all of its first trials the same.
@pytest.mark.parametrize("algorithm", EVERY)
def test_11_threads_change_nothing_and_touch_no_global_generator(algorithm: str) -> None:
    simulation = begun(algorithm)
    expected = create_algorithm(simulation.spec).suggest(simulation.history, 2)
    random.seed(4)
    np.random.seed(4)
    before = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]

    def ask(_: int) -> object:
        return create_algorithm(simulation.spec).suggest(simulation.restarted(), 2)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(8))) == [expected] * 8
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # type: ignore[index]


@pytest.mark.parametrize("algorithm", EVERY)
def test_11_first_trials_of_as_many_workers_differ(algorithm: str) -> None:
    simulation = simulate(algorithm, MIXED, mixed, EVERY[algorithm])
    points = [s.parameters for s in create_algorithm(simulation.spec).suggest(simulation.history, 9).suggestions]
    assert len({simulation.history.point(point) for point in points}) == 9
    assert len({point["x"] for point in points}) > 4


# 13: a log-uniform prior for every double breaks bounds of 0 and below; parallel suggestions were the same.
@pytest.mark.parametrize("algorithm", [name for name in EVERY if name != "hyperband"])
@pytest.mark.parametrize(
    ("low", "high", "distribution"),
    [(-3.0, -1.0, Distribution.UNIFORM), (0.0, 1e-9, Distribution.UNIFORM), (-1.0, 1.0, Distribution.NORMAL)],
    ids=["negative", "from 0, tiny", "around 0, normal"],
)
def test_13_bounds_below_zero(algorithm: str, low: float, high: float, distribution: Distribution) -> None:
    space = SearchSpace((Real("x", low, high, distribution), Real("y", 0.0, 1.0)))
    simulation = simulate(algorithm, space, lambda p: float(p["x"]), EVERY[algorithm])
    simulation.run(create_algorithm(simulation.spec), 24, parallel=8, order=1)
    values = [float(trial.parameters["x"]) for trial in simulation.history.trials.values() if trial.parent is None]
    assert all(low <= value <= high for value in values)
    assert space["x"].to_unit(min(values)) < 1 / 3
    assert space["x"].to_unit(max(values)) > 2 / 3


# 20: densities of categories became NaN or infinite, good and bad trials overlapped, and the model never came to use.
# Here, once: where all that the model drew was tried before, what followed was drawn at random.
@pytest.mark.parametrize("algorithm", MODELS)
def test_20_a_space_of_categories_alone_is_learned(algorithm: str) -> None:
    space = SearchSpace(tuple(Choice(f"c{i}", tuple("abcdef")) for i in range(4)))

    def wrong(p: Parameters) -> float:
        return float(sum(value != "d" for value in p.values()))

    shares = []
    for seed in range(3):
        simulation = simulate(algorithm, space, wrong, EVERY[algorithm], seed)
        simulation.run(create_algorithm(simulation.spec), 60, parallel=4, order=seed)
        later = [simulation.history.trials[number].parameters for number in range(40, 60)]
        shares.append(sum(4 - wrong(p) for p in later) / 80)
    assert sorted(shares)[1] > 0.3  # by chance: a sixth; the best point itself comes once only


@pytest.mark.parametrize("algorithm", MODELS)
@pytest.mark.parametrize("values", [[0.0] * 12, [1.0] * 11 + [0.0]], ids=["all equal", "one better"])
def test_20_one_category_that_all_trials_share(algorithm: str, values: list[float]) -> None:
    """No trial has any of the other categories: their counts are 0, their densities must not be."""
    space = SearchSpace((Choice("c", tuple("ab")), Real("x", 0, 1), Real("y", 0, 1)))
    simulation = simulate(algorithm, space, lambda p: 0.0, EVERY[algorithm])
    for number, value in enumerate(values):
        (trial,) = simulation.start(create_algorithm(simulation.spec).suggest(simulation.history, 1).suggestions)
        simulation.report(number, value)
        failed = trial.parameters["c"] == "b"
        simulation.finish(number, TrialState.FAILED if failed else TrialState.SUCCEEDED)
    answer = create_algorithm(simulation.spec).suggest(simulation.history, 20).suggestions
    assert len(answer) == 20
    assert all(space.contains(suggestion.parameters) for suggestion in answer)


# 22: `array_comparison is True` never holds for numpy's booleans, so a guard never closed.
def test_22_no_guard_compares_the_identity_of_booleans() -> None:
    found = []
    for folder in ("algorithms", "katib/core", "katib/engine", "suggestion_service/codec"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Compare) and any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops):
                    sides = (node.left, *node.comparators)
                    if any(isinstance(side, ast.Constant) and isinstance(side.value, bool) for side in sides):
                        found.append(f"{file.relative_to(ROOT)}:{node.lineno}")
    assert found == []


@pytest.mark.parametrize("algorithm", ["tpe", "multivariate-tpe"])
@pytest.mark.parametrize(("startup", "modelled"), [(6, True), (7, False)])
def test_22_the_guard_of_the_start_counts_trials_that_have_a_value(
    algorithm: str, startup: int, modelled: bool
) -> None:
    """The counts are numpy's numbers: of nine finished trials six have a value."""
    settings = {"n_startup_trials": str(startup)}
    simulation = simulate(algorithm, MIXED, mixed, settings)
    sobol = simulate("sobol", MIXED, mixed)
    searcher = create_algorithm(simulation.spec)
    for number in range(9):
        simulation.start(searcher.suggest(simulation.history, 1).suggestions)
        simulation.evaluate(number, TrialState.FAILED if number % 3 == 0 else TrialState.SUCCEEDED)
    sobol.run(create_algorithm(sobol.spec), 10)
    (answer,) = searcher.suggest(simulation.history, 1).suggestions
    assert (answer.parameters != sobol.history.trials[9].parameters) is modelled


GRIDS = {
    "log integers": Integer("p", 1, 10, LOG),
    "log integers from 2": Integer("p", 2, 7, LOG),
    "log integers with a step": Integer("p", 4, 64, LOG, step=12),
    "step that does not divide low": Integer("p", 10, 31, step=7),
    "log-normal integers": Integer("p", 1, 9, Distribution.LOG_NORMAL),
    "log doubles with a step": Real("p", 0.1, 1.0, LOG, step=0.3),
    "step that does not reach the end": Real("p", 0.0, 1.0, step=0.3),
    "discrete": Ordinal("p", (1, 10, 1000)),
}
NUMBERS = GRIDS | {
    "log doubles": Real("p", 1e-9, 1e3, LOG),
    "log doubles, almost a point": Real("p", 1.0, 1.0 + 1e-12, LOG),
    "wide integers": Integer("p", 1, 10**15, LOG),
    "normal": Real("p", -1e-3, 1e6, Distribution.NORMAL),
}


def edges(parameter: Parameter) -> list[float]:
    """Coordinates where rounding may go wrong: both ends, and the borders between values, with their neighbours."""
    points = [0.0, 0.5, 1.0]
    if parameter.count <= 64:
        middles = [parameter.to_unit(parameter.value_at(index)) for index in range(int(parameter.count))]
        points += middles
        for below, above in itertools.pairwise(middles):
            low, high = below, above
            while math.nextafter(low, 1) < high:  # the last coordinate that still has the value of ``below``
                middle = (low + high) / 2
                low, high = (
                    (middle, high) if parameter.from_unit(middle) == parameter.from_unit(below) else (low, middle)
                )
            points += [low, high]
    near = [math.nextafter(point, to) for point in points for to in (-1.0, 2.0)]
    return [point for point in (*points, *near) if 0 <= point <= 1]


# 23: rounding led out of the bounds, end values got half of their share, and logarithms were taken of shifted values.
@pytest.mark.parametrize("parameter", NUMBERS.values(), ids=NUMBERS)
def test_23_no_coordinate_leads_out_of_the_bounds(parameter: Parameter) -> None:
    dice = np.random.default_rng(1)
    coordinates = [*edges(parameter), *dice.random(3000).tolist(), *(dice.random(1000) ** 40).tolist()]
    for u in (*coordinates, *(1 - u for u in coordinates)):
        value = parameter.from_unit(u)
        assert parameter.check(value) == value
        if not isinstance(parameter, Ordinal):
            assert parameter.low <= value <= parameter.high  # type: ignore[operator]


@pytest.mark.parametrize("parameter", GRIDS.values(), ids=GRIDS)
def test_23_every_value_gets_its_share_of_the_scale_the_end_values_too(parameter: Parameter) -> None:
    """On a log scale the share of a value is the logarithm of its bin, half a step to both sides."""
    draws = 4000
    seen = Counter(parameter.from_unit(u) for u in np.random.default_rng(3).random(draws).tolist())
    values = [parameter.value_at(index) for index in range(int(parameter.count))]
    if isinstance(parameter, Integer) and parameter.distribution is LOG:
        half = float(parameter.step or 1) / 2
        bottom = parameter.low - half if parameter.low > half else parameter.low / 2
        lows = [bottom, *(float(value) - half for value in values[1:])]  # type: ignore[arg-type]
        widths = [math.log((float(v) + half) / low) for v, low in zip(values, lows, strict=True)]  # type: ignore[arg-type]
    else:
        borders = [0.0, *(border for border in _borders(parameter, values)), 1.0]
        widths = [above - below for below, above in itertools.pairwise(borders)]
    expected = [draws * width / math.fsum(widths) for width in widths]
    assert set(seen) == set(values)
    assert chisquare([seen[value] for value in values], expected).pvalue > 1e-4


def _borders(parameter: Parameter, values: list[object]) -> list[float]:
    """Coordinates at which one value of a grid gives way to the next: twice the middle less the border before it."""
    borders: list[float] = []
    for value in values[:-1]:
        before = borders[-1] if borders else 0.0
        borders.append(2 * parameter.to_unit(value) - before)  # type: ignore[arg-type]
    return borders


@pytest.mark.parametrize("algorithm", MODELS)
def test_23_the_best_value_at_the_end_of_a_log_scale_is_found(algorithm: str) -> None:
    space = SearchSpace((Integer("n", 1, 10**4, LOG), Integer("k", 4, 64, LOG, step=12), Real("x", 0, 1)))

    def loss(p: Parameters) -> float:
        return math.log(float(p["n"])) + math.log(64 / float(p["k"])) + abs(float(p["x"]) - 0.5)

    best = []
    for seed in range(3):
        simulation = simulate(algorithm, space, loss, EVERY[algorithm], seed, Objective("loss"))
        simulation.run(create_algorithm(simulation.spec), 90, parallel=2, order=seed)
        found = min(simulation.history.finished, key=lambda trial: loss(trial.parameters)).parameters
        best.append((found["n"], found["k"]) == (1, 64))
    assert sum(best) >= 2
