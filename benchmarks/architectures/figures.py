"""Mean regrets with intervals, and how much of what is possible they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
from scipy.stats import spearmanr

from benchmarks.architectures.cells import CellTable, Floats, sizes
from benchmarks.architectures.play import Course
from benchmarks.search.report.bootstrap import hierarchical_means, interval
from benchmarks.table import Row

EVOLUTION = "regularized-evolution"  # what the others are compared with
_FLOOR_SEED = 201

Courses = Mapping[str, Sequence[Course]]  # of each algorithm, a course a seed


def rows(table: CellTable, courses: Courses, budgets: Sequence[float]) -> Iterator[Row]:
    """All figures of one data set."""
    floor = floor_of(table, max(map(len, courses.values())))
    for name, budget in product(courses, budgets):
        regrets = np.array([course.at(budget) for course in courses[name]])
        if np.isfinite(regrets).all():
            yield _mean(f"{table.name}, {name}, {budget:g}", regrets)
    yield _mean(f"{table.name}, best of all cells by one run each", floor)
    for name, size in zip(("of all operations", "of those on a path"), sizes(table), strict=True):
        yield Row(f"{table.name}, size {name}, and test accuracy", float(spearmanr(size, table.test)[0]), "Spearman")
    for budget in budgets if EVOLUTION in courses else ():
        base = float(np.mean([course.at(budget) for course in courses[EVOLUTION]]))
        for name in courses:
            regret = float(np.mean([course.at(budget) for course in courses[name]]))
            possible = base - float(floor.mean())
            if name != EVOLUTION and possible > 0 and regret < base:
                share = 100 * (base - regret) / possible
                yield Row(f"{table.name}, {name}, {budget:g}, of evolution's gap to it", share, "% closed")


def floor_of(table: CellTable, draws: int) -> Floats:
    """Regrets (draws,) of the cell that looks best when all cells are trained once."""
    rng = np.random.default_rng(_FLOOR_SEED)
    return np.array([table.regret(table.best_by_one_run(rng)) for _ in range(draws)])


def _mean(case: str, values: Floats) -> Row:
    low, high = interval(hierarchical_means(values[None, :, None]))
    text = f"points, 95 %: {low[0]:.3f} to {high[0]:.3f}"
    return Row(case, float(values.mean()), text, samples=tuple(map(float, values)))
