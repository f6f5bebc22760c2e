"""Random search (Bergstra & Bengio 2012): independent draws from the prior, without repeats.

Trial k's draw depends on the seed and on k alone, not on the size of the batch it is asked in.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from algorithms.batch import Batch, filled_with
from algorithms.features import Feature
from algorithms.randomness import generator, seed_of, uniforms
from algorithms.settings import Settings, parse, setting
from algorithms.unseen import first_unseen
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.trial import Parameters, Proposal

RANDOM_STATE_HELP = "seed of the random numbers; the experiment's own seed if left out"


@dataclass(frozen=True, slots=True)
class RandomSettings(Settings):
    """Settings of ``random``."""

    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


class RandomSearch:
    """Draws from the prior of each parameter; exhausted when a finite space is used up."""

    settings_class = RandomSettings
    supports = frozenset(Feature)

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting."""
        settings = parse(RandomSettings, spec.algorithm)
        self._seed = seed_of(settings.random_state, spec.seed)

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new points, or fewer and ``exhausted`` if no more exist."""
        return filled_with(history, count, self._next)

    def _next(self, batch: Batch) -> Parameters | None:
        return random_point(self._seed, batch)


def random_point(seed: int, batch: Batch) -> Parameters | None:
    """A draw from the prior for the trial that is proposed next, none that was tried; None if the space is used up."""
    space, rng = batch.history.space, partial(generator, seed, batch.number)
    return first_unseen(space, uniforms(seed, batch.number, len(space)), rng, batch.taken)
