"""CMA-ES (Hansen & Ostermeier 2001), by default in the form for mixed spaces: CatCMA with margin (Hamano et al. 2025).

A normal distribution over the unit cube, with a distribution over categories beside it, is drawn from and moved towards
the better half of each generation; the mathematics are those of the package cmaes.

* ``variant: auto`` is ``catcma``: ranges without a step, and grids of more than 64 values, are continuous; smaller
  grids and discrete lists are integers, which keep a least chance to change (the margin); categories, and any two
  values, are categories. Katib draws categories at random. ``margin`` (Hamano et al. 2022) takes every grid and list as
  integers, ``cma`` takes them as continuous; neither has categories. Where the best point lies inside of the space the
  three are not far apart; where it lies on a bound, ``catcma`` finds it in a fraction of the trials.
* The state is replayed from the history: trials carry the generation that they were drawn in and the number of their
  draw, and a draw is repeated from the trial's own random numbers. What was drawn in another version of the library,
  or in a space that has changed since, and cannot be repeated is learned from as the point that was tried.
* Nothing waits: a generation is the next trials to finish, as many as the population has, in the order of their end,
  whichever generation they were drawn in. So no slot idles and no trial is lost, and the answer to a trial that takes
  long comes late. A population of about the number of parallel trials or more learns best.
* Failed trials rank last, those that violate a constraint on metrics before them; early-stopped ones rank by the value
  that they reached. Killed trials are no members. A generation of equals teaches nothing and is passed over.
* It starts at the default of each parameter, or in the middle. Where ten or more trials have a value before its first
  one (initial ones, or another algorithm's), it starts at the best tenth of them, as wide as these are spread (Nomura
  et al. 2021); how many there were is a label of the trial. They are no members of a generation.
* When the points of a generation all but coincide it has converged. ``ipop`` (Auger & Hansen 2005) starts again at a
  random place with a larger population; ``bipop`` (Hansen 2009) alternates that with small populations and steps, by
  the trials spent on each. Without a strategy, what follows is drawn at random.
* No point is suggested twice: a draw that was tried is drawn again, and after 32 times a point is drawn at random, as
  no member of a generation. The search is exhausted when nothing is left.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from algorithms.batch import Batch, filled
from algorithms.cma_replay import DRAW, GENERATION, KNOWN, Begin, Replay, Restarts
from algorithms.features import SPACE_FEATURES, Feature
from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.randomness import generator, integer_seed, seed_of, uniforms
from algorithms.settings import Settings, parse, setting
from algorithms.unseen import first_unseen, unseen_points
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.naming import load
from katib.core.space import Choice, SearchSpace
from katib.core.trial import Proposal

_TRIES = 32
_VARIANTS = {
    "cma": "algorithms.cma_distribution:CMADistribution",
    "margin": "algorithms.cma_distribution:MarginDistribution",
    "catcma": "algorithms.cma_distribution:CatCMADistribution",
}


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
    variant: str = setting(
        "auto", choices=("auto", *_VARIANTS), help="what grids and categories are to it; auto is catcma"
    )
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


class CMAES:
    """CMA-ES: draws from a distribution that moves and takes shape from generation to generation; for long searches."""

    settings_class = CMAESSettings
    supports = SPACE_FEATURES | {Feature.OUTCOME_CONSTRAINTS, Feature.REPEATS}

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting, fewer than two parameters to search, or categories that the variant cannot
        take."""
        settings = parse(CMAESSettings, spec.algorithm)
        self._seed = seed_of(settings.random_state, spec.seed)
        self._restarts = Restarts(
            settings.restart_strategy, settings.sigma, settings.population_size, settings.inc_popsize
        )
        problems = list(_problems(spec.space, settings.variant))
        if problems:
            raise SpecError(problems)
        # Looked up late, so that the settings can be read without cmaes.
        variant = "catcma" if settings.variant == "auto" else settings.variant
        self._begin: Begin = load("variant of cmaes", variant, _VARIANTS)
        self._history: weakref.ref[History] | None = None
        self._replay: Replay | None = None

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new points, or fewer and ``exhausted`` if no more exist."""
        return filled(history, count, partial(self._add_next, self._replayed(history)))

    def _replayed(self, history: History) -> Replay:
        """The state after all that finished. That of the history seen last is carried on: finished trials stay."""
        kept = self._history() if self._history is not None else None
        if self._replay is None or not self._replay.begun or kept is not history:
            self._history = weakref.ref(history)
            self._replay = Replay(history, self._restarts, self._seed, self._begin)
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
                    known = {KNOWN: str(replay.known)} if replay.known else {}
                    batch.add(parameters, {GENERATION: str(replay.generation), DRAW: str(index), **known})
                    return True
            drawn = next(unseen_points(space, rng(), batch.taken), None)
        if drawn is not None:
            batch.add(drawn)
        return drawn is not None


def _problems(space: SearchSpace, variant: str) -> Iterator[Problem]:
    searched = [parameter for parameter in space if parameter.count > 1]
    if len(searched) < 2:
        have = f"got one ({searched[0].name})" if searched else "got none"
        yield Problem("spec.parameters", f"cmaes needs two parameters with more than one value, {have}")
    categories = [parameter.name for parameter in searched if isinstance(parameter, Choice)]
    if categories and variant in ("cma", "margin"):
        cannot = f"got {variant!r}, which has no categories such as {categories[0]!r}; catcma has"
        yield Problem("spec.algorithm.algorithmSettings[variant]", cannot)
