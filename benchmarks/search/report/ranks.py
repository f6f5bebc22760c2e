"""Ranks: 1 is the algorithm with the smallest regret; ties share the mean of their places.

Algorithms are ranked together only on problems that all of them completed. Those that completed fewer problems get
further tables, on what they have in common with the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from benchmarks.search.report.bootstrap import hierarchical_means, interval
from benchmarks.search.report.regret import Regrets
from benchmarks.search.report.runs import Bools, Floats, Integers

FEWEST_PROBLEMS = 5  # what algorithms are left out of a table for, if they completed so little that fewer remain


@dataclass(frozen=True, slots=True)
class Group:
    """Algorithms that are ranked together, and the problems that they are ranked on: places in ``Regrets``."""

    algorithms: tuple[int, ...]
    problems: tuple[int, ...]


class FamilyRanks(NamedTuple):
    """Of one family, each (algorithms,). mean: ranks. place: by them, 1 is the best. low, high: the bootstrap interval
    of the place, over problems and seeds."""

    mean: Floats
    place: Integers
    low: Integers
    high: Integers


@dataclass(frozen=True, slots=True)
class MeanRanks:
    """Of one group at one number of trials. ranks: (problems, seeds, algorithms), NaN where not all have the seed.
    mean, low, high: (algorithms,) means over problems of means over seeds, and their interval. draws: (algorithms,
    resamples) that the interval is of. families: of each problem. by_family: how they stand in each, by its name."""

    group: Group
    families: tuple[str, ...]
    ranks: Floats
    mean: Floats
    low: Floats
    high: Floats
    draws: Floats
    by_family: Mapping[str, FamilyRanks]


def completed(values: Floats, logged: Bools) -> Bools:
    """(algorithms, problems) whether every run that there is has come so far, and there is one."""
    return np.logical_and(logged.any(axis=-1), np.logical_or(~np.isnan(values), ~logged).all(axis=-1))


def groups(done: Bools, logged: Bools) -> tuple[tuple[int, ...], ...]:
    """The algorithms to rank together, most problems first: those that completed all problems; those that completed at
    least half of them; and as many as have at least FEWEST_PROBLEMS (or all there are) in common.

    done: (algorithms, problems); logged: (algorithms, problems, seeds). Fewer than 2 algorithms are no group.
    """
    problems = np.flatnonzero(done.any(axis=0))
    share = done[:, problems].sum(axis=1) / max(1, len(problems))
    everybody = np.flatnonzero(share > 0)
    fewest = min(FEWEST_PROBLEMS, len(problems))
    while len(everybody) > 1 and len(_common(everybody, done, logged)) < fewest:
        everybody = np.delete(everybody, np.argmin(share[everybody]))
    chosen = (np.flatnonzero(share == 1), np.flatnonzero(share >= 0.5), everybody)
    usable = [g for g in chosen if len(g) > 1 and len(_common(g, done, logged))]
    return tuple(dict.fromkeys(tuple(int(a) for a in g) for g in usable))


def group_at(regrets: Regrets, algorithms: tuple[int, ...], budget: int) -> Group | None:
    """These algorithms and what all of them completed of ``budget`` trials; None if nothing."""
    if budget > regrets.trials:
        return None
    done = completed(regrets.at(budget), regrets.logged)
    problems = _common(np.array(algorithms), done, regrets.logged)
    return Group(algorithms, tuple(int(p) for p in problems)) if len(problems) else None


def _common(algorithms: Integers, done: Bools, logged: Bools) -> Integers:
    """Problems that all of these completed on at least one common seed."""
    shared = logged[algorithms].all(axis=0).any(axis=-1)
    return np.flatnonzero(done[algorithms].all(axis=0) & shared)


def ranks(values: Floats) -> Floats:
    """(k, ...) regrets of k algorithms -> (..., k) their ranks; NaN where one of them has none."""
    last = np.moveaxis(values, 0, -1)
    there = ~np.isnan(last).any(axis=-1, keepdims=True)
    ranked = rankdata(np.where(there, last, 0.0), axis=-1)
    return np.where(there, ranked, np.nan)


def mean_over_seeds(ranked: Floats) -> Floats:
    """(..., seeds, k) -> (..., k), of the seeds that are there; each problem must have one."""
    mean: Floats = np.nanmean(ranked, axis=-2)
    return mean


def mean_ranks(regrets: Regrets, group: Group, budget: int) -> MeanRanks:
    """The ranks of the group after ``budget`` trials."""
    ranked = ranks(regrets.at(budget)[np.ix_(group.algorithms, group.problems)])
    draws = hierarchical_means(ranked)
    low, high = interval(draws)
    families = tuple(regrets.families[p] for p in group.problems)
    by_family = {name: _family(ranked[np.array(families) == name]) for name in sorted(set(families))}
    return MeanRanks(group, families, ranked, mean_over_seeds(ranked).mean(axis=0), low, high, draws, by_family)


def positions(mean: Floats) -> Integers:
    """1 for the smallest mean rank; equal ones share the better place. Along the first axis."""
    places: Integers = rankdata(mean, method="min", axis=0).astype(np.int64)
    return places


def _family(ranked: Floats) -> FamilyRanks:
    mean = mean_over_seeds(ranked).mean(axis=0)
    low, high = interval(positions(hierarchical_means(ranked)).astype(np.float64))
    return FamilyRanks(mean, positions(mean), low.astype(np.int64), high.astype(np.int64))


def rank_curves(regrets: Regrets, group: Group, budget: int) -> Floats:
    """(budget, algorithms) the mean rank after each number of trials."""
    values = np.moveaxis(regrets.values[np.ix_(group.algorithms, group.problems)][..., :budget], -1, 1)
    mean: Floats = mean_over_seeds(ranks(values)).mean(axis=1)
    return mean
