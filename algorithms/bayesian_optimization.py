"""Bayesian optimisation. By default this project's own Gaussian process (``algorithms.bayesian``), which handles
integers, log scales, steps, categories, conditional parameters, constraints, noise, failed and pending trials, several
objectives and former experiments; with ``engine: skopt`` scikit-optimize (``algorithms.skopt_optimization``).

* The first trials fill the space: its middle, then a scrambled Sobol sequence. Failed ones do not count as such.
* Then each suggestion is the point of largest expected improvement under a Gaussian process that is fitted to the
  finished trials in order of seq; of several objectives, that of the largest gain along a random trade-off.
* Suggestions take turns: anywhere with one warp of the losses, near the best point with another, and every fourth one
  closest to it, with the losses as they are and a quadratic trend, which knows a bowl from few trials; of several
  objectives, with the second warp and no trend. Where parameters depend on others, every fourth one improves on one of
  the branches in its own right. Suggestions that may lie anywhere keep away from all former trials, and trials side by
  side count once in the choice of the warp: a search that has found an optimum looks for a better one half of the time.
* Failed trials make points near them less likely to be chosen, outcome constraints are modelled each by a process of
  its own; suggestions that may lie anywhere keep to where each limit holds with a probability of 0.9, and those near
  the best point find out where that ends. Pending trials count with values that are drawn from the model, and none is
  suggested right beside one.
* No point is suggested twice; a finite space that is used up ends the search.
* Hyperparameters are fitted to the finished prefix at fixed numbers of trials, so nothing is remembered between calls.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from algorithms.batch import Batch, filled_with
from algorithms.bayesian_settings import BayesianOptimizationSettings
from algorithms.blas_threads import one_blas_thread
from algorithms.features import SPACE_FEATURES, Feature, check_features
from algorithms.randomness import seed_of
from algorithms.settings import parse
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.naming import load
from katib.core.trial import Parameters, Proposal


class BayesianOptimization:
    """Suggests where a model of the finished trials expects the most; exhausted when a finite space is used up."""

    recipe: ClassVar[Any] = None  # a Recipe, None for the default one; looked up late like the engine
    settings_class = BayesianOptimizationSettings
    supports = SPACE_FEATURES | {
        Feature.OUTCOME_CONSTRAINTS,
        Feature.REPEATS,
        Feature.OBJECTIVES,
        Feature.DECLARED,
    }

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting or on what the engine cannot use, MissingExtraError without
        scikit-optimize where that is the engine."""
        settings = parse(BayesianOptimizationSettings, spec.algorithm)
        if settings.engine == "gp" and not settings.known_to_gp:
            unknown = f"got gp, which has no {settings.base_estimator} with {settings.acq_func}: expected skopt"
            raise SpecError([Problem("spec.algorithm.algorithmSettings[engine]", unknown)])
        seed = seed_of(settings.random_state, spec.seed)
        # Engines are looked up late, so that the settings can be read without what these load.
        if settings.skopt:
            kind = load("engine", "algorithms.skopt_optimization:SkoptOptimization", {})
            check_features(spec, kind.supports)
            engine = kind(spec, seed, settings)
        else:
            acquisition = "EI" if settings.acq_func == "gp_hedge" else settings.acq_func
            kind = load("engine", "algorithms.bayesian.suggester:Suggester", {})
            engine = kind(spec, seed, settings.n_initial_points, acquisition, self.recipe)
        self._next: Callable[[Batch], Parameters | None] = engine.next

    def suggest(self, history: History, count: int) -> Proposal:
        """``count`` new points, or fewer and ``exhausted`` if no more exist."""
        with one_blas_thread():
            return filled_with(history, count, self._next)
