"""Ax: its ``Client`` with the generation strategy that it chooses by default ("fast": the centre, Sobol points up to
five, then BoTorch's Gaussian process with log noisy EI, trials under way integrated out).

Failed trials are marked as failed. Conditional parameters are ``dependent_parameters``, which have to form a tree: what
is active for several values of its parent is searched as if it always were.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from ax.exceptions.core import SearchSpaceExhausted

from .axes import Axis, axes_of, point
from .serve import Exhausted, Point, Result, Setup

PACKAGES = ("ax-platform", "botorch", "torch")


class Experiment:
    """``Client``, asked and told."""

    def __init__(self, setup: Setup) -> None:
        logging.disable(logging.WARNING)
        axes = axes_of(setup.parameters)
        self._axes = tuple(axis if len(axis.parent_places) == 1 else axis._replace(parent=None) for axis in axes)
        self._client = Client(random_seed=setup.seed)
        self._client.configure_experiment([_parameter(axis, self._axes) for axis in self._axes])
        self._client.configure_optimization(
            ", ".join(f"-loss{i}" for i in range(setup.objectives)),
            [f"violation{i} <= 0" for i in range(setup.constraints)],
        )

    def ask(self) -> tuple[int, Point] | None:
        """The next point, and the index of its trial; None while it wants results first."""
        try:
            trials = self._client.get_next_trials(max_trials=1)
        except SearchSpaceExhausted as error:
            raise Exhausted from error
        if not trials:
            return None
        ((index, places),) = trials.items()
        return index, point(self._axes, _numbers(self._axes, places))

    def tell(self, results: Sequence[Result]) -> None:
        """One after the other."""
        for index, losses, violations in results:
            if not losses:
                self._client.mark_trial_failed(index)
                continue
            measured = {f"loss{i}": loss for i, loss in enumerate(losses)}
            measured |= {f"violation{i}": violation for i, violation in enumerate(violations)}
            self._client.complete_trial(index, raw_data=measured)


def _parameter(axis: Axis, axes: Sequence[Axis]) -> RangeParameterConfig | ChoiceParameterConfig:
    children = [each for each in axes if each.parent == axis.name]
    if axis.kind != "category" and not children:
        kind, scaling = "int" if axis.kind == "integer" else "float", "log" if axis.log else "linear"
        return RangeParameterConfig(axis.name, (axis.low, axis.high), kind, scaling=scaling)
    branches = {_text(place): [each.name for each in children if place in each.parent_places] for place in axis.places}
    return ChoiceParameterConfig(
        axis.name,
        [_text(place) for place in axis.places],
        "str",
        is_ordered=axis.kind != "category",
        dependent_parameters={value: names for value, names in branches.items() if names} or None,
    )


def _text(place: int) -> str:
    return f"p{place:04d}"


def _numbers(axes: Sequence[Axis], places: Any) -> dict[str, Any]:
    texts = {name: int(place[1:]) if isinstance(place, str) else place for name, place in places.items()}
    return {axis.name: texts[axis.name] for axis in axes if axis.name in texts}


def start(setup: Setup) -> Experiment:
    """Set it up."""
    return Experiment(setup)
