"""The part of a report about ranks: tables, curves, what can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from benchmarks.search.report import figures
from benchmarks.search.report.document import (
    Block,
    Cell,
    Gallery,
    Table,
    columns_with_best,
    heads,
    name_cell,
    with_best,
)
from benchmarks.search.report.numbers import between, count_text, p_text, rank_text
from benchmarks.search.report.ranks import rank_curves
from benchmarks.search.report.runs import Integers
from benchmarks.search.report.separability import ALPHA
from benchmarks.search.report.study import Ranking, Setting, Study

NOT_SEPARABLE = "not separable"
_VERDICTS = {(False, False): NOT_SEPARABLE, (True, False): "worse by the interval alone", (True, True): "worse"}


def rank_blocks(study: Study, setting: Setting) -> list[Block]:
    """For each ranking: mean ranks, their course, comparisons with the best, critical differences, ranks by family."""
    blocks: list[Block] = []
    for place, ranking in enumerate(setting.rankings):
        main = main_of(setting, ranking)
        blocks += [_mean_ranks(ranking, main), _pictures(study, setting, ranking, place)]
        blocks += [_comparison(ranking, budget, folded=budget != main) for budget in _from(main, ranking.ranks)]
        blocks += [_families(ranking, budget, folded=budget != main) for budget in _from(main, ranking.ranks)]
    return blocks


def main_of(setting: Setting, ranking: Ranking) -> int:
    """The number of trials that comes first: the setting's, if the ranking has it."""
    return setting.main if setting.main in ranking.ranks else max(ranking.ranks)


def order_of(ranking: Ranking, budget: int) -> Integers:
    """Places of the ranking's algorithms, best mean rank first."""
    return np.argsort(ranking.ranks[budget].mean, kind="stable")


def scope(ranking: Ranking, budget: int) -> str:
    """What a ranking is of, in words."""
    problems = count_text(len(ranking.ranks[budget].group.problems), "problem")
    return f"{len(ranking.algorithms)} algorithms on {problems}"


def _from(main: int, budgets: Iterable[int]) -> list[int]:
    return [main, *(budget for budget in budgets if budget != main)]


def _mean_ranks(ranking: Ranking, main: int) -> Table:
    order = order_of(ranking, main)
    columns: list[tuple[Sequence[Cell], Sequence[float]]] = [_names(ranking, order)]
    for found in ranking.ranks.values():
        low, high = found.low[order], found.high[order]
        cells = [
            Cell(rank_text(m), between(rank_text(a), rank_text(b)))
            for m, a, b in zip(found.mean[order], low, high, strict=True)
        ]
        columns.append((cells, found.mean[order].tolist()))
    seeds = {b: int((~np.isnan(f.ranks[..., 0])).sum(axis=1).min()) for b, f in ranking.ranks.items()}
    header = [
        Cell(f"{budget} trials", f"{count_text(len(found.families), 'problem')}, {count_text(seeds[budget], 'seed')}")
        for budget, found in ranking.ranks.items()
    ]
    return Table(
        title=f"Mean rank: {scope(ranking, main)}",
        about="Mean rank of the regret among these algorithms (1 is best), over problems and seeds; below it the 95 % "
        "bootstrap interval over problems and seeds.",
        header=(Cell("algorithm"), *header),
        rows=columns_with_best(columns),
    )


def _names(ranking: Ranking, order: Integers) -> tuple[Sequence[Cell], Sequence[float]]:
    return [name_cell(ranking.algorithms[a]) for a in order], [np.nan] * len(order)


def _pictures(study: Study, setting: Setting, ranking: Ranking, place: int) -> Gallery:
    main, workers = main_of(setting, ranking), setting.regrets.workers
    budget = max(ranking.ranks)
    curves = rank_curves(setting.regrets, ranking.ranks[budget].group, budget)
    course = figures.rank_curves(
        f"rank-curve-w{workers}-{place + 1}",
        "Mean rank against trials",
        dict(zip(ranking.algorithms, curves.T, strict=True)),
        study.styles,
    )
    test = ranking.friedman[main]
    chance = f"Friedman's test: p {'<' if test.p < 0.001 else '='} {p_text(test.p).removeprefix('< ')}"
    critical = figures.critical_differences(
        f"critical-difference-w{workers}-{place + 1}",
        f"Critical differences at {main} trials",
        test,
        ranking.algorithms,
        study.styles,
    )
    return Gallery(
        "First picture: higher is better. Second: each problem counts once, by the median over seeds; a bar joins "
        f"algorithms that Nemenyi's test cannot tell apart (α = {ALPHA:g}).",
        (
            replace(course, about=scope(ranking, budget)),
            replace(critical, about=f"{scope(ranking, main)}. {chance}"),
        ),
    )


def _comparison(ranking: Ranking, budget: int, *, folded: bool) -> Table:
    found, compared = ranking.ranks[budget], ranking.comparisons[budget]
    best = ranking.algorithms[compared.best]
    rows = []
    for a in order_of(ranking, budget):
        if a == compared.best:
            continue
        verdict = _VERDICTS[bool(compared.worse[a]), bool(compared.confirmed[a])]
        rows.append(
            (
                name_cell(ranking.algorithms[a]),
                Cell(f"+{compared.difference[a]:.2f}"),
                Cell(between(f"{compared.low[a]:+.2f}", f"{compared.high[a]:+.2f}")),
                Cell(p_text(compared.p[a])),
                Cell(verdict, best=verdict == NOT_SEPARABLE),
            )
        )
    return Table(
        title=f"Against {best} at {budget} trials",
        about=f"Each against {best}, which has the best mean rank on {count_text(len(found.families), 'problem')}: the "
        "difference of mean ranks with its 95 % bootstrap interval, and p of Wilcoxon's signed-rank test on the "
        "medians of log regret, after Holm. Not separable: the interval holds 0. Worse: it does not, and p is below "
        f"{ALPHA:g}{_power(compared.least_p)}.",
        header=heads("algorithm", "rank difference", "95 % interval", "p", "verdict"),
        rows=tuple(rows),
        folded=folded,
        words=frozenset({4}),
    )


def _power(least_p: float) -> str:
    return f"; so few problems allow no p below {least_p:.2g}" if least_p > ALPHA / 10 else ""


def _families(ranking: Ranking, budget: int, *, folded: bool) -> Table:
    found = ranking.ranks[budget]
    order = order_of(ranking, budget)
    worst = np.max([family.place for family in found.by_family.values()], axis=0)
    columns: list[tuple[Sequence[Cell], Sequence[float]]] = [_names(ranking, order)]
    for family in found.by_family.values():
        places = [between(str(low), str(high)) for low, high in zip(family.low, family.high, strict=True)]
        cells = [Cell(str(family.place[a]), f"{rank_text(family.mean[a])}; {places[a]}") for a in order]
        columns.append((cells, family.mean[order].tolist()))
    columns.append((with_best([Cell(str(worst[a])) for a in order], worst[order]), worst[order].tolist()))
    header = [Cell(name, count_text(found.families.count(name), "problem")) for name in found.by_family]
    return Table(
        title=f"Place in each family at {budget} trials",
        about="Place by mean rank among the problems of one family; below it the mean rank, and the places that 95 % "
        "of bootstrap resamples give; last the worst place.",
        header=(Cell("algorithm"), *header, Cell("worst place")),
        rows=columns_with_best(columns),
        folded=folded,
    )
