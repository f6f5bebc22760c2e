"""How much each parameter had to do with a good value: PED-ANOVA, by Optuna.

Watanabe, Bansal & Hutter 2023, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces"
(IJCAI, arXiv 2304.10255): a parameter counts by how much its values among the best trials differ from its values among
all of them, as the Pearson divergence of the two densities.
"""

from __future__ import annotations

import math
import warnings

from optuna.importance import PedAnovaImportanceEvaluator
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from algorithms.optuna_trials import Axis, Trials, trial_at
from katib.core.history import History

BEST = 0.1  # of the trials
FEWEST_BEST, FEWEST = 5, 10  # with fewer trials among the best a density says little


def importance(history: History) -> dict[str, float]:
    """The share of each parameter of the space, greatest first; they add up to 1, or are all 0 if nothing differs.

    The best are a tenth of the trials, five at least; with several objectives, those nearest to the front. Counted are
    trials (sets of parameters, where each runs several times) with a value that keep to the constraints.

    Raises ValueError if there are fewer than ten of them.
    """
    trials = _trials(history)
    if len(trials) < FEWEST:
        raise ValueError(f"got {len(trials)} trials with a value, expected {FEWEST} or more to tell what mattered")
    study = Study("importance", Trials(trials, objectives=len(history.objective.targets)))
    best = max(BEST, FEWEST_BEST / len(trials))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the few trials that have some branch of the space
        found = PedAnovaImportanceEvaluator(target_quantile=best).evaluate(study)
    total = math.fsum(found.values()) or 1.0
    shares = {parameter.name: found.get(parameter.name, 0.0) / total for parameter in history.space}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _trials(history: History) -> list[FrozenTrial]:
    axes, view = [Axis.of(parameter) for parameter in history.space], history.view()
    trials = []
    for row, number in enumerate(view.numbers.tolist()):
        if view.failed[row] or not view.in_space[row] or (view.violations[row] > 0).any():
            continue
        trial = trial_at(number, view.X[row], axes)
        trial.state, trial.values = TrialState.COMPLETE, view.Y[row].tolist()
        trials.append(trial)
    return trials
