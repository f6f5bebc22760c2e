"""CMA-ES (Hansen & Ostermeier 2001), in the form for mixed spaces: CatCMA with margin (Hamano et al. 2025), by cmaes.

A normal distribution over the unit cube, with a distribution over categories beside it, is drawn from and moved towards
the better half of each generation.

* The state is replayed from the history: trials carry the generation that they were drawn in and the number of their
  draw, and a draw is repeated from the trial's own random numbers. What was drawn in another version of the library
  and cannot be repeated is learned from as the point that was tried.
* Nothing waits: a generation is the next trials to finish, as many as the population has, in the order of their end,
  whichever generation they were drawn in. So no slot idles and no trial is lost, and the answer to a trial that takes
  long comes late. A population of about the number of parallel trials or more learns best.
* Failed trials rank last, those that violate a constraint on metrics before them; early-stopped ones rank by the value
  that they reached. Killed trials are no members. A generation of equals teaches nothing and is passed over.
* It starts at the default of each parameter, or in the middle. Ranges without a step, and grids of more than 64 values,
  are continuous; smaller grids and discrete lists are integers, which keep a least chance to change (the margin);
  categories, and any two values, are categories. Katib draws categories at random.
* When the points of a generation all but coincide it has converged. ``ipop`` (Auger & Hansen 2005) starts again at a
  random place with a larger population; ``bipop`` (Hansen 2009) alternates that with small populations and steps, by
  the trials spent on each. Without a strategy, what follows is drawn at random.
* No point is suggested twice: a draw that was tried is drawn again, and after 32 times a point is drawn at random, as
  no member of a generation. Initial trials are no members either. The search is exhausted when nothing is left.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from functools import partial
from itertools import islice

from algorithms.batch import Batch, filled
from algorithms.cma_replay import DRAW, GENERATION, Begin, Replay, Restarts
from algorithms.features import Feature
from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.randomness import generator, integer_seed, seed_of, uniforms
from algorithms.settings import Settings, parse, setting
from algorithms.unseen import first_unseen, unseen_points
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.naming import load
from katib.core.space import Choice
from katib.core.trial import Proposal

_TRIES = 32


@dataclass(frozen=True, slots=True)
class CMAESSettings(Settings):
    """Settings of ``cmaes``."""

    sigma: float | None = setting(
        None, above=0, help="deviation at the start, as a share of each range; a sixth if left out"
    )
    restart_strategy: str = setting(
        "none", choices=("none", "ipop", "bipop"), convert=str.lower, help="what to do once converged"
    )
    population_size: int | None = setting(
        None, low=4, help="trials a generation; 4 + floor(3 ln d) for d parameters if left out"
    )
    inc_popsize: int = setting(2, low=2, help="factor by which ipop and bipop enlarge the population")
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


class CMAES:
    """CMA-ES: draws from a distribution that moves and takes shape from generation to generation; for long searches."""

    settings_class = CMAESSettings
    supports = frozenset({Feature.CONDITIONS, Feature.CONSTRAINTS, Feature.OUTCOME_CONSTRAINTS, Feature.REPEATS})

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting, or fewer than two numeric parameters."""
        settings = parse(CMAESSettings, spec.algorithm)
        self._seed = seed_of(settings.random_state, spec.seed)
        self._restarts = Restarts(
            settings.restart_strategy, settings.sigma or 1 / 6, settings.population_size, settings.inc_popsize
        )
        numeric = [parameter.name for parameter in spec.space if not isinstance(parameter, Choice)]
        if len(numeric) < 2:
            have = f"got {len(numeric)} ({', '.join(numeric)})" if numeric else "got none"
            raise SpecError([Problem("spec.parameters", f"cmaes needs two int, double or discrete parameters, {have}")])
        # Looked up late, so that the settings can be read without cmaes.
        self._begin: Begin = load("distribution", "algorithms.cma_distribution:CatCMADistribution", {})
        self._history: weakref.ref[History] | None = None
        self._replay: Replay | None = None

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new points, or fewer and ``exhausted`` if no more exist."""
        return filled(history, count, partial(self._add_next, self._replayed(history)))

    def _replayed(self, history: History) -> Replay:
        """The state after all that finished. That of the history seen last is carried on: finished trials stay."""
        if self._replay is None or self._history is None or self._history() is not history:
            self._history = weakref.ref(history)
            self._replay = Replay(history.space, self._restarts, self._seed, self._begin)
        self._replay.catch_up(history)
        return self._replay

    def _add_next(self, replay: Replay, batch: Batch) -> bool:
        number, space = batch.number, batch.history.space
        rng = partial(generator, self._seed, number)
        if replay.over:
            drawn = first_unseen(space, uniforms(self._seed, number, len(space)), rng, batch.taken)
        else:
            draws = replay.distribution.draws(integer_seed(self._seed, number))
            for index, draw in enumerate(islice(draws, _TRIES)):
                parameters = space.from_unit(replay.distribution.point(draw))
                if not batch.taken(parameters):
                    batch.add(parameters, {GENERATION: str(replay.generation), DRAW: str(index)})
                    return True
            drawn = next(unseen_points(space, rng(), batch.taken), None)
        if drawn is not None:
            batch.add(drawn)
        return drawn is not None
