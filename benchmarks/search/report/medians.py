"""Medians over seeds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.search.report.bootstrap import interval, median_draws, nan_median
from benchmarks.search.report.regret import Regrets
from benchmarks.search.report.runs import Floats


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
