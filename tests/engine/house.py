"""An experiment in memory with a real store and a real controller, for tests of the engine."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from algorithms import create_algorithm
from katib.core.experiment import Budget, Component, Experiment, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Real, SearchSpace
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.engine.controller import Controller
from katib.engine.session import Parts
from katib.metrics import unavailable_reason
from katib.storage import open_store
from trial_runners.inline import InlineRunner

KEY = Key("default", "exp")
SPEC = ExperimentSpec(
    key=KEY,
    space=SearchSpace((Real("x", 0.0, 1.0),)),
    objective=Objective("objective"),
    algorithm=Component("random"),
    budget=Budget(parallel=3, max_trials=10),
    seed=5,
)


@dataclass
class House:
    """A store, and controllers over it."""

    runner: object
    algorithm: object = None
    stopper: object = None
    holder: str = "here:1:1"
    clock: Callable[[], float] = time.time

    def __post_init__(self):
        self.opened = open_store("memory://")
        self.store = self.opened.store

    def controller(self, holder: str = "") -> Controller:
        return Controller(self.store, self.opened.leases, self.assemble, holder or self.holder, self.clock)

    def assemble(self, experiment: Experiment) -> Parts:
        return Parts(
            algorithm=self.algorithm or create_algorithm(experiment.spec),
            runner=self.runner,
            collector=lambda chunk: pytest.fail("no bytes are expected"),
            render=lambda trial: {},
            explain=unavailable_reason,
            stopper=self.stopper,
        )

    def run(self, spec: ExperimentSpec = SPEC) -> Experiment:
        lifecycle.create(self.store, spec, {})
        controller = self.controller()
        experiment = controller.run(KEY)
        controller.close()
        return experiment

    def states(self) -> Counter:
        return Counter(trial.state for trial in self.store.trials(KEY))


def house(objective=lambda p: p["x"], **rest) -> House:
    return House(InlineRunner(objective, metric="objective"), **rest)
