"""Regularized evolution (Real, Aggarwal, Huang & Le 2019, "Regularized evolution for image classifier architecture
search", algorithm 1): the population is the newest trials, not the best ones; the parent of a trial is the best of a
random sample of it, and one parameter of the parent is changed.

Whoever has not finished yet is no member. The sample and the change belong to the number of the trial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from algorithms.batch import Batch, filled_with
from algorithms.features import SPACE_FEATURES
from algorithms.mutation import mutated
from algorithms.random_search import RANDOM_STATE_HELP, random_point
from algorithms.randomness import generator, seed_of
from algorithms.settings import Settings, parse, setting
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.trial import Parameters, Proposal

TRIES = 100  # changes of parents until one is new


class Member(NamedTuple):
    """A trial of the population."""

    loss: float
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class EvolutionSettings(Settings):
    """Settings of ``regularized-evolution``."""

    population_size: int = setting(30, low=1, help="trials that may become parents: the newest ones")
    sample_size: int = setting(10, low=1, help="members that are drawn; the best of them becomes the parent")
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


class RegularizedEvolution:
    """Random points for the first population, children of good parents from then on; no point twice."""

    settings_class = EvolutionSettings
    supports = SPACE_FEATURES

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting."""
        self._settings = parse(EvolutionSettings, spec.algorithm)
        self._seed = seed_of(self._settings.random_state, spec.seed)

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new points, or fewer and ``exhausted`` if no more exist."""
        return filled_with(history, count, self._next)

    def _next(self, batch: Batch) -> Parameters | None:
        rng = generator(self._seed, batch.number)
        size, space = self._settings.population_size, batch.history.space
        members = population(batch.history, size) if batch.number >= size else []
        for _ in range(TRIES if members else 0):
            sample = rng.integers(len(members), size=self._settings.sample_size)
            parent = min((members[i] for i in sample), key=lambda member: member.loss)
            child = mutated(space, parent.parameters, rng)
            if not batch.taken(child):
                return child
        return random_point(self._seed, batch)


def population(history: History, size: int) -> list[Member]:
    """The newest ``size`` trials with a value, in order of their ends."""
    view = history.view()
    rows = np.flatnonzero(np.isfinite(view.Y[:, 0]) & view.in_space)[-size:]
    return [Member(float(view.Y[row, 0]), history.trials[int(view.numbers[row])].parameters) for row in rows]
