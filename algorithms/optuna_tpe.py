"""The part of ``tpe`` that talks to Optuna: its TPESampler over trials made from the history.

Trials are built directly and lie in memory. Optuna's own storages copy and check each one, which costs more than a
suggestion does.
"""

from __future__ import annotations

import itertools
import math
import warnings
import weakref
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from algorithms.batch import Batch
from algorithms.former_trials import FormerTrials
from algorithms.tpe import TPESettings
from katib.core.history import History, View
from katib.core.space import Choice, Condition, Distribution, Ordinal, Parameter, SearchSpace
from katib.core.trial import Value

_MOST_GOOD = 25  # hyperopt's limit


@dataclass(frozen=True, slots=True)
class _Axis:
    """A parameter as Optuna sees it. choices: number of values where all are equally likely, else 0."""

    parameter: Parameter
    distribution: BaseDistribution
    choices: int

    @classmethod
    def of(cls, parameter: Parameter) -> _Axis:
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


class OptunaTPE:
    """Draws points that are likely to be good. The trials of the history seen last are kept: they never change."""

    def __init__(self, settings: TPESettings, joint: bool) -> None:
        """joint: whether parameters that are active together are modelled together."""
        self._settings, self._joint = settings, joint
        self._history: weakref.ref[History] | None = None
        self._axes: list[_Axis] = []
        self._finished: list[FrozenTrial] = []
        self._rows = 0

    def draws(self, batch: Batch, seed: int, former: FormerTrials | None) -> Iterator[dict[str, Value]]:
        """Points without end; each one that the caller does not take counts as bad for those after it."""
        history, space = batch.history, batch.history.space
        self._keep_up_with(history)
        trials = [*self._former(former), *self._finished, *self._pending(batch)]
        study = Study("history", _Trials(trials, objectives=history.view().Y.shape[1]))
        sampler = self._sampler(seed)
        for number in itertools.count(history.next_number + len(trials)):
            parameters = space.from_unit(self._draw(sampler, study, space, number))
            yield parameters
            trials.append(_trial(number, space.to_unit(parameters), self._axes))

    def _keep_up_with(self, history: History) -> None:
        """Take the trials in that finished since the last call."""
        if self._history is None or self._history() is not history:
            self._history, self._finished, self._rows = weakref.ref(history), [], 0
            self._axes = [_Axis.of(parameter) for parameter in history.space]
        view = history.view()
        for row in range(self._rows, len(view.numbers)):
            if view.in_space[row]:
                self._finished.append(self._finished_trial(history, view, row))
        self._rows = len(view.numbers)

    def _finished_trial(self, history: History, view: View, row: int) -> FrozenTrial:
        trial = _trial(int(view.numbers[row]), view.X[row], self._axes)
        if view.failed[row]:
            return trial  # as one that runs for ever: bad, and never among the good ones for lack of others
        losses: list[float] = view.Y[row].tolist()
        if view.violations.shape[1]:
            trial.system_attrs["constraints"] = view.violations[row].tolist()
        if view.censored[row] and len(losses) == 1:
            trial.state = TrialState.PRUNED
            trial.intermediate_values = {len(history.curve(trial.number)): losses[0]}
        else:
            trial.state, trial.values = TrialState.COMPLETE, losses
        return trial

    def _former(self, former: FormerTrials | None) -> Iterator[FrozenTrial]:
        """Trials of before, numbered so that they are the oldest."""
        points, losses = former or ((), ())
        for number, (point, loss) in enumerate(zip(points, losses, strict=True)):
            trial = _trial(number - len(losses), point, self._axes)
            trial.state, trial.values = TrialState.COMPLETE, [float(loss)]
            yield trial

    def _pending(self, batch: Batch) -> Iterator[FrozenTrial]:
        history = batch.history
        tried = {history.point(t.parameters): t.parameters for t in history.active.values()}  # repeated runs count once
        for number, parameters in enumerate([*tried.values(), *(s.parameters for s in batch.suggestions)]):
            point = history.space.locate(parameters)
            if point is not None:
                yield _trial(history.next_number + number, point, self._axes)

    def _sampler(self, seed: int) -> TPESampler:
        settings = self._settings
        options: dict[str, Any] = {}
        if settings.gamma is not None:
            options["gamma"] = partial(_good, settings.gamma)
        if settings.prior_weight != 1.0:
            options["prior_weight"] = settings.prior_weight
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna 5 wants to drop both settings in version 6
            return TPESampler(
                n_startup_trials=0,
                n_ei_candidates=settings.candidates,
                multivariate=self._joint,
                constant_liar=True,
                seed=seed,
                **options,
            )

    def _draw(self, sampler: TPESampler, study: Study, space: SearchSpace, number: int) -> list[float]:
        """One point of the cube; coordinates of inactive parameters are in the middle."""
        point, chosen = [0.5] * len(self._axes), dict[str, Value]()
        trial = _trial(number, [], [])
        for group in self._groups():
            if not space.active(self._axes[group[0]].parameter, chosen):
                continue
            wanted = {self._axes[i].parameter.name: self._axes[i].distribution for i in group}
            wanted = {name: distribution for name, distribution in wanted.items() if space[name].count > 1}
            if self._joint:
                drawn = sampler.sample_relative(study, trial, wanted)
            else:
                drawn = {name: sampler.sample_independent(study, trial, name, d) for name, d in wanted.items()}
            for i in group:
                axis = self._axes[i]
                if axis.parameter.name in drawn:
                    point[i] = axis.coordinate(drawn[axis.parameter.name])
                chosen[axis.parameter.name] = axis.parameter.from_unit(point[i])
        return point

    def _groups(self) -> list[list[int]]:
        """Places of the parameters that are drawn together: those of one condition, or each by itself."""
        if not self._joint:
            return [[i] for i in range(len(self._axes))]
        groups: dict[Condition | None, list[int]] = {}
        for i, axis in enumerate(self._axes):
            groups.setdefault(axis.parameter.condition, []).append(i)
        return list(groups.values())


def _good(gamma: float, trials: int) -> int:
    """Number of good trials by hyperopt's rule."""
    return min(math.ceil(gamma * math.sqrt(trials)), _MOST_GOOD)


def _trial(number: int, point: Sequence[float] | NDArray[np.float64], axes: Sequence[_Axis]) -> FrozenTrial:
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


class _Trials(InMemoryStorage):
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
