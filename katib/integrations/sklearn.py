"""``KatibSearchCV``: scikit-learn's search with cross-validation, its candidates proposed by Katib's algorithms."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from katib.core.errors import MissingExtraError, PermanentError, Problem, SpecError
from katib.integrations.sklearn_space import Decoder, decoded, search_space
from katib.sdk.asked_trial import AskedTrial
from katib.sdk.optimizer import Optimizer

try:
    from sklearn.model_selection._search import BaseSearchCV
    from sklearn.utils import check_random_state
except ModuleNotFoundError as error:
    raise MissingExtraError("scikit-learn", "sklearn") from error

SCORE = "score"
_SEEDS = 2**31 - 1


class KatibSearchCV(BaseSearchCV):  # type: ignore[misc]
    """A search over the parameters of an estimator, as GridSearchCV and RandomizedSearchCV are, with their attributes:
    ``best_estimator_``, ``best_params_``, ``best_score_``, ``best_index_``, ``cv_results_`` and so on.

    space: parameter name -> a ``katib.search`` helper, a frozen distribution of scipy.stats, or a list of values.
    n_trials: candidates at most, None for all of a finite space. algorithm, algorithm_settings: a name as in
    ``katib.tune``, and its settings. parallel: candidates proposed at a time, before any of them is scored: more keep
    more of ``n_jobs`` busy, fewer learn sooner. The rest is as in RandomizedSearchCV; with several metrics the one that
    ``refit`` names is maximised, else the first.

    All candidates are judged on the same splits. One whose fits all fail is no row of ``cv_results_``; if that is all
    of them, the last error is raised. ``result_`` is the search as ``katib.tune`` returns it, failed trials included.

    Raises SpecError for a wrong space, UnknownNameError for an algorithm that there is not, when it is fitted.
    """

    _parameter_constraints: dict[str, Any] = {  # noqa: RUF012 - scikit-learn's own name, which it reads of the class
        **BaseSearchCV._parameter_constraints,
        "space": [dict],
        "n_trials": [numbers.Integral, None],
        "algorithm": [str],
        "algorithm_settings": [dict, None],
        "parallel": [numbers.Integral],
        "random_state": ["random_state"],
    }

    def __init__(  # noqa: PLR0913 - scikit-learn's convention: every setting is an argument of its own
        self,
        estimator: Any,
        space: Mapping[str, Any],
        *,
        n_trials: int | None = 20,
        algorithm: str = "auto",
        algorithm_settings: Mapping[str, object] | None = None,
        parallel: int = 1,
        scoring: Any = None,
        n_jobs: int | None = None,
        refit: Any = True,
        cv: Any = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: Any = None,
        error_score: Any = math.nan,
        return_train_score: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.space = space
        self.n_trials = n_trials
        self.algorithm = algorithm
        self.algorithm_settings = algorithm_settings
        self.parallel = parallel
        self.random_state = random_state

    def _run_search(self, evaluate_candidates: Callable[..., dict[str, Any]]) -> None:
        """Ask for candidates, have them judged, tell their scores, until there is none to come."""
        domains, decoders = search_space(self.space)
        judge = _Judge(evaluate_candidates, _SameSplits(self._checked_cv_orig), self.refit, self.error_score)
        with _Asked(
            domains,
            max_trials=self.n_trials,
            parallel=self.parallel,
            algorithm=self.algorithm,
            algorithm_settings=self.algorithm_settings,
            direction="maximize",
            metric=SCORE,
            seed=int(check_random_state(self.random_state).randint(_SEEDS)),
        ) as optimizer:
            while batch := optimizer.batch(self.parallel):
                for trial, score in zip(batch, judge.scores(batch, decoders), strict=True):
                    if math.isfinite(score):
                        optimizer.tell(trial, score)
                    else:
                        optimizer.tell(trial, state="failed", reason=judge.error or f"the score is {score}")
        self.result_ = optimizer.result
        if not judge.rows:
            raise judge.error or SpecError([Problem("space", "there is no candidate in it")])


class _Asked(Optimizer):
    """An optimizer whose caller's thread alone asks and tells; those of joblib do not."""

    def _is_alone(self) -> bool:
        return True

    def batch(self, size: int) -> list[AskedTrial]:
        """Up to ``size`` trials: fewer where the algorithm waits for results first; none once the search is over."""
        trials: list[AskedTrial] = []
        while len(trials) < size:
            try:
                trial = self.ask()
            except PermanentError:  # only a told trial brings the next one
                if not trials:
                    raise
                break
            if trial is None:
                break
            trials.append(trial)
        return trials


class _SameSplits:
    """A splitter whose first splits are those of all later calls."""

    def __init__(self, cv: Any) -> None:
        self._cv = cv
        self._splits: list[Any] = []

    def split(self, *data: Any, **more: Any) -> list[Any]:
        """The splits as (train, test) pairs of indices."""
        self._splits = self._splits or list(self._cv.split(*data, **more))
        return self._splits


class _Judge:
    """Scores candidates by scikit-learn's own evaluation. rows: how many have a row in the results. error: the last
    one of a batch that could not be fitted at all."""

    def __init__(self, evaluate: Callable[..., dict[str, Any]], cv: _SameSplits, refit: Any, error_score: Any) -> None:
        self.rows = 0
        self.error: ValueError | None = None
        self._evaluate, self._cv, self._refit, self._error_score = evaluate, cv, refit, error_score

    def scores(self, batch: list[AskedTrial], decoders: Mapping[str, Decoder]) -> list[float]:
        """The mean score of each trial, NaN for one that has none."""
        self.error = None
        try:
            results = self._evaluate([decoded(trial.parameters, decoders) for trial in batch], cv=self._cv)
        except ValueError as error:  # how scikit-learn says that all fits of this call failed
            if self._error_score == "raise":
                raise
            self.error = error
            return [math.nan] * len(batch)
        self.rows = len(results["params"])
        return [float(score) for score in results[self._column(results)][-len(batch) :]]

    def _column(self, results: Mapping[str, Any]) -> str:
        with suppress(TypeError):
            if (wanted := f"mean_test_{self._refit}") in results:
                return wanted
        return next(name for name in results if name.startswith("mean_test_"))
