"""The median rule: a true median, from start_step on, replayable."""

from __future__ import annotations

import math

import pytest

from algorithms.median_stop import MedianStop
from katib.core.experiment import Component, ExperimentSpec
from katib.core.objective import Direction, Objective
from katib.core.space import Real, SearchSpace
from katib.core.trial import Key, Suggestion, TrialState
from tests.contracts.simulation import Simulation

NAN = math.nan


def started(
    curves: list[tuple[float, ...]],
    *,
    start_step: int = 2,
    required: int = 3,
    direction: Direction = Direction.MINIMIZE,
    state: TrialState = TrialState.SUCCEEDED,
) -> tuple[Simulation, MedianStop, int]:
    """Finished trials with these curves, the rule, and the number of one more trial that runs."""
    settings = {"start_step": str(start_step), "min_trials_required": str(required)}
    objective = Objective("loss", direction)
    space = SearchSpace((Real("x", 0, 1),))
    stopper = Component("medianstop", settings)
    spec = ExperimentSpec(Key("d", "e"), space, objective, Component("random"), stopper=stopper)
    simulation = Simulation(spec)
    simulation.start([Suggestion({"x": i / 1000}) for i in range(len(curves) + 1)])
    for number, curve in enumerate(curves):
        simulation.report(number, *curve)
        simulation.finish(number, state)
    return simulation, MedianStop(spec), len(curves)


def decide(simulation: Simulation, rule: MedianStop, number: int) -> str | None:
    return rule.reason_to_stop(simulation.history.trials[number], simulation.history)


SKEWED = [(1.0, 1.0), (2.0, 2.0), (900.0, 900.0)]  # median 2, mean 301


@pytest.mark.parametrize(
    ("curves", "values", "stops"),
    [
        pytest.param(SKEWED, (3.0, 3.0), True, id="worse than the median though far better than the mean"),
        pytest.param(SKEWED, (2.0, 3.0), False, id="the best report counts, and equal is not worse"),
        pytest.param(SKEWED, (3.0,), False, id="too early"),
        pytest.param(SKEWED, (3.0, 3.0, 3.0, 1.5), False, id="recovered later"),
        pytest.param(SKEWED, (3.0, NAN), False, id="a report that is no number is not counted"),
        pytest.param(SKEWED, (NAN, 3.0, NAN, 3.0), True, id="numbers among others"),
        pytest.param(SKEWED[:2], (3.0, 3.0), False, id="too few trials"),
        pytest.param([*SKEWED[:2], ()], (3.0, 3.0), False, id="a trial without reports is none"),
        pytest.param([*SKEWED[:2], (NAN, NAN)], (3.0, 3.0), False, id="nor one without a number"),
        pytest.param([(1.0,), (2.0,), (3.0,)], (2.5, 2.5), True, id="short curves are averaged as they are"),
        pytest.param(
            [(4.0, 0.0, -9.0), (4.0, 0.0), (NAN, 4.0, 0.0)], (2.1, 2.1), True, id="only the start is averaged"
        ),
        pytest.param([(4.0, 0.0, -9.0), (4.0, 0.0), (NAN, 4.0, 0.0)], (2.0, 2.0), False, id="average of the start"),
        pytest.param([*SKEWED, (4.0, 4.0)], (3.0, 3.0), False, id="an even number: the middle of two, equal"),
        pytest.param([*SKEWED, (4.0, 4.0)], (3.1, 3.1), True, id="an even number: the middle of two, worse"),
    ],
)
@pytest.mark.parametrize("direction", Direction)
def test_decisions(
    curves: list[tuple[float, ...]], values: tuple[float, ...], stops: bool, direction: Direction
) -> None:
    sign = 1 if direction is Direction.MINIMIZE else -1
    signed = [tuple(sign * value for value in curve) for curve in curves]
    simulation, rule, number = started(signed, direction=direction)
    simulation.report(number, *(sign * value for value in values))
    assert (decide(simulation, rule, number) is not None) == stops


def test_the_reason_names_both_numbers() -> None:
    simulation, rule, number = started([(0.3,), (0.31,), (0.9,)], start_step=1)
    simulation.report(number, 0.42)
    reason = decide(simulation, rule, number)
    assert reason == "best loss 0.42 after 1 reports is worse than the median 0.31 of 3 trials"


@pytest.mark.parametrize("state", [s for s in TrialState if s.finished and s is not TrialState.SUCCEEDED])
def test_only_trials_that_succeeded_are_compared_with(state: TrialState) -> None:
    simulation, rule, number = started(SKEWED, state=state)
    simulation.report(number, 1e9, 1e9)
    assert decide(simulation, rule, number) is None


def test_a_trial_that_is_not_stopped_at_first_is_tested_again() -> None:
    simulation, rule, number = started([(9.0, 9.0)] * 3)
    simulation.report(number, 5.0, 5.0)
    assert decide(simulation, rule, number) is None
    better = simulation.start([Suggestion({"x": 0.9 + i / 100}) for i in range(5)])
    for trial in better:
        simulation.report(trial.number, 1.0, 1.0)
        simulation.finish(trial.number)
    assert decide(simulation, rule, number) is None  # no new report, so the same question and the same answer
    simulation.report(number, 5.0)
    assert decide(simulation, rule, number) is not None


def test_a_decision_does_not_read_all_finished_trials_again(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, rule, number = started([(float(i), 1.0) for i in range(500)])
    simulation.report(number, 1e3, 1e3)
    read: list[int] = []
    curve = simulation.history.curve
    monkeypatch.setattr(simulation.history, "curve", lambda n: read.append(n) or curve(n))
    assert decide(simulation, rule, number) is not None
    assert len(read) == 501
    read.clear()
    assert decide(simulation, rule, number) is not None
    assert read == [number]
