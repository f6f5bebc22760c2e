"""Faults that other systems had, looked for here: Hyperband, stopping rules, population based training.

The number in each name is that of the table in docs/pitfalls.md, which points at further tests.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import count, pairwise

import numpy as np
import pytest

from algorithms import create_algorithm
from algorithms.hyperband import BRACKET, CONFIG, RUNG, Hyperband
from algorithms.median_stop import MedianStop
from algorithms.perturbation import perturb
from algorithms.population_based_training import GENERATION, MEMBER
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Measurement, Objective, Strategy
from katib.core.space import Distribution, Integer, Parameter, Real, SearchSpace
from katib.core.trial import Key, Suggestion, TrialState
from tests.contracts.simulation import Simulation

NAN = math.nan
X = Real("x", 0, 1)
TrialReports = Sequence[tuple[int | None, float]]  # (step, value), in the order in which they arrive


def hyperband(settings: Mapping[str, str], low: float = 1, high: float = 10**9) -> tuple[Simulation, Hyperband]:
    resource = Integer("epochs", int(low), int(high)) if low == int(low) else Real("epochs", low, high)
    component = Component("hyperband", {"resource_name": "epochs", **settings})
    spec = ExperimentSpec(Key("d", "e"), SearchSpace((X, resource)), Objective("loss"), component, Budget(), seed=1)
    return Simulation(spec, lambda p: float(p["x"])), Hyperband(spec)


def report(simulation: Simulation, number: int, reports: TrialReports) -> None:
    """Reports with steps of the test's choice."""
    for step, value in reports:
        simulation.seq += 1
        measurement = Measurement("loss", value if math.isfinite(value) else None, str(value), simulation.seq, step)
        simulation.reports.setdefault(number, []).append((simulation.seq, measurement))
        simulation.history.report(number, [measurement], simulation.seq)


# 1: floor(log R / log eta) in floating point is one short at (3, 5), (9, 5), (10, 3), (10, 6): a bracket is missing.
@pytest.mark.parametrize("least", [1, 2, 7, 0.1], ids=str)
@pytest.mark.parametrize("eta", range(2, 11))
def test_1_the_number_of_brackets_from_settings_as_text(eta: int, least: float) -> None:
    for k in range(1, 9):
        reach, little = Fraction(str(least)) * eta**k, Fraction(str(least)) / 10
        for most, rungs in ((reach, k), (reach + little, k), (reach - little, k - 1)):
            text = str(float(most)) if most.denominator > 1 or k % 2 else str(most)
            _, algorithm = hyperband({"r_l": text, "eta": str(eta)}, low=least)
            assert algorithm.brackets.s_max == rungs, text


# 2: round() in place of floor gives empty brackets, a resource of 0, or a search that never ends.
@pytest.mark.parametrize("eta", range(2, 6))
def test_2_every_maximum_ends_at_it_with_bounded_work(eta: int) -> None:
    for most in (*range(1, 14), 27, 81, 100):
        simulation, algorithm = hyperband({"r_l": str(most), "eta": str(eta)})
        assert simulation.run(algorithm, 3000, parallel=20).exhausted
        resources = [int(t.parameters["epochs"]) for t in simulation.history.trials.values()]
        brackets = algorithm.brackets.s_max + 1
        assert min(resources) >= 1
        assert max(resources) == most
        # a bracket costs (s_max + 1) * R, and ceil() and rounding at most as much again on each of its rungs
        assert sum(resources) <= 2 * brackets**2 * most + brackets * len(resources)


STEPS: Mapping[str, Callable[[int, float], TrialReports]] = {
    "none until the end": lambda epochs, value: [(epochs, value)],
    "skipped": lambda epochs, value: [(step, value) for step in range(5, epochs + 6, 5)],
    "repeated": lambda epochs, value: [(1, value)] * 3,
    "backwards": lambda epochs, value: [(step, value) for step in range(epochs, 0, -1)],
    "past the rung": lambda epochs, value: [(1, value), (10 * epochs, value)],
    "without steps": lambda epochs, value: [(None, value)] * 2,
    "NaN among them": lambda epochs, value: [(1, NAN), (2, value), (3, NAN)],
}


