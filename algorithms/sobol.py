"""Sobol's low-discrepancy sequence (Sobol 1967; direction numbers of Joe & Kuo 2008), scrambled by the seed.

* Place k of the sequence is found by arithmetic. Scrambling (Owen 1998, here a random linear matrix and a digital
  shift) keeps the even cover and takes away the corner that the plain sequence starts in.
* Points are coordinates of the unit cube, so distributions, steps and both end values of a range are honoured; Katib's
  integers practically never reach their ``max``.
* Where steps and lists let two places fall on one point, the later place is passed over. In a space that is nearly used
  up what is left is drawn at random; the search is exhausted when nothing is left.
* Trials from elsewhere, such as initial ones, use up no place of the sequence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from algorithms.batch import Batch, filled
from algorithms.features import Feature
from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.randomness import generator, seed_of
from algorithms.settings import Settings, parse, setting
from algorithms.unseen import unseen_points
from algorithms.walk import next_place, place_label
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.naming import load
from katib.core.trial import Proposal

LEAD = "sobol/lead"
DIMENSIONS = 21201  # that have direction numbers

PointAt = Callable[[int, int, int], NDArray[np.float64]]

_TRIES = 64  # places that are passed over before what is left is drawn at random


@dataclass(frozen=True, slots=True)
class SobolSettings(Settings):
    """Settings of ``sobol``; Katib's has none."""

    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


class Sobol:
    """Points of a scrambled Sobol sequence, which covers the space more evenly than chance."""

    settings_class = SobolSettings
    supports = frozenset(Feature)

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting, or more parameters than the sequence has dimensions."""
        settings = parse(SobolSettings, spec.algorithm)
        self._seed = seed_of(settings.random_state, spec.seed)
        if len(spec.space) > DIMENSIONS:
            too_many = f"got {len(spec.space)}, more than the {DIMENSIONS} dimensions of the sequence"
            raise SpecError([Problem("spec.parameters", too_many)])
        self._point = sequence()

    def suggest(self, history: History, count: int) -> Proposal:
        """The next ``count`` points, or fewer and ``exhausted`` if no more exist."""
        return filled(history, count, self._add_next)

    def _add_next(self, batch: Batch) -> bool:
        space, first = batch.history.space, next_place(batch, LEAD)
        for place in range(first, first + _TRIES):
            parameters = space.from_unit(self._point(self._seed, place, len(space)))
            if not batch.taken(parameters):
                batch.add(parameters, place_label(batch, LEAD, place))
                return True
        for parameters in unseen_points(space, generator(self._seed, batch.number), batch.taken):
            batch.add(parameters, place_label(batch, LEAD, first + _TRIES - 1))
            return True
        return False


def sequence() -> PointAt:
    """``algorithms.sobol_sequence.sobol_point``; looked up late, so that settings can be read without scipy."""
    point: PointAt = load("sequence", "algorithms.sobol_sequence:sobol_point", {})
    return point
