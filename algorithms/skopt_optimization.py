"""``bayesianoptimization`` with scikit-optimize's surrogates and acquisition functions (setting ``engine: skopt``).

Each suggestion fits a new surrogate to the finished trials in order of seq, with random numbers of its own trial
number, so nothing is remembered between calls:

* The first ``n_initial_points`` trials are a scrambled Sobol sequence, keyed by the seed.
* Points are coordinates of the unit cube, so distributions, steps and negative bounds are honoured; categories are
  one-hot. Inactive parameters sit at the middle.
* Failed trials, and those that violate a constraint on metrics, count as the worst value seen; early-stopped ones with
  the value they reached (an optimistic reading: their curve was cut). Pending ones count as the best value seen
  ("constant liar", Ginsbourger et al. 2010, CL-min).
* No point is suggested twice. In a small finite space all points that are left are compared; in others, where the
  surrogate's choice was tried before, the best untried one of a random pool is taken.
* ``gp_hedge`` chooses among EI, LCB and PI by their past gains, which are lost without replaying every fit. Here the
  choice is uniform, as it is there before the first gain.
* Of very long histories the best and the newest trials are fitted, so that a fit takes about a second.
* Trials of former experiments (``spec.warmStart``) whose relevance the experiment's own trials confirm are fitted
  beside these, on their scale, and spare the space-filling trials that are left. Each trial of its own takes the place
  of one of them, so that what was known before fades.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from algorithms.batch import Batch
from algorithms.bayesian_settings import BayesianOptimizationSettings
from algorithms.features import SPACE_FEATURES, Feature
from algorithms.former_trials import FormerTrials, confirmed_trials
from algorithms.randomness import generator, integer_seed, uniforms
from algorithms.sobol import sequence
from algorithms.unseen import first_unseen, unseen_points
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import View
from katib.core.naming import load
from katib.core.space import Choice, SearchSpace
from katib.core.trial import Trial, Value

INITIAL_POINTS = 10  # as in Katib
_PORTFOLIO = ("EI", "LCB", "PI")  # what gp_hedge chooses from
_MOST_TRIALS = 100  # trials that are fitted at most; a fit costs their number cubed
_POOL = 512  # points that are compared one by one: all of a small space, or some where the first choice was tried


@dataclass(frozen=True, slots=True)
class Observed:
    """What a surrogate is fitted to, one row a trial; lies about pending ones included.

    points: (n, d) in the unit cube. losses: (n,) with mean 0 and deviation 1. seconds: (n,) durations.
    """

    points: NDArray[np.float64]
    losses: NDArray[np.float64]
    seconds: NDArray[np.float64]


class Surrogate(Protocol):
    """A model fitted to what was observed."""

    def best_point(self) -> list[float]:
        """Coordinates (d,) in the unit cube where the acquisition function is best."""
        ...

    def best_of(self, points: NDArray[np.float64]) -> int:
        """Which of ``points`` (m, d) is the best one."""
        ...


class SkoptOptimization:
    """Fits a surrogate to the history and suggests where it expects the most, one point at a time."""

    supports = SPACE_FEATURES | {Feature.OUTCOME_CONSTRAINTS, Feature.REPEATS}

    def __init__(self, spec: ExperimentSpec, seed: int, settings: BayesianOptimizationSettings) -> None:
        """Raises SpecError on a bad setting, MissingExtraError without scikit-optimize."""
        self._settings, self._seed = settings, seed
        initial = settings.n_initial_points
        self._initial = INITIAL_POINTS if initial is None else initial
        has_gradient = self._settings.base_estimator == "GP" and any(
            not isinstance(parameter, Choice) for parameter in spec.space
        )
        if self._settings.acq_optimizer == "lbfgs" and not has_gradient:
            needs = "got 'lbfgs', which needs base_estimator GP and a parameter that is not categorical"
            raise SpecError([Problem("spec.algorithm.algorithmSettings[acq_optimizer]", needs)])
        self._initial_point = sequence()
        # Looked up late, so that the settings can be read without scikit-optimize.
        self._fit: Callable[[SearchSpace, Observed, BayesianOptimizationSettings, int], Surrogate] = load(
            "surrogate", "algorithms.skopt_surrogate:SkoptSurrogate", {}
        )

    def next(self, batch: Batch) -> dict[str, Value] | None:
        """The next point that is not taken, None if there is none."""
        number, space = batch.number, batch.history.space
        rng = partial(generator, self._seed, number)
        former = confirmed_trials(batch.history)
        if number < self._initial and len(space) and former is None:
            return first_unseen(space, self._initial_point(self._seed, number, len(space)), rng, batch.taken)
        observed = _observed(batch, former)
        if observed is None or space.cardinality == 1:
            return first_unseen(space, uniforms(self._seed, number, len(space)), rng, batch.taken)
        settings = self._settings
        if settings.acq_func == "gp_hedge":
            settings = replace(settings, acq_func=_PORTFOLIO[rng().integers(len(_PORTFOLIO))])
        surrogate = self._fit(space, observed, settings, integer_seed(self._seed, number))
        small = space.cardinality <= _POOL
        if not small:
            parameters = space.from_unit(surrogate.best_point())
            if not batch.taken(parameters):
                return parameters
        pool = list(islice(unseen_points(space, rng(), batch.taken, tries=0 if small else _POOL), _POOL))
        if not pool:
            return None
        return pool[surrogate.best_of(_without_gaps(np.array([space.to_unit(p) for p in pool])))]


def _observed(batch: Batch, former: FormerTrials | None = None) -> Observed | None:
    """Former experiments' trials, finished ones in order of seq, then pending ones; None if there is no value to learn
    from."""
    history = batch.history
    view = history.view()
    rows = _rows_to_fit(view)
    losses = np.where((view.violations[rows] > 0).any(axis=1), math.nan, view.Y[rows, 0])
    known = np.isfinite(losses)
    if not known.any():
        return None
    if former is not None:
        losses, known = np.concatenate([former.losses, losses]), np.concatenate([np.isfinite(former.losses), known])
    scale = float(np.abs(losses[known]).max()) or 1.0
    losses = losses / scale  # first, so that the deviation of huge values does not overflow
    best, worst = float(losses[known].min()), float(losses[known].max())
    losses = np.where(known, losses, worst)
    seconds = _durations([history.trials[number] for number in view.numbers[rows].tolist()])
    pending = [history.pending(), *(history.space.to_unit(s.parameters)[None] for s in batch.suggestions)]
    points = np.concatenate([*(former[:1] if former else ()), view.X[rows], *pending])
    lies = len(points) - len(losses)
    losses = np.concatenate([losses, np.full(lies, best)])
    typical = math.exp(float(np.log(seconds).mean()))
    before = len(points) - len(seconds) - lies
    return Observed(
        points=_without_gaps(points),
        losses=(losses - losses.mean()) / (losses.std() or 1.0),
        seconds=np.concatenate([np.full(before, typical), seconds, np.full(lies, typical)]),
    )


def _rows_to_fit(view: View) -> NDArray[np.intp]:
    """Rows of the view that lie in the space: all or, of too many, the best half and the newest half."""
    rows = np.flatnonzero(view.in_space)
    if len(rows) <= _MOST_TRIALS:
        return rows
    best = rows[np.argsort(view.Y[rows, 0], kind="stable")][: _MOST_TRIALS // 2]  # NaN sorts last
    newest = np.setdiff1d(rows, best)[-_MOST_TRIALS // 2 :]
    return np.sort(np.concatenate([best, newest]))


def _durations(trials: list[Trial]) -> NDArray[np.float64]:
    """Seconds that each trial ran, at least a millisecond; the median of the others where that is unknown."""
    seconds = np.array(
        [
            max(trial.finished - trial.started, 1e-3) if trial.finished and trial.started else math.nan
            for trial in trials
        ]
    )
    known = seconds[np.isfinite(seconds)]
    return np.where(np.isfinite(seconds), seconds, np.median(known) if len(known) else 1.0)


def _without_gaps(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inactive coordinates put to the middle."""
    return np.where(np.isnan(points), 0.5, points)
