"""Tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for hyper-parameter optimization"), by Optuna.

Trials are split into few good ones and the rest; a density is fitted to each, and of some draws from the good one the
point with the largest ratio of the two is suggested. ``tpe`` does so for each parameter by itself, ``multivariate-tpe``
for all that are active together (Falkner et al. 2018, "BOHB", section 3.2).

* The first ``n_startup_trials`` are points of a scrambled Sobol sequence, until that many trials have a value.
* Ranges are coordinates of the unit cube, so distributions, steps and bounds are honoured; where all values of a grid
  or a discrete list are equally likely they are a range of integers. Categories have no order.
* A parameter with a condition learns from the trials in which it was active; in ``multivariate-tpe`` together with
  those of the same condition.
* Pending trials count as bad ones ("constant liar"), and so do failed ones, for ever: suggestions keep away from both.
  Early-stopped ones rank behind all that succeeded, the longest run first, and those that violate a constraint on
  metrics behind all others, the smallest violation first.
* Several objectives are split by the ranks of non-domination, then by hypervolume (Ozaki et al. 2020, "MOTPE").
* No point is suggested twice: what was tried is taken as bad once more and the model asked again, up to 32 times;
  then an untried point is drawn at random. The search is exhausted when a finite space is used up.
* Trials of former experiments (``spec.warmStart``) whose relevance the experiment's own trials confirm are learned from
  beside these, and spare the start-up trials that are left; each trial of its own takes the place of one of them.
* ``gamma`` and ``n_EI_candidates`` are hyperopt's settings, which Katib's ``tpe`` has. Without ``gamma``, Optuna's rule
  decides how many trials are good: one in ten, 25 at most.

Each suggestion has random numbers of its own trial number, so nothing is remembered between calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np

from algorithms.batch import Batch, filled_with
from algorithms.features import Feature
from algorithms.former_trials import FormerTrials, confirmed_trials
from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.randomness import generator, integer_seed, seed_of
from algorithms.settings import Settings, parse, setting
from algorithms.sobol import sequence
from algorithms.unseen import first_unseen, unseen_points
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.naming import load
from katib.core.trial import Proposal, Value

_TRIES = 32  # times that the model is asked for a point that was not tried


@dataclass(frozen=True, slots=True)
class TPESettings(Settings):
    """Settings of ``tpe`` and ``multivariate-tpe``."""

    n_startup_trials: int = setting(10, low=0, help="trials with a value before the model chooses")
    n_ei_candidates: int = setting(24, low=1, help="draws from the density of good trials, of which the best is taken")
    n_EI_candidates: int | None = setting(None, low=1, help="the same by the name that it has in hyperopt")
    gamma: float | None = setting(
        None, above=0, below=1, help="of n trials, ceil(gamma * sqrt(n)) are good, 25 at most; a tenth of n if left out"
    )
    prior_weight: float = setting(1.0, above=0, help="weight of the prior beside one trial")
    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)

    @property
    def candidates(self) -> int:
        """The number of candidates, by whichever name it was given."""
        return self.n_EI_candidates or self.n_ei_candidates


class Model(Protocol):
    """Densities over the finished trials of a history."""

    def draws(self, batch: Batch, seed: int, former: FormerTrials | None) -> Iterator[dict[str, Value]]:
        """Points without end, best first as far as the model knows; each one that is passed over counts as bad.

        former: points (p, d) and losses (p,) of former experiments, learned from like trials.
        """
        ...


class TPE:
    """Tree-structured Parzen estimator, each parameter by itself; learns from good, bad, pending and failed trials."""

    settings_class = TPESettings
    supports = frozenset(Feature)
    joint = False  # whether parameters are modelled together

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting."""
        self._settings = parse(TPESettings, spec.algorithm)
        given = {"n_ei_candidates", "n_EI_candidates"} & set(spec.algorithm.settings)
        if len(given) == 2 and self._settings.n_ei_candidates != self._settings.n_EI_candidates:
            path = "spec.algorithm.algorithmSettings[n_EI_candidates]"
            raise SpecError([Problem(path, "differs from n_ei_candidates, which means the same")])
        self._seed = seed_of(self._settings.random_state, spec.seed)
        self._initial_point = sequence()
        # Looked up late, so that the settings can be read without Optuna.
        self._model: Model = load("model", "algorithms.optuna_tpe:OptunaTPE", {})(self._settings, self.joint)

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new points, or fewer and ``exhausted`` if no more exist."""
        return filled_with(history, count, self._next)

    def _next(self, batch: Batch) -> dict[str, Value] | None:
        number, space = batch.number, batch.history.space
        view = batch.history.view()
        known = np.count_nonzero(view.in_space & ~view.failed)
        plain = view.Y.shape[1] == 1 and not view.violations.shape[1]
        former = confirmed_trials(batch.history) if plain else None
        enough = known >= max(self._settings.n_startup_trials, 1) or (known and former is not None)
        if not enough or space.cardinality == 1:
            point = self._initial_point(self._seed, number, len(space))
            return first_unseen(space, point, partial(generator, self._seed, number), batch.taken)
        for parameters in islice(self._model.draws(batch, integer_seed(self._seed, number), former), _TRIES):
            if not batch.taken(parameters):
                return parameters
        return next(unseen_points(space, generator(self._seed, number), batch.taken), None)


class MultivariateTPE(TPE):
    """Tree-structured Parzen estimator over the parameters together."""

    joint = True
