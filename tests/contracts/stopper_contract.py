"""What every early-stopping rule owes, whichever way it is reached; override ``make`` to reach them another way."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping

import pytest

from algorithms import STOPPERS, create_stopper
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Direction, Objective
from katib.core.ports import Stopper
from katib.core.space import Real, SearchSpace
from katib.core.trial import Key, Suggestion, TrialState
from tests.contracts.simulation import Simulation

Make = Callable[[ExperimentSpec], Stopper]
SPACE = SearchSpace((Real("x", 0.0, 1.0),))
SAMPLES: Mapping[str, Mapping[str, str]] = {"medianstop": {"start_step": "2"}}
EVERY = sorted(SAMPLES)


def spec_of(name: str, direction: Direction = Direction.MINIMIZE) -> ExperimentSpec:
    objective = Objective("loss", direction)
    stopper = Component(name, SAMPLES.get(name, {}))
    return ExperimentSpec(Key("default", "sample"), SPACE, objective, Component("random"), stopper=stopper, seed=3)


def make_stopper(spec: ExperimentSpec) -> Stopper:
    stopper = create_stopper(spec)
    assert stopper is not None
    return stopper


class StopperContract:
    """The port's contract: decisions are pure, and a decision replays from what was known at its time."""

    @pytest.fixture
    def make(self) -> Make:
        return make_stopper

    def test_every_rule_has_a_sample(self) -> None:
        assert set(SAMPLES) == set(STOPPERS)

    @pytest.mark.parametrize("name", EVERY)
    def test_a_fresh_rule_and_a_history_read_anew_decide_alike(self, make: Make, name: str) -> None:
        warm, reasons = make(spec_of(name)), []
        for simulation, number in play(spec_of(name)):
            trial = simulation.history.trials[number]
            reason = warm.reason_to_stop(trial, simulation.history)
            assert warm.reason_to_stop(trial, simulation.history) == reason
            assert make(spec_of(name)).reason_to_stop(trial, simulation.restarted()) == reason
            reasons.append(reason)
        assert {reason is None for reason in reasons} == {True, False}
        assert all(reason is None or len(reason) > 10 for reason in reasons)

    @pytest.mark.parametrize("name", EVERY)
    def test_what_came_after_the_report_changes_nothing(self, make: Make, name: str) -> None:
        """Decisions of trials that are still running, asked again at the end."""
        decided: dict[int, str | None] = {}
        stopper = make(spec_of(name))
        for simulation, number in play(spec_of(name), unfinished=6):
            decided[number] = stopper.reason_to_stop(simulation.history.trials[number], simulation.history)
        for trial in simulation.running:
            assert make(spec_of(name)).reason_to_stop(trial, simulation.restarted()) == decided[trial.number]
        assert any(decided[trial.number] for trial in simulation.running)

    @pytest.mark.parametrize("name", EVERY)
    def test_maximising_mirrors_minimising(self, make: Make, name: str) -> None:
        outcomes = []
        for direction, sign in ((Direction.MINIMIZE, 1), (Direction.MAXIMIZE, -1)):
            stopper = make(spec_of(name, direction))
            outcomes.append(
                [
                    stopper.reason_to_stop(s.history.trials[n], s.history) is None
                    for s, n in play(spec_of(name, direction), sign=sign)
                ]
            )
        assert outcomes[0] == outcomes[1]

    @pytest.mark.parametrize("name", EVERY)
    def test_a_trial_without_numbers_goes_on(self, make: Make, name: str) -> None:
        simulation = [simulation for simulation, _ in play(spec_of(name))][-1]
        (silent,) = simulation.start([Suggestion({"x": 0.123})])
        stopper = make(spec_of(name))
        assert stopper.reason_to_stop(silent, simulation.history) is None
        simulation.report(silent.number, *[math.nan] * 9)
        assert stopper.reason_to_stop(silent, simulation.history) is None

    @pytest.mark.parametrize("name", EVERY)
    def test_an_empty_history_stops_nothing(self, make: Make, name: str) -> None:
        simulation = Simulation(spec_of(name))
        (trial,) = simulation.start([Suggestion({"x": 0.5})])
        simulation.report(trial.number, *range(20))
        history: History = simulation.history
        assert make(spec_of(name)).reason_to_stop(trial, history) is None


def play(spec: ExperimentSpec, sign: int = 1, unfinished: int = 0):
    """Forty trials, three at a time, of five reports each, in a random order; yields after each report.

    Whatever the rule says, trials run on; ``unfinished``: the last ones that never end.
    """
    dice = random.Random(8)
    simulation = Simulation(spec)
    levels = [dice.uniform(0.0, 1.0) for _ in range(40)]
    while True:
        open_trials = [t for t in simulation.running if len(simulation.history.curve(t.number)) < 5]
        if len(open_trials) < 3 and len(simulation.history) < len(levels):
            open_trials += simulation.start([Suggestion({"x": levels[len(simulation.history)]})])
        if not open_trials:
            return
        number = dice.choice(open_trials).number
        value = levels[number] + dice.uniform(0.0, 0.2)
        simulation.report(number, math.nan if dice.random() < 0.1 else sign * value)
        yield simulation, number
        if len(simulation.history.curve(number)) == 5 and number < len(levels) - unfinished:
            simulation.finish(number, TrialState.FAILED if number % 7 == 6 else TrialState.SUCCEEDED)
