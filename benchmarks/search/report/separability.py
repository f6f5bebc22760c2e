"""Which differences between algorithms the data can tell from chance.

Demšar 2006, "Statistical comparisons of classifiers over multiple data sets", JMLR 7, sections 3.1.3 and 3.2.2: the
Wilcoxon signed-rank test for two algorithms, Friedman's test and Nemenyi's critical difference for many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import f as f_distribution
from scipy.stats import studentized_range, wilcoxon

from benchmarks.search.report.bootstrap import interval, nan_median
from benchmarks.search.report.ranks import MeanRanks, ranks
from benchmarks.search.report.regret import Regrets
from benchmarks.search.report.runs import Bools, Floats

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every algorithm of a group against the one of best mean rank. Arrays are over the group's algorithms.

    best: place of that one. difference, low, high: of mean ranks, and its bootstrap interval. p: Wilcoxon's, corrected
    after Holm; 1 for the best itself. worse: the interval excludes 0. confirmed: so says the test too, at ALPHA.
    least_p: the smallest p that so few problems and so many comparisons allow.
    """

    best: int
    difference: Floats
    low: Floats
    high: Floats
    p: Floats
    worse: Bools
    confirmed: Bools
    least_p: float


@dataclass(frozen=True, slots=True)
class Friedman:
    """Friedman's test on (problems, k) ranks. mean: (k,). p: of Iman and Davenport's statistic. critical: Nemenyi's
    difference of mean ranks. problems: how many."""

    mean: Floats
    statistic: float
    p: float
    critical: float
    problems: int


def compare_to_best(regrets: Regrets, found: MeanRanks, budget: int) -> Comparison:
    """Paired comparisons, over the problems of the group, of the medians over seeds of log regret."""
    medians = seed_medians(regrets, found, budget)
    best = int(np.argmin(found.mean))
    others = [a for a in range(len(medians)) if a != best]
    p = np.ones(len(medians))
    p[others] = holm(np.array([signed_rank_p(medians[a], medians[best]) for a in others]))
    low, high = interval(found.draws - found.draws[best])
    worse = low > 0
    least = min(1.0, 2.0 ** (1 - medians.shape[1]) * len(others))
    return Comparison(best, found.mean - found.mean[best], low, high, p, worse, worse & (p < ALPHA), least)


def seed_medians(regrets: Regrets, found: MeanRanks, budget: int) -> Floats:
    """(algorithms, problems) of the group: median log10 regret over the seeds that all of them have."""
    group = found.group
    logs = np.log10(regrets.at(budget)[np.ix_(group.algorithms, group.problems)])
    return nan_median(np.where(np.isnan(logs).any(axis=0), np.nan, logs))


def signed_rank_p(one: Floats, other: Floats) -> float:
    """Two-sided p of Wilcoxon's signed-rank test on pairs; ranks of zero differences are split (Demšar 2006, 3.1.3)."""
    difference = np.round(one - other, 12)
    if not difference.any():
        return 1.0
    return float(wilcoxon(difference, zero_method="zsplit").pvalue)


def holm(p: Floats) -> Floats:
    """p-values corrected for their number (Holm 1979, Scandinavian Journal of Statistics 6): the i-th smallest of m
    times m - i + 1, none smaller than a former one, at most 1."""
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def friedman_of(regrets: Regrets, found: MeanRanks, budget: int) -> Friedman:
    """The test on one rank a problem: that of the median over seeds."""
    return friedman(ranks(seed_medians(regrets, found, budget)))


def friedman(ranked: Floats) -> Friedman:
    """(problems, k) ranks, k at least 2. Demšar 2006, section 3.2.2; without correction for ties, as there."""
    problems, k = ranked.shape
    mean = ranked.mean(axis=0)
    statistic = 12 * problems / (k * (k + 1)) * (float(np.sum(mean**2)) - k * (k + 1) ** 2 / 4)
    return Friedman(
        mean, statistic, _iman_davenport(statistic, problems, k), critical_difference(k, problems), problems
    )


def _iman_davenport(statistic: float, problems: int, k: int) -> float:
    """p of ``(N - 1) chi / (N (k - 1) - chi)``, which is F-distributed (Iman & Davenport 1980)."""
    room = problems * (k - 1) - statistic
    if problems < 2:
        return 1.0
    if room <= 1e-9:  # the same order on all problems
        return 0.0
    return float(f_distribution.sf((problems - 1) * statistic / room, k - 1, (k - 1) * (problems - 1)))


def critical_difference(k: int, problems: int, alpha: float = ALPHA) -> float:
    """Nemenyi's ``q sqrt(k (k + 1) / (6 N))``, q the studentized range over the square root of 2."""
    q = float(studentized_range.ppf(1 - alpha, k, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(k * (k + 1) / (6 * problems)))


def cliques(mean: Floats, critical: float) -> list[tuple[int, int]]:
    """Runs of sorted mean ranks that lie within the critical difference: (first, last) places in the sorted order,
    each of 2 or more, none within another."""
    ordered = np.sort(mean)
    found: list[tuple[int, int]] = []
    for first, value in enumerate(ordered):
        last = int(np.searchsorted(ordered, value + critical, side="right")) - 1
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found
