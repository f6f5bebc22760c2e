"""Trials of a history as Optuna has them, and a study of such trials.

Trials are built directly and lie in memory. Optuna's own storages copy and check each one, which costs more than a
suggestion does.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from katib.core.space import Choice, Distribution, Ordinal, Parameter


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter as Optuna sees it. choices: number of values where all are equally likely, else 0."""

    parameter: Parameter
    distribution: BaseDistribution
    choices: int

    @classmethod
    def of(cls, parameter: Parameter) -> Axis:
        """Categories, a range of integers, or the parameter's coordinate in the unit cube."""
        equal = isinstance(parameter, Ordinal | Choice) or parameter.distribution is Distribution.UNIFORM
        if not equal or parameter.count == math.inf:
            return cls(parameter, FloatDistribution(0.0, 1.0), 0)
        choices = int(parameter.count)
        if isinstance(parameter, Choice):
            return cls(parameter, CategoricalDistribution(range(choices)), choices)
        return cls(parameter, IntDistribution(0, choices - 1), choices)

    def inner(self, u: float) -> float:
        """Optuna's value at coordinate ``u``."""
        return min(int(u * self.choices), self.choices - 1) if self.choices else u

    def coordinate(self, inner: float) -> float:
        """The coordinate of Optuna's value."""
        return (inner + 0.5) / self.choices if self.choices else inner


def trial_at(number: int, point: Sequence[float] | NDArray[np.float64], axes: Sequence[Axis]) -> FrozenTrial:
    """A running trial; parameters that are inactive, or have one value, are left out."""
    active = [(axis, u) for axis, u in zip(axes, map(float, point), strict=True) if axis.parameter.count > 1 and u == u]
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState.RUNNING,
        value=None,
        params={axis.parameter.name: axis.inner(u) for axis, u in active},
        distributions={axis.parameter.name: axis.distribution for axis, _ in active},
        datetime_start=None,
        datetime_complete=None,
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


class Trials(InMemoryStorage):
    """A study of the trials in a list, which may grow; has no use for what samplers note on them."""

    def __init__(self, trials: list[FrozenTrial], objectives: int) -> None:
        super().__init__()
        self._listed, self._directions = trials, [StudyDirection.MINIMIZE] * objectives

    def get_study_id_from_name(self, study_name: str) -> int:
        """The only one."""
        return 0

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Losses are minimised."""
        return self._directions

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """The trials in one of ``states``, never copied."""
        return [trial for trial in self._listed if states is None or trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Nothing."""
