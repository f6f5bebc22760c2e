"""SMAC3: the hyperparameter-optimisation facade (random forest, log EI, Sobol start) at its defaults, asked and told.

``deterministic``: each configuration is evaluated once, else it would spend trials on repeats. Several objectives are
scalarised by its ParEGO: by the mean, its default, it would look for one point only. Failed trials are crashed ones, at
the largest cost so far, once there is one: at its infinite ``crash_cost`` the model fails, for which later versions put
the largest observed cost (automl/SMAC3, pull request 1312).
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ConfigSpace import Categorical, ConfigurationSpace, Float, InCondition, Integer
from smac import HyperparameterOptimizationFacade, Scenario
from smac.multi_objective.parego import ParEGO
from smac.runhistory import StatusType, TrialInfo, TrialValue

from .axes import Axis, axes_of, point
from .serve import Exhausted, Point, Result, Setup

PACKAGES = ("smac", "ConfigSpace")


class Facade:
    """``HyperparameterOptimizationFacade``, asked and told."""

    def __init__(self, setup: Setup) -> None:
        folder = tempfile.mkdtemp(prefix="smac-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        self._axes = axes_of(setup.parameters)
        self._costs: list[Sequence[float]] = []
        self._failed: list[TrialInfo] = []
        scenario = Scenario(
            _space(self._axes, setup.seed),
            output_directory=Path(folder),
            deterministic=True,
            objectives=[f"loss{i}" for i in range(setup.objectives)] if setup.objectives > 1 else "loss",
            n_trials=setup.budget,
            seed=setup.seed,
        )
        several = {"multi_objective_algorithm": ParEGO(scenario)} if setup.objectives > 1 else {}
        self._facade = HyperparameterOptimizationFacade(
            scenario, _not_called, overwrite=True, logging_level=False, **several
        )

    def ask(self) -> tuple[TrialInfo, Point]:
        """The next point, and its trial."""
        try:
            trial = self._facade.ask()
        except StopIteration as error:
            raise Exhausted from error
        return trial, point(self._axes, dict(trial.config))

    def tell(self, results: Sequence[Result]) -> None:
        """One after the other, the failed ones at the end."""
        for trial, losses, _ in results:
            if losses:
                self._costs.append(losses)
                self._tell(trial, losses, StatusType.SUCCESS)
        self._failed += [trial for trial, losses, _ in results if not losses]
        if self._costs:
            worst = [max(costs) for costs in zip(*self._costs, strict=True)]
            for trial in self._failed:
                self._tell(trial, worst, StatusType.CRASHED)
            self._failed.clear()

    def _tell(self, trial: TrialInfo, costs: Sequence[float], status: StatusType) -> None:
        self._facade.tell(trial, TrialValue(costs[0] if len(costs) == 1 else list(costs), status=status))


def _space(axes: Sequence[Axis], seed: int) -> ConfigurationSpace:
    space = ConfigurationSpace(seed=seed)
    known = {axis.name: _hyperparameter(axis) for axis in axes}
    space.add(*known.values())
    for axis in axes:
        if axis.parent is not None:
            kind = type(known[axis.parent].default_value)
            places = [kind(place) for place in axis.parent_places]
            space.add(InCondition(known[axis.name], known[axis.parent], places))
    return space


def _hyperparameter(axis: Axis) -> Any:
    if axis.kind == "category":
        return Categorical(axis.name, list(axis.places))
    if axis.kind == "integer":
        return Integer(axis.name, (int(axis.low), int(axis.high)), log=axis.log)
    return Float(axis.name, (axis.low, axis.high), log=axis.log)


def _not_called(config: Any, seed: int = 0) -> float:
    raise NotImplementedError("trials run elsewhere")


def start(setup: Setup) -> Facade:
    """Set it up."""
    return Facade(setup)
