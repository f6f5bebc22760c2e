"""Regret: how far a run is from the best, in units of how far a random point is.

One objective: ``(best feasible loss so far - best) / (typical - best)``, so 0 is the best there is and 1 what a random
point gives (the normalisation of Turner et al. 2021, arXiv 2104.10201, section 3, turned round). Several: the share of
the best hypervolume that is still missing, ``(best - hypervolume so far) / best``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.report.hypervolume import hypervolume, hypervolumes_so_far
from benchmarks.search.report.runs import Bools, Floats, Run, of_problem

# What counts as reached. Below it regrets are equal: no tuning gains by less, and logarithms stay finite.
FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class Regrets:
    """Regrets of all runs with the same number of workers.

    values: (algorithms, problems, seeds, trials), each at least FLOOR; NaN where there is no run, or beyond its end.
    logged: (algorithms, problems, seeds) whether there is a log. best_seen: problems whose best is that of all logs.
    """

    workers: int
    algorithms: tuple[str, ...]
    problems: tuple[str, ...]
    families: tuple[str, ...]
    seeds: tuple[int, ...]
    values: Floats
    logged: Bools
    best_seen: tuple[str, ...]

    @property
    def trials(self) -> int:
        """Trials of the longest run."""
        return int(self.values.shape[-1])

    def at(self, budget: int) -> Floats:
        """(algorithms, problems, seeds) after so many trials."""
        return self.values[..., budget - 1]


def best_so_far(losses: Floats, feasible: Bools) -> Floats:
    """(n,) the smallest feasible one of the first 1, 2, ... n losses; infinity while there is none."""
    best: Floats = np.minimum.accumulate(np.where(feasible, losses, np.inf))
    return best


def regret(values: Floats, best: float, typical: float) -> Floats:
    """``(values - best) / (typical - best)``, at least 0. Infinity stays. A typical value that is no worse than the
    best is no unit: then the unit is 1."""
    unit = typical - best if typical > best else 1.0
    scaled: Floats = np.maximum(values - best, 0.0) / unit
    return scaled


def hypervolume_regret(volumes: Floats, best: float) -> Floats:
    """``(best - volumes) / best``, at least 0; 1 all along if nothing better than the reference point is known."""
    if best <= 0:
        return np.ones_like(volumes)
    missing: Floats = np.maximum(best - volumes, 0.0) / best
    return missing


def regrets_of(runs: Sequence[Run]) -> dict[int, Regrets]:
    """The regrets of the runs, by number of workers. Where nobody knows the best of a problem, it is the best that any
    run saw. Where a run has no feasible trial yet, its regret is the worst that any had on that problem, and at least
    1. Raises PermanentError on a problem with more than two objectives."""
    judged: dict[int, list[tuple[Run, Floats]]] = {workers: [] for workers in sorted({run.workers for run in runs})}
    for found in of_problem(runs).values():
        for run, curve in zip(found, _curves(found), strict=True):
            judged[run.workers].append((run, curve))
    return {workers: _arranged(workers, pairs) for workers, pairs in judged.items()}


def _arranged(workers: int, pairs: Sequence[tuple[Run, Floats]]) -> Regrets:
    """Runs with their curves, in order of problems, as one array."""
    problems = {run.problem: run for run, _ in pairs}
    algorithms = tuple(sorted({run.algorithm for run, _ in pairs}))
    seeds = tuple(sorted({run.seed for run, _ in pairs}))
    row = {name: i for i, name in enumerate(problems)}
    shape = len(algorithms), len(problems), len(seeds)
    values = np.full((*shape, max(run.length for run, _ in pairs)), np.nan)
    logged = np.zeros(shape, dtype=bool)
    for run, curve in pairs:
        place = algorithms.index(run.algorithm), row[run.problem], seeds.index(run.seed)
        logged[place] = True
        values[place][: len(curve)] = curve
        if run.exhausted and len(curve):
            values[place][len(curve) :] = curve[-1]
    return Regrets(
        workers=workers,
        algorithms=algorithms,
        problems=tuple(problems),
        families=tuple(run.family for run in problems.values()),
        seeds=seeds,
        values=np.maximum(values, FLOOR),
        logged=logged,
        best_seen=tuple(name for name, run in problems.items() if run.best is None),
    )


def _curves(runs: Sequence[Run]) -> list[Floats]:
    """The regret of each run of one problem after each of its trials, all of them finite."""
    first = runs[0]
    if first.worst:
        best = first.best if first.best is not None else _best_hypervolume(runs)
        return [hypervolume_regret(hypervolumes_so_far(r.losses, r.feasible, first.worst), best) for r in runs]
    found = [best_so_far(run.losses[:, 0], run.feasible) for run in runs]
    known = np.concatenate([*found, [np.inf]])
    if not np.isfinite(known).any():
        return [np.ones(run.length) for run in runs]
    best = first.best if first.best is not None else float(known.min())
    curves = [regret(values, best, first.typical) for values in found]
    reached = np.concatenate(curves)
    worst = max(1.0, float(reached[np.isfinite(reached)].max()))
    return [np.where(np.isfinite(curve), curve, worst) for curve in curves]


def _best_hypervolume(runs: Sequence[Run]) -> float:
    """Of all that any run found, taken together."""
    return hypervolume(np.vstack([run.losses[run.feasible] for run in runs]), runs[0].worst)
