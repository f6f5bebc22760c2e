"""scikit-optimize: ``gp_minimize`` (its Gaussian process, "gp_hedge", 10 random points first), asked and told.

``gp_minimize`` is a loop of ``ask`` and ``tell`` of the ``Optimizer`` with the defaults used here. With trials under
way, a copy is told the smallest value so far for them: what ``Optimizer.ask(n_points, strategy="cl_min")``, its default
for several points, does for those that it has just proposed. It knows no failed trials; they are told the largest
value so far, once there is one.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import skopt
from skopt.space import Categorical, Dimension, Integer, Real

from .axes import Axis, axes_of, point
from .serve import Point, Result, Setup

PACKAGES = ("scikit-optimize", "scikit-learn")
_LARGEST_SEED = 2**31 - 1


class Optimizer:
    """``skopt.Optimizer`` with the trials that are under way, and those whose failure could not be told yet."""

    def __init__(self, setup: Setup) -> None:
        self._axes = axes_of(setup.parameters)
        dimensions = [_dimension(axis) for axis in self._axes]
        self._optimizer = skopt.Optimizer(dimensions, base_estimator="GP", random_state=setup.seed)
        self._pending: list[list[Any]] = []
        self._failed: list[list[Any]] = []

    def ask(self) -> tuple[list[Any], Point]:
        """The next point, and the same as scikit-optimize writes it."""
        optimizer = self._optimizer
        if self._pending and optimizer.models:
            optimizer = optimizer.copy(random_state=optimizer.rng.randint(_LARGEST_SEED))
            optimizer.tell(self._pending, [min(optimizer.yi)] * len(self._pending))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it draws a random point in place of one that was evaluated
            places = optimizer.ask()
        self._pending.append(places)
        return places, point(self._axes, {axis.name: place for axis, place in zip(self._axes, places, strict=True)})

    def tell(self, results: Sequence[Result]) -> None:
        """All at once, so that one model is fitted to them."""
        told = [(record, losses[0]) for record, losses, _ in results if losses]
        self._failed += [record for record, losses, _ in results if not losses]
        for result in results:
            self._pending.remove(result.record)
        if told or self._optimizer.yi:
            worst = max([*self._optimizer.yi, *(loss for _, loss in told)])
            told += [(record, worst) for record in self._failed]
            self._failed.clear()
        if told:
            points, losses = zip(*told, strict=True)
            self._optimizer.tell(list(points), list(losses))


def _dimension(axis: Axis) -> Dimension:
    if axis.kind == "category":
        return Categorical(list(axis.places), name=axis.name)
    prior = "log-uniform" if axis.log else "uniform"
    if axis.kind == "integer":
        return Integer(int(axis.low), int(axis.high), prior=prior, name=axis.name)
    return Real(axis.low, axis.high, prior=prior, name=axis.name)


def start(setup: Setup) -> Optimizer:
    """Set it up."""
    return Optimizer(setup)
