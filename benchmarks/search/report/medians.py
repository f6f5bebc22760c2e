"""Medians over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.search.report.bootstrap import interval, median, median_draws, nan_median
from benchmarks.search.report.regret import Regrets
from benchmarks.search.report.runs import Bools, Floats


@dataclass(frozen=True, slots=True)
class Medians:
    """Of one number of trials. value, low, high: (algorithms, problems) median regret over seeds and its interval, NaN
    where no run came so far. draws: (algorithms, problems, resamples) of log10 regret. seeds: how many there are."""

    value: Floats
    low: Floats
    high: Floats
    draws: Floats
    seeds: Floats


def medians_at(regrets: Regrets, budget: int) -> Medians:
    """Medians are of logarithms, as are their intervals."""
    logs = np.log10(regrets.at(budget))
    draws = median_draws(logs)
    low, high = interval(draws)
    return Medians(10 ** nan_median(logs), 10**low, 10**high, draws, (~np.isnan(logs)).sum(axis=-1).astype(float))


def family_medians(found: Medians, of_family: Bools) -> tuple[Floats, Floats, Floats]:
    """(algorithms,) the median over the problems of a family, and its interval; NaN of who lacks one of them.

    of_family: (problems,) whether it is of the family."""
    whole = ~np.isnan(found.value[:, of_family]).any(axis=1)
    low, high = interval(median(np.moveaxis(found.draws[:, of_family], 1, -1)))
    logs = (median(np.log10(found.value[:, of_family])), low, high)
    value, lowest, highest = (np.where(whole, 10**each, np.nan) for each in logs)
    return value, lowest, highest
