"""``enas``: a controller, an LSTM, draws architectures and learns from each finished trial (Pham, Guan, Zoph, Le & Dean
2018, "Efficient neural architecture search via parameter sharing", sections 2.2 and 2.3).

Each trial trains one architecture, and its own result is that architecture's reward:

* One update of the controller for each finished trial, in the order of their ends, with the probability that the
  controller of that moment gives the architecture; trials that run at the same time were drawn by an earlier one.
* The reward is the share of the trials so far that are worse, the baseline a moving average of it.
* Failed trials have no reward and change nothing. Running ones change nothing either.
* No architecture is tried twice: the controller draws 64 times, the first draw that is new is taken, and a random
  point where none is.
* The controller is worked out from the history: it begins with random numbers of the seed, and nothing is remembered.

Any space of values can be searched: a parameter is a decision. It needs the extra ``nas``.
"""

from __future__ import annotations

import weakref
from functools import partial
from typing import Any

from algorithms.batch import Batch, filled_with
from algorithms.enas.decisions import Decisions
from algorithms.enas.settings import EnasSettings
from algorithms.features import Feature
from algorithms.random_search import random_point
from algorithms.randomness import seed_of
from algorithms.settings import parse
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.naming import load
from katib.core.trial import Parameters, Proposal

_DRAWS = 64  # drawn at once, for little more than one costs


class Enas:
    """Draws from the controller; no point twice; exhausted when the space is used up."""

    settings_class = EnasSettings
    supports = frozenset({Feature.CONSTRAINTS, Feature.WIDENING})
    replay = "algorithms.enas.replay:Replay"  # looked up late, so that the settings can be read without PyTorch

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting or a range without a step, MissingExtraError without PyTorch."""
        settings = parse(EnasSettings, spec.algorithm)
        self._seed = seed_of(settings.random_state, spec.seed)
        self._decisions = Decisions.of(spec.space)
        self._begin = partial(load("part of enas", self.replay, {}), self._decisions, settings, self._seed)
        self._history: weakref.ref[History] | None = None
        self._replay: Any = None

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new points, or fewer and ``exhausted`` if no more exist."""
        kept = self._history() if self._history is not None else None
        if self._replay is None or kept is not history:
            self._history, self._replay = weakref.ref(history), self._begin()
        self._replay.catch_up(history)
        return filled_with(history, count, self._next)

    def _next(self, batch: Batch) -> Parameters | None:
        for choices in self._replay.draws(batch.number, _DRAWS):
            point = self._decisions.point(choices)
            if not batch.taken(point):
                return point
        return random_point(self._seed, batch)