# 3: reports that skip a milestone, repeat it, or go beyond it left trials paused for ever or ended brackets early.
# 7: a trial that skips a rung was entered there later, at a lower one, and stopped.
@pytest.mark.parametrize("steps", STEPS.values(), ids=STEPS)
def test_3_7_whatever_steps_are_reported_each_configuration_passes_each_rung_once_upwards(
    steps: Callable[[int, float], TrialReports],
) -> None:
    simulation, algorithm = hyperband({"r_l": "9"})
    while True:
        simulation.start(algorithm.suggest(simulation.history, 3).suggestions)
        if not simulation.running:
            break
        trial = simulation.running[-1]  # the newest first: others of its rung are late
        report(simulation, trial.number, steps(int(trial.parameters["epochs"]), float(trial.parameters["x"])))
        simulation.finish(trial.number)
        report(simulation, trial.number, [(1, -9.0)])  # comes after the end
    trials = simulation.history.trials.values()
    rungs = defaultdict(list)
    for trial in sorted(trials, key=lambda t: t.number):
        rungs[trial.labels[BRACKET], trial.labels[CONFIG]].append(int(trial.labels[RUNG]))
    assert all(passed == list(range(len(passed))) for passed in rungs.values())
    assert Counter((t.labels[BRACKET], t.labels[RUNG]) for t in trials) == {
        ("0", "0"): 9, ("0", "1"): 3, ("0", "2"): 1, ("1", "0"): 5, ("1", "1"): 1, ("2", "0"): 3,
    }  # fmt: skip
    first = sorted(
        (t for t in trials if (t.labels[BRACKET], t.labels[RUNG]) == ("0", "0")), key=lambda t: t.parameters["x"]
    )
    assert {t.parent for t in trials if (t.labels[BRACKET], t.labels[RUNG]) == ("0", "1")} == {
        t.number for t in first[:3]
    }


# 9: a NaN in a list that is sorted scrambles the order of all others.
@pytest.mark.parametrize("place", [(0,), (4,), (8,), (0, 4, 8), (1, 2, 3, 5, 6)], ids=str)
def test_9_a_nan_anywhere_leaves_the_order_of_the_others_alone(place: tuple[int, ...]) -> None:
    simulation, algorithm = hyperband({"r_l": "9"})
    simulation.start(algorithm.suggest(simulation.history, 9).suggestions)
    values = {number: float((number * 7) % 9) for number in range(9)}
    for number in range(9):
        simulation.report(number, NAN if number in place else values[number])
        simulation.finish(number)
    best = sorted((number for number in range(9) if number not in place), key=values.__getitem__)[:3]
    assert [s.parent for s in algorithm.suggest(simulation.history, 3).suggestions] == best


def judged(curves: Sequence[TrialReports], running: TrialReports, settings: Mapping[str, str]) -> str | None:
    """What the median rule says of a running trial, after finished ones with those curves."""
    objective = Objective("loss", strategies={"loss": Strategy.MIN})
    stopper = Component("medianstop", settings)
    spec = ExperimentSpec(Key("d", "e"), SearchSpace((X,)), objective, Component("random"), stopper=stopper)
    simulation = Simulation(spec)
    simulation.start([Suggestion({"x": i / 100}) for i in range(len(curves) + 1)])
    for number, curve in enumerate(curves):
        report(simulation, number, curve)
        simulation.finish(number)
        report(simulation, number, [(99, -1e9)])  # after its end: not part of it
    report(simulation, len(curves), running)
    rule = MedianStop(spec)
    trial = simulation.history.trials[len(curves)]
    said = rule.reason_to_stop(trial, simulation.history)
    assert rule.reason_to_stop(trial, simulation.history) == said  # one report, one decision
    return said


FLAT = [[(step, 1.0) for step in range(1, 9)]] * 3


