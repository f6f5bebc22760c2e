"""The part of ``tpe`` that talks to Optuna: its TPESampler over trials made from the history."""

from __future__ import annotations

import itertools
import math
import warnings
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any

from optuna.samplers import TPESampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from algorithms.batch import Batch
from algorithms.former_trials import FormerTrials
from algorithms.optuna_trials import Axis, Trials, trial_at
from algorithms.tpe import TPESettings
from katib.core.history import History, View
from katib.core.space import Condition, SearchSpace
from katib.core.trial import Value

_MOST_GOOD = 25  # hyperopt's limit


class OptunaTPE:
    """Draws points that are likely to be good. The trials of the history seen last are kept: they never change."""

    def __init__(self, settings: TPESettings, joint: bool) -> None:
        """joint: whether parameters that are active together are modelled together."""
        self._settings, self._joint = settings, joint
        self._history: weakref.ref[History] | None = None
        self._axes: list[Axis] = []
        self._finished: list[FrozenTrial] = []
        self._rows = 0

    def draws(self, batch: Batch, seed: int, former: FormerTrials | None) -> Iterator[dict[str, Value]]:
        """Points without end; each one that the caller does not take counts as bad for those after it."""
        history, space = batch.history, batch.history.space
        self._keep_up_with(history)
        trials = [*self._former(former), *self._finished, *self._pending(batch)]
        study = Study("history", Trials(trials, objectives=history.view().Y.shape[1]))
        sampler = self._sampler(seed)
        for number in itertools.count(history.next_number + len(trials)):
            parameters = space.from_unit(self._draw(sampler, study, space, number))
            yield parameters
            trials.append(trial_at(number, space.to_unit(parameters), self._axes))

    def _keep_up_with(self, history: History) -> None:
        """Take the trials in that finished since the last call."""
        if self._history is None or self._history() is not history:
            self._history, self._finished, self._rows = weakref.ref(history), [], 0
            self._axes = [Axis.of(parameter) for parameter in history.space]
        view = history.view()
        for row in range(self._rows, len(view.numbers)):
            if view.in_space[row]:
                self._finished.append(self._finished_trial(history, view, row))
        self._rows = len(view.numbers)

    def _finished_trial(self, history: History, view: View, row: int) -> FrozenTrial:
        trial = trial_at(int(view.numbers[row]), view.X[row], self._axes)
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
            trial = trial_at(number - len(losses), point, self._axes)
            trial.state, trial.values = TrialState.COMPLETE, [float(loss)]
            yield trial

    def _pending(self, batch: Batch) -> Iterator[FrozenTrial]:
        history = batch.history
        tried = {history.point(t.parameters): t.parameters for t in history.active.values()}  # repeated runs count once
        for number, parameters in enumerate([*tried.values(), *(s.parameters for s in batch.suggestions)]):
            point = history.space.locate(parameters)
            if point is not None:
                yield trial_at(history.next_number + number, point, self._axes)

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
        trial = trial_at(number, [], [])
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
