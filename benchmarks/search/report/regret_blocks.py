"""The part of a report about regret: by family, by problem, and how many trials it takes to reach a given one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.search.report import figures
from benchmarks.search.report.bootstrap import median, nan_median
from benchmarks.search.report.document import (
    Block,
    Cell,
    Gallery,
    Table,
    columns_with_best,
    heads,
    name_cell,
    slug,
    with_best,
)
from benchmarks.search.report.medians import Medians, family_medians, medians_at
from benchmarks.search.report.numbers import NOTHING, between, count_text, regret_text, trials_text
from benchmarks.search.report.reach import REFERENCE, REFERENCE_TRIALS
from benchmarks.search.report.study import Ranking, Setting, Study


def regret_blocks(study: Study, setting: Setting) -> list[Block]:
    """Curves and tables."""
    blocks: list[Block] = []
    for place, ranking in enumerate(setting.rankings):
        blocks.append(_curves(study, setting, ranking, place))
    found = {budget: medians_at(setting.regrets, budget) for budget in setting.budgets}
    order = [setting.main, *(b for b in setting.budgets if b != setting.main)] if setting.budgets else []
    blocks += [_families(study, setting, b, found[b], folded=b != setting.main) for b in order]
    blocks += [_problems(study, setting, b, found[b]) for b in order]
    return blocks


def _curves(study: Study, setting: Setting, ranking: Ranking, place: int) -> Gallery:
    """A picture for each family, of the algorithms of one ranking on the problems that all of them completed."""
    budget = max(ranking.ranks)
    group = ranking.ranks[budget].group
    logs = np.log10(setting.regrets.values[np.ix_(group.algorithms, group.problems)][..., :budget])
    shared = np.where(np.isnan(logs).any(axis=0), np.nan, logs)
    by_problem = nan_median(np.moveaxis(shared, 2, -1))  # (algorithms, problems, trials)
    names = np.array([setting.regrets.families[p] for p in group.problems])
    drawn = []
    for family in sorted(set(names.tolist())):
        curves = 10 ** median(np.moveaxis(by_problem[:, names == family], 1, -1))
        count = int((names == family).sum())
        name = f"regret-{slug(family)}-w{setting.regrets.workers}-{place + 1}"
        title = f"{family}, {count_text(count, 'problem')}"
        drawn.append(
            figures.regret_curves(name, title, dict(zip(ranking.algorithms, curves, strict=True)), study.styles)
        )
    return Gallery(
        f"Median regret against trials for {len(ranking.algorithms)} algorithms on what all of them completed: of each "
        "problem the median over seeds, of these the median over the problems of a family. Lower is better.",
        tuple(drawn),
        title=f"Regret by family: {len(ranking.algorithms)} algorithms",
        folded=place > 0,
    )


def _families(study: Study, setting: Setting, budget: int, found: Medians, *, folded: bool) -> Table:
    """Of each algorithm the families of which it has every problem; left out is who has none."""
    families, algorithms = np.array(setting.regrets.families), setting.regrets.algorithms
    names = sorted(set(families.tolist()))
    medians = {family: family_medians(found, families == family) for family in names}
    some = {a for value, _, _ in medians.values() for a in np.flatnonzero(~np.isnan(value))}
    places = [a for a in (algorithms.index(name) for name in study.algorithms if name in algorithms) if a in some]
    columns: list[tuple[Sequence[Cell], Sequence[float]]] = [
        ([name_cell(algorithms[a]) for a in places], [np.nan] * len(places))
    ]
    for value, low, high in medians.values():
        columns.append(([_regret_cell(value[a], low[a], high[a]) for a in places], [float(value[a]) for a in places]))
    header = [Cell(family, count_text(int((families == family).sum()), "problem")) for family in names]
    return Table(
        title=f"Median regret by family at {budget} trials",
        about="The median over the problems of a family of the median over seeds, and its 95 % bootstrap interval over "
        "seeds; 0 is the best there is, 1 a random point. Only where all problems of the family were run.",
        header=(Cell("algorithm"), *header),
        rows=columns_with_best(columns),
        folded=folded,
    )


def _problems(study: Study, setting: Setting, budget: int, found: Medians) -> Table:
    shown = [a for a in study.algorithms if a in setting.regrets.algorithms]
    places = [setting.regrets.algorithms.index(a) for a in shown]
    rows = []
    for p, problem in enumerate(setting.regrets.problems):
        if np.isnan(found.value[:, p]).all():
            continue
        cells = [_regret_cell(found.value[a, p], found.low[a, p], found.high[a, p]) for a in places]
        seeds = int(found.seeds[:, p].max())
        name = Cell(problem, f"{setting.regrets.families[p]}, {count_text(seeds, 'seed')}")
        rows.append((name, *with_best(cells, [float(found.value[a, p]) for a in places])))
    return Table(
        title=f"Median regret by problem at {budget} trials",
        about="The median over seeds and its 95 % bootstrap interval; 0 is the best there is, 1 a random point.",
        header=(Cell("problem"), *(name_cell(a) for a in shown)),
        rows=tuple(rows),
        folded=True,
    )


def _regret_cell(value: float, low: float, high: float) -> Cell:
    return Cell(regret_text(value), between(regret_text(low), regret_text(high)))


def reach_blocks(study: Study, setting: Setting) -> list[Block]:
    """Trials until what the reference has after REFERENCE_TRIALS; nothing without the reference."""
    if setting.reach is None:
        return []
    return [_reach_summary(study, setting), _reach_problems(study, setting)]


def _reach_summary(study: Study, setting: Setting) -> Table:
    found, names = setting.reach, setting.regrets.algorithms
    assert found is not None
    order = [a for a in np.argsort(found.median, kind="stable") if not np.isnan(found.median[a])]
    rows = []
    for a in order:
        run = found.trials[a][~np.isnan(found.trials[a])]
        rows.append(
            (
                name_cell(names[a]),
                Cell(
                    trials_text(found.median[a]),
                    between(trials_text(found.median_low[a]), trials_text(found.median_high[a])),
                ),
                Cell(f"{REFERENCE_TRIALS / found.median[a]:.1f} ×" if np.isfinite(found.median[a]) else NOTHING),
                Cell(f"{int((run <= REFERENCE_TRIALS / 2).sum())} of {len(run)}"),
                Cell(f"{int(np.isfinite(run).sum())} of {len(run)}"),
            )
        )
    firsts = with_best([row[1] for row in rows], [float(found.median[a]) for a in order])
    return Table(
        title=f"Trials to reach what {REFERENCE} has after {REFERENCE_TRIALS}",
        about="How many trials each algorithm needs for the median regret that "
        f"{REFERENCE} has after {REFERENCE_TRIALS} trials: by when half of the runs have it, and that on half of the "
        "problems, with a 95 % bootstrap interval over "
        "problems and seeds; then on how many problems it got there.",
        header=(
            *heads("algorithm", "trials", "speed-up"),
            Cell("problems", f"in at most {REFERENCE_TRIALS // 2}"),
            Cell("problems", "at all"),
        ),
        rows=tuple((row[0], first, *row[2:]) for row, first in zip(rows, firsts, strict=True)),
    )


def _reach_problems(study: Study, setting: Setting) -> Table:
    found, regrets = setting.reach, setting.regrets
    assert found is not None
    shown = [a for a in study.algorithms if a in regrets.algorithms]
    places = [regrets.algorithms.index(a) for a in shown]
    rows = []
    for column, p in enumerate(found.problems):
        cells = [
            Cell(
                trials_text(found.trials[a, column]),
                between(trials_text(found.low[a, column]), trials_text(found.high[a, column])),
            )
            for a in places
        ]
        name = Cell(regrets.problems[p], regrets.families[p])
        rows.append((name, *with_best(cells, [float(found.trials[a, column]) for a in places])))
    return Table(
        title=f"Trials to reach what {REFERENCE} has after {REFERENCE_TRIALS}, by problem",
        about="By when half of the runs have it, and its 95 % bootstrap interval; never: not within the run.",
        header=(Cell("problem"), *(name_cell(a) for a in shown)),
        rows=tuple(rows),
        folded=True,
    )