# 3, 7, 8, 9 and 12 for the median rule: odd reports, equal values, NaN anywhere, empty logs.
@pytest.mark.parametrize(
    ("curves", "running", "stops"),
    [
        pytest.param(FLAT, [(5, 2.0)], False, id="7: too few reports, whatever their steps say"),
        pytest.param(FLAT, [(5, 2.0), (10, 2.0)], True, id="7: every five epochs"),
        pytest.param(FLAT, [(2, 2.0), (2, 2.0)], True, id="3: the same step twice"),
        pytest.param(FLAT, [(9, 2.0), (1, 2.0)], True, id="3: backwards"),
        pytest.param(FLAT, [(1, 1.0), (2, 1.0)], False, id="8: equal is not worse"),
        pytest.param(FLAT, [(1, NAN), (2, 2.0), (3, 2.0)], True, id="9: NaN first"),
        pytest.param(FLAT, [(1, 2.0), (2, NAN), (3, 2.0)], True, id="9: NaN in the middle"),
        pytest.param(FLAT, [(1, 2.0), (2, 2.0), (3, NAN)], True, id="9: NaN last"),
        pytest.param(FLAT, [(step, NAN) for step in range(9)], False, id="9: nothing but NaN"),
        pytest.param([*FLAT, [(1, NAN)], []], [(1, 2.0), (2, 2.0)], True, id="9, 12: trials without a number"),
        pytest.param([[], [], []], [(1, 2.0), (2, 2.0)], False, id="12: empty logs alone"),
        pytest.param([FLAT[0], FLAT[0], [(1, 1e9), (2, 1e9)]], [(1, 2.0), (2, 2.0)], True, id="12: a median, no mean"),
    ],
)
def test_3_7_8_9_12_the_median_rule(curves: Sequence[TrialReports], running: TrialReports, stops: bool) -> None:
    said = judged(curves, running, {"start_step": "2", "min_trials_required": "3"})
    assert (said is not None) == stops


# 15: int(value * 0.8 or 1.2) truncates: 1 becomes 0 and is clamped, 2 and 4 never move up.
@pytest.mark.parametrize(
    "parameter",
    [
        Integer("p", 1, 64),
        Integer("p", -20, 20),
        Integer("p", 1, 1000, Distribution.LOG_UNIFORM, step=9),
        Real("p", 0.0, 1.0, step=0.05),
    ],
    ids=["from 1", "around 0", "log with a step", "double with a step"],
)
def test_15_every_value_inside_can_move_both_ways(parameter: Parameter) -> None:
    for index in range(int(parameter.count)):
        value = parameter.value_at(index)
        moves = {perturb(parameter, value, np.random.default_rng(seed)) for seed in range(40)}
        assert all(parameter.check(move) == move for move in moves)
        assert any(move > value for move in moves) == (index < parameter.count - 1)
        assert any(move < value for move in moves) == (index > 0)


def trainings(simulation: Simulation, seed: int) -> None:
    """Seven members train for 25 turns; a fake trainer looks at what each trial is given."""
    algorithm = create_algorithm(simulation.spec)
    checkpoints: dict[int, int] = {}  # trial -> epochs behind its checkpoint, of those that left one
    dice = np.random.default_rng(seed)
    for _ in range(175):
        for trial in simulation.start(algorithm.suggest(simulation.history, 7).suggestions):
            assert simulation.spec.space.check(trial.parameters) == trial.parameters
            assert trial.parent is None or trial.parent in checkpoints
            behind = checkpoints[trial.parent] if trial.parent is not None else 0
            assert int(trial.labels[GENERATION]) == behind
        trial = simulation.running[int(dice.integers(len(simulation.running)))]
        if dice.random() < 0.2:
            simulation.finish(trial.number, TrialState.FAILED)  # and leaves no checkpoint
            continue
        checkpoints[trial.number] = int(trial.labels[GENERATION]) + 1
        simulation.evaluate(trial.number)


# 16: trials without a checkpoint were continued, restored trials trained with the parameters of before, moved values
# left their bounds, and the count of iterations started anew.
@pytest.mark.parametrize("seed", range(3))
def test_16_what_is_continued_has_a_checkpoint_and_its_parameters_lie_in_the_bounds(seed: int) -> None:
    space = SearchSpace((Real("rate", 1e-4, 1.0, Distribution.LOG_UNIFORM), Integer("units", 1, 4)))
    settings = {"n_population": "7", "truncation_threshold": "0.4", "resample_probability": "0.1"}
    spec = ExperimentSpec(Key("d", "e"), space, Objective("loss"), Component("pbt", settings), Budget(), seed=seed)
    numbers = count()
    simulation = Simulation(spec, lambda p: math.sin(next(numbers)) + float(p["rate"]))
    trainings(simulation, seed)
    lines = defaultdict(list)
    for number in range(len(simulation.history)):
        lines[simulation.history.trials[number].labels[MEMBER]].append(simulation.history.trials[number])
    moved = [b for line in lines.values() for a, b in pairwise(line) if b.parent not in (None, a.number)]
    assert len(moved) > 20
    for trial in moved:  # what took over another's checkpoint trains with its own, moved parameters
        assert trial.parameters != simulation.history.trials[trial.parent].parameters
