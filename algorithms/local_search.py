"""Local search by first improvement, with restarts (White, Nolen & Savani 2021, "Exploring the loss landscape in neural
architecture search"): neighbours of the best point of a walk are tried in random order, the first better one becomes
the point whose neighbours are tried; where all of them were tried in vain, a new walk begins at a random point.

A walk is a label of its trials. A trial that has not finished yet is no improvement yet, so several workers try
several neighbours of the same point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from algorithms.batch import Batch, filled
from algorithms.features import SPACE_FEATURES
from algorithms.mutation import neighbours
from algorithms.random_search import RANDOM_STATE_HELP, random_point
from algorithms.randomness import generator, seed_of
from algorithms.settings import Settings, parse, setting
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.space import Real
from katib.core.trial import Parameters, Proposal

WALK = "local-search/walk"  # label: number of the walk
STARTS = 10  # random points before the first walk, which begins at the best of them


@dataclass(frozen=True, slots=True)
class LocalSearchSettings(Settings):
    """Settings of ``local-search``."""

    initial_points: int = setting(STARTS, low=1, help="random trials before the first walk, which begins at the best")
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


class LocalSearch:
    """Walks over a space of finitely many points."""

    settings_class = LocalSearchSettings
    supports = SPACE_FEATURES

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting, or a double without a step."""
        self._settings = parse(LocalSearchSettings, spec.algorithm)
        self._seed = seed_of(self._settings.random_state, spec.seed)
        endless = [each.name for each in spec.space if isinstance(each, Real) and each.step is None]
        if endless:
            names = ", ".join(endless)
            raise SpecError([Problem("spec.parameters", f"local-search needs a step for doubles; {names} has none")])

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new points, or fewer and ``exhausted`` if no more exist."""
        return filled(history, count, self._add_next)

    def _add_next(self, batch: Batch) -> bool:
        walk = _newest_walk(batch)
        if batch.number >= self._settings.initial_points:
            best = _best_of(batch.history, walk)
            if best is not None:
                rng = generator(self._seed, batch.number)
                for point in neighbours(batch.history.space, best, rng):
                    if not batch.taken(point):
                        batch.add(point, {WALK: str(walk)})
                        return True
                walk += 1
        return self._start(batch, walk)

    def _start(self, batch: Batch, walk: int) -> bool:
        point = random_point(self._seed, batch)
        if point is not None:
            batch.add(point, {WALK: str(walk)})
        return point is not None


def _newest_walk(batch: Batch) -> int:
    labels = [trial.labels for trial in batch.history.trials.values()]
    return max((int(each.get(WALK, 0)) for each in [*labels, *(s.labels for s in batch.suggestions)]), default=0)


def _best_of(history: History, walk: int) -> Parameters | None:
    """The point of a walk with the smallest loss, None if none of its trials has one yet."""
    view, best, found = history.view(), math.inf, None
    for loss, number, inside in zip(view.Y[:, 0], view.numbers, view.in_space, strict=True):
        trial = history.trials[int(number)]
        if inside and loss < best and int(trial.labels.get(WALK, 0)) == walk:
            best, found = float(loss), trial.parameters
    return found
