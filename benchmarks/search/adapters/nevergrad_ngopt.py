"""Nevergrad: ``NGOpt``, which its README minimises with: a rule that picks a method by space, budget and workers.

It is told the budget and the number of workers, as it wants to be. Failed trials are told an infinite loss, which it
takes as its largest; outcome constraints as violations, for which it has an argument.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import nevergrad as ng
import numpy as np

from .axes import Axis, axes_of, point
from .serve import Point, Result, Setup

PACKAGES = ("nevergrad",)


class NGOpt:
    """``ng.optimizers.NGOpt``, asked and told."""

    def __init__(self, setup: Setup) -> None:
        warnings.simplefilter("ignore")  # that it clips infinite losses
        self._axes = axes_of(setup.parameters)
        self._objectives = setup.objectives
        parameters = ng.p.Dict(**{axis.name: _parameter(axis) for axis in self._axes})
        parameters.random_state = np.random.RandomState(setup.seed)
        self._optimizer = ng.optimizers.NGOpt(parameters, budget=setup.budget, num_workers=setup.workers)

    def ask(self) -> tuple[Any, Point]:
        """The next point, and its candidate."""
        candidate = self._optimizer.ask()
        return candidate, point(self._axes, candidate.value)

    def tell(self, results: Sequence[Result]) -> None:
        """One after the other."""
        for candidate, losses, violations in results:
            told = list(losses) or [math.inf] * self._objectives
            self._optimizer.tell(
                candidate, told[0] if self._objectives == 1 else told, constraint_violation=list(violations) or None
            )


def _parameter(axis: Axis) -> Any:
    if axis.kind == "category":
        return ng.p.Choice(list(axis.places))
    scalar = ng.p.Log(lower=axis.low, upper=axis.high) if axis.log else ng.p.Scalar(lower=axis.low, upper=axis.high)
    return scalar.set_integer_casting() if axis.kind == "integer" else scalar


def start(setup: Setup) -> NGOpt:
    """Set it up."""
    return NGOpt(setup)
