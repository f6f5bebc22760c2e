"""HEBO at its defaults (Cowen-Rivers et al. 2022, "HEBO: pushing the limits of sample-efficient hyper-parameter
optimisation").

It knows neither trials under way nor failed ones: values that are no finite numbers are dropped by ``observe``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from hebo.design_space.design_space import DesignSpace
from hebo.optimizers.hebo import HEBO

from . import pymoo_quicker
from .axes import Axis, axes_of, point
from .serve import Point, Result, Setup

PACKAGES = ("HEBO", "torch")
_KINDS = {
    ("real", False): "num",
    ("real", True): "pow",
    ("integer", False): "int",
    ("integer", True): "pow_int",
    ("category", False): "cat",
}


class Optimizer:
    """``HEBO``, asked and told."""

    def __init__(self, setup: Setup) -> None:
        pymoo_quicker.install()
        # It draws from the global generators.
        random.seed(setup.seed)
        np.random.seed(setup.seed)
        torch.manual_seed(setup.seed)
        self._axes = axes_of(setup.parameters)
        space = DesignSpace().parse([_parameter(axis) for axis in self._axes])
        self._optimizer = HEBO(space, scramble_seed=setup.seed)

    def ask(self) -> tuple[Any, Point]:
        """The next point, and its data frame of one row."""
        frame = self._optimizer.suggest(1)
        return frame, point(self._axes, frame.iloc[0].to_dict())

    def tell(self, results: Sequence[Result]) -> None:
        """One after the other."""
        for frame, losses, _ in results:
            self._optimizer.observe(frame, np.array([[losses[0] if losses else math.nan]]))


def _parameter(axis: Axis) -> Mapping[str, Any]:
    kind = {"name": axis.name, "type": _KINDS[axis.kind, axis.log]}
    if axis.kind == "category":
        return {**kind, "categories": list(axis.places)}
    bounds = (int(axis.low), int(axis.high)) if axis.kind == "integer" else (axis.low, axis.high)
    return {**kind, "lb": bounds[0], "ub": bounds[1], **({"base": 10} if axis.log else {})}


def start(setup: Setup) -> Optimizer:
    """Set it up."""
    return Optimizer(setup)
