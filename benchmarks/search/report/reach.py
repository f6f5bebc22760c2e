"""How many trials each algorithm needs for what a reference reaches with a given number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.search.report.bootstrap import SEED, interval, lower_median, median_draws, nan_median
from benchmarks.search.report.regret import Regrets
from benchmarks.search.report.runs import Floats

REFERENCE = "optuna-tpe"
REFERENCE_TRIALS = 100


@dataclass(frozen=True, slots=True)
class Reach:
    """Trials until the median regret that the reference has after REFERENCE_TRIALS. Infinite: not within the run.

    Medians are lower ones: by then at least half have reached it, so those that never do need no value.
    problems: those on which the reference came so far. trials, low, high: (algorithms, problems) medians over seeds and
    their interval, NaN where there is no run. median, median_low, median_high: (algorithms,) over the problems of each.
    """

    problems: tuple[int, ...]
    trials: Floats
    low: Floats
    high: Floats
    median: Floats
    median_low: Floats
    median_high: Floats


def trials_to_reach(curves: Floats, targets: Floats) -> Floats:
    """(..., trials) curves -> (...) the first number of trials at which the curve is at most its target, infinite if
    never; NaN of a curve that is NaN from the start."""
    reached = curves <= targets[..., None]
    first = np.where(reached.any(axis=-1), reached.argmax(axis=-1) + 1.0, np.inf)
    return np.where(np.isnan(curves[..., 0]), np.nan, first)


def reach(regrets: Regrets) -> Reach | None:
    """None without the reference, or if it made fewer trials everywhere."""
    if REFERENCE not in regrets.algorithms or regrets.trials < REFERENCE_TRIALS:
        return None
    reference = regrets.at(REFERENCE_TRIALS)[regrets.algorithms.index(REFERENCE)]
    problems = np.flatnonzero(~np.isnan(reference).all(axis=-1))
    if not len(problems):
        return None
    targets = nan_median(reference[problems])
    needed = trials_to_reach(regrets.values[:, problems], targets[None, :, None])
    draws = median_draws(needed, lower_median)
    low, high = interval(draws)
    over_problems = [_over_problems(d[~np.isnan(d[:, 0])]) for d in draws]
    medians = nan_median(needed, lower_median)
    return Reach(
        problems=tuple(int(p) for p in problems),
        trials=medians,
        low=low,
        high=high,
        median=nan_median(medians, lower_median),
        median_low=np.array([bounds[0] for bounds in over_problems]),
        median_high=np.array([bounds[1] for bounds in over_problems]),
    )


def _over_problems(draws: Floats) -> tuple[float, float]:
    """(problems, resamples) -> the interval of the median over problems, those drawn with replacement too."""
    problems, resamples = draws.shape
    if not problems:
        return np.nan, np.nan
    picks = np.random.default_rng(SEED).integers(0, problems, (resamples, problems))
    low, high = interval(lower_median(draws[picks, np.arange(resamples)[:, None]]))
    return float(low), float(high)
