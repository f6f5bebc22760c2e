"""Vizier: ``VizierGPUCBPEBandit``, the designer behind its service's algorithm ``DEFAULT``, at its defaults (Song et
al. 2024, "The Vizier Gaussian process bandit algorithm").

So that what JAX has traced and compiled serves again, the designer is kept between suggestions, and with it its
optimiser of the acquisition function (by default a new one each time, which JAX takes for another function: the same
points at more than twice the cost). Arrays are padded to multiples of 10 trials (of a single objective, for which it
can do that; else it traces anew for each number of trials), and compiled programs are kept in the environment for the
next process. JAX keeps whatever it has traced, some 60 MB each time, so that is cleared now and then.

Failed trials are infeasible ones. It is told of the trials under way.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
from vizier import pyvizier as vz
from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit  # the public package imports cvxpy
from vizier.algorithms import ActiveTrials, CompletedTrials
from vizier.pyvizier.converters.padding import PaddingSchedule, PaddingType

from . import vizier_quicker
from .axes import Axis, axes_of, point
from .serve import Point, Result, Setup

PACKAGES = ("google-vizier", "jax")
_CLEARED_EVERY = {PaddingType.MULTIPLES_OF_10: 50, PaddingType.NONE: 10}  # suggestions


class Designer:
    """The designer, asked and told."""

    def __init__(self, setup: Setup) -> None:
        vizier_quicker.install()
        self._axes = axes_of(setup.parameters)
        problem = vz.ProblemStatement()
        for axis in self._axes:
            _add(problem.search_space.root, axis)
        for number in range(setup.objectives):
            problem.metric_information.append(
                vz.MetricInformation(f"loss{number}", goal=vz.ObjectiveMetricGoal.MINIMIZE)
            )
        jax.config.update("jax_enable_x64", True)  # as its service does
        jax.config.update("jax_compilation_cache_dir", str(Path(sys.prefix) / "jax-cache"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        self._padding = PaddingType.MULTIPLES_OF_10 if setup.objectives == 1 else PaddingType.NONE
        self._designer = VizierGPUCBPEBandit(
            problem,
            acquisition_optimizer_factory=_made_once(VizierGPUCBPEBandit.default_acquisition_optimizer_factory),
            ard_optimizer=vizier_quicker.Lbfgs(),
            rng=jax.random.PRNGKey(setup.seed),
            padding_schedule=PaddingSchedule(num_trials=self._padding),
        )
        self._under_way: dict[int, vz.Trial] = {}
        self._number = 0

    def ask(self) -> tuple[int, Point]:
        """The next point, and the number of its trial."""
        if self._number % _CLEARED_EVERY[self._padding] == 0:
            jax.clear_caches()
        (suggestion,) = self._designer.suggest(1)
        self._number += 1
        trial = self._under_way[self._number] = suggestion.to_trial(self._number)
        self._designer.update(CompletedTrials([]), ActiveTrials(list(self._under_way.values())))
        return self._number, point(self._axes, {name: _number(value) for name, value in _values(trial).items()})

    def tell(self, results: Sequence[Result]) -> None:
        """All at once, with those that are still under way."""
        completed = []
        for number, losses, _ in results:
            trial = self._under_way.pop(number)
            measured = vz.Measurement({f"loss{i}": loss for i, loss in enumerate(losses)})
            completed.append(trial.complete(measured, infeasibility_reason=None if losses else "failed"))
        self._designer.update(CompletedTrials(completed), ActiveTrials(list(self._under_way.values())))


def _made_once(factory: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``factory`` for the one converter that a designer has."""
    made: list[Any] = []

    def optimizer(converter: Any) -> Any:
        if not made:
            made.append(factory(converter))
        return made[0]

    return optimizer


def _add(root: Any, axis: Axis) -> None:
    scale = vz.ScaleType.LOG if axis.log else vz.ScaleType.LINEAR
    if axis.kind == "category":
        root.add_categorical_param(axis.name, [str(place) for place in axis.places])
    elif axis.kind == "integer":
        root.add_int_param(axis.name, int(axis.low), int(axis.high), scale_type=scale)
    else:
        root.add_float_param(axis.name, axis.low, axis.high, scale_type=scale)


def _values(trial: vz.Trial) -> dict[str, Any]:
    return {name: trial.parameters.get_value(name) for name in trial.parameters}


def _number(value: Any) -> float:
    return float(value)


def start(setup: Setup) -> Designer:
    """Set it up."""
    return Designer(setup)
