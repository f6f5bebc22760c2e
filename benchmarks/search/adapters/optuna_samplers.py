"""Optuna's samplers, by the variant: ``tpe``, ``mtpe``, ``gp``, ``cmaes``, ``auto``.

Conditional parameters are asked for only where they are active, as define-by-run objectives do; of CMA-ES always.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import optuna
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from .axes import Axis, active, axes_of, point
from .serve import Point, Result, Setup

PACKAGES = ("optuna",)
_MOST_FOR_MODELS = 250  # trials with a value up to which AutoSampler keeps to GP and TPE
_MOST_OBJECTIVES = 3  # to which it puts its GP


class Study:
    """A study in memory, asked and told."""

    def __init__(self, setup: Setup) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._axes = axes_of(setup.parameters)
        if setup.variant == "cmaes":  # its state does not outlive a change of the parameters that all trials have
            self._axes = tuple(axis._replace(parent=None) for axis in self._axes)
        self._auto = AutoSampler(setup.seed, self._axes, setup) if setup.variant == "auto" else None
        sampler = self._auto.sampler if self._auto else _sampler(setup, self._axes)
        self._study = optuna.create_study(directions=["minimize"] * setup.objectives, sampler=sampler)

    def ask(self) -> tuple[Any, Point]:
        """The next point, and its trial."""
        if self._auto:
            self._study.sampler = self._auto.chosen(self._study)
        trial, places = self._study.ask(), dict[str, Any]()
        for axis in self._axes:
            if active(axis, places):
                places[axis.name] = _suggested(trial, axis)
        return trial, point(self._axes, places)

    def tell(self, results: Sequence[Result]) -> None:
        """Failed trials are failed ones of Optuna, which its samplers take no notice of."""
        for trial, losses, violations in results:
            if not losses:
                self._study.tell(trial, state=TrialState.FAIL)
                continue
            for number, violation in enumerate(violations):
                trial.set_constraint(f"c{number}", violation)
            self._study.tell(trial, list(losses))


class AutoSampler:
    """OptunaHub's ``samplers/auto_sampler``, which is loaded over the network only: the rule of its sampler of 2026,
    told here anew over the same samplers of Optuna, with the settings that it gives them.

    Until a trial has a value, points are random. Of one objective: multivariate TPE as soon as there is a category or a
    conditional parameter, and for good; else the Gaussian process up to 250 trials; then CMA-ES, begun from these, or
    TPE where there are outcome constraints. Of several: TPE with conditional parameters; else up to 250 trials TPE with
    categories or from four objectives on, and the Gaussian process without; then NSGA-II.
    """

    def __init__(self, seed: int, axes: Sequence[Axis], setup: Setup) -> None:
        self._random = random.Random(seed)
        self._conditional = any(axis.parent for axis in axes)
        self._categories = any(axis.kind == "category" and axis.parent is None for axis in axes)
        self._setup = setup
        self.sampler: BaseSampler = RandomSampler(seed=self._seed())

    def chosen(self, study: optuna.Study) -> BaseSampler:
        """The sampler for the next trial; the same object as long as the choice is the same."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        if complete:
            kind = self._kind(complete)
            if not isinstance(self.sampler, kind):
                self.sampler = self._new(kind, complete)
        return self.sampler

    def _kind(self, complete: Sequence[optuna.trial.FrozenTrial]) -> type[BaseSampler]:
        seen_conditions = self._conditional and any(
            each.params.keys() != complete[0].params.keys() for each in complete
        )
        many, several = len(complete) >= _MOST_FOR_MODELS, self._setup.objectives > 1
        if not several and isinstance(self.sampler, TPESampler):
            return TPESampler
        if seen_conditions or (self._categories and not (several and many)):
            return TPESampler
        if not many:
            return TPESampler if self._setup.objectives > _MOST_OBJECTIVES else GPSampler
        if several:
            return NSGAIISampler
        return TPESampler if self._setup.constraints else CmaEsSampler

    def _new(self, kind: type[BaseSampler], complete: Sequence[optuna.trial.FrozenTrial]) -> BaseSampler:
        seed = self._seed()
        if kind is TPESampler:
            return TPESampler(seed=seed, multivariate=True, constant_liar=True)
        if kind is CmaEsSampler:
            return CmaEsSampler(seed=seed, source_trials=sorted(complete, key=_completed)[:_MOST_FOR_MODELS])
        return GPSampler(seed=seed) if kind is GPSampler else NSGAIISampler(seed=seed)

    def _seed(self) -> int:
        return self._random.randrange(2**31)


def _completed(trial: optuna.trial.FrozenTrial) -> Any:
    return trial.datetime_complete


def _sampler(setup: Setup, axes: Sequence[Axis]) -> BaseSampler:
    """Each with the defaults of Optuna 5 but for these:

    ``tpe`` models parameters one by one, which was the default up to version 4. ``mtpe``: "The multivariate TPE is
    reported to outperform the independent TPE" and is the default of version 5 for one objective; ``group`` is its way
    with conditional parameters (documentation of ``TPESampler``). ``constant_liar`` is the default of both. ``cmaes``:
    ``with_margin`` where there are whole numbers, since it "prevents samples in each discrete distribution from being
    fixed to a single point" (documentation of ``CmaEsSampler``); categories are drawn at random by it.
    """
    seed = setup.seed
    if setup.variant == "tpe":
        return TPESampler(seed=seed, multivariate=False)
    if setup.variant == "mtpe":
        return TPESampler(seed=seed, multivariate=True, group=any(axis.parent for axis in axes))
    if setup.variant == "gp":
        return GPSampler(seed=seed, warn_independent_sampling=False)
    margin = any(axis.kind == "integer" for axis in axes)
    return CmaEsSampler(seed=seed, with_margin=margin, warn_independent_sampling=False)


def _suggested(trial: optuna.Trial, axis: Axis) -> Any:
    if axis.kind == "category":
        return trial.suggest_categorical(axis.name, list(axis.places))
    if axis.kind == "integer":
        return trial.suggest_int(axis.name, int(axis.low), int(axis.high), log=axis.log)
    return trial.suggest_float(axis.name, axis.low, axis.high, log=axis.log)


def start(setup: Setup) -> Study:
    """Set it up."""
    return Study(setup)
