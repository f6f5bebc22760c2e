"""The numbers as CSV, one fact a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from benchmarks.search.report.medians import medians_at
from benchmarks.search.report.ranks import mean_over_seeds
from benchmarks.search.report.study import Study

PROBLEM_COLUMNS = ("workers", "family", "problem", "algorithm", "trials", "seeds", "regret", "low", "high", "mean_rank")
RANK_COLUMNS = (
    *("workers", "ranking", "family", "trials", "algorithm", "problems", "mean_rank", "low", "high"),
    *("p_against_best", "worse_by_interval"),
)
Row = Sequence[object]


def problems_csv(study: Study) -> str:
    """Median regret over seeds with its interval; the mean rank in the first ranking, empty of what is not in it."""
    return _text(PROBLEM_COLUMNS, _problem_rows(study))


def ranks_csv(study: Study) -> str:
    """Mean ranks of each ranking, numbered from 1: over all problems (family "all") and over those of each family."""
    return _text(RANK_COLUMNS, _rank_rows(study))


def _problem_rows(study: Study) -> Iterator[Row]:
    for setting in study.settings:
        regrets = setting.regrets
        for budget in setting.budgets:
            found = medians_at(regrets, budget)
            ranked: dict[tuple[int, int], float] = {}
            if setting.rankings and (first := setting.rankings[0].ranks.get(budget)) is not None:
                by_problem = mean_over_seeds(first.ranks)
                for i, p in enumerate(first.group.problems):
                    ranked |= {(a, p): float(by_problem[i, j]) for j, a in enumerate(first.group.algorithms)}
            for p, problem in enumerate(regrets.problems):
                for a, algorithm in enumerate(regrets.algorithms):
                    if np.isnan(found.value[a, p]):
                        continue
                    place = regrets.workers, regrets.families[p], problem, algorithm, budget, int(found.seeds[a, p])
                    numbers = found.value[a, p], found.low[a, p], found.high[a, p], ranked.get((a, p), np.nan)
                    yield (*place, *map(_number, numbers))


def _rank_rows(study: Study) -> Iterator[Row]:
    for setting in study.settings:
        for number, ranking in enumerate(setting.rankings, 1):
            for budget, found in ranking.ranks.items():
                compared = ranking.comparisons[budget]
                for a, algorithm in enumerate(ranking.algorithms):
                    head = setting.regrets.workers, number
                    bounds = [_number(v) for v in (found.mean[a], found.low[a], found.high[a])]
                    p = "" if a == compared.best else _number(compared.p[a])
                    verdict = "" if a == compared.best else str(bool(compared.worse[a])).lower()
                    yield (*head, "all", budget, algorithm, len(found.families), *bounds, p, verdict)
                    for name, family in found.by_family.items():
                        count = found.families.count(name)
                        yield (*head, name, budget, algorithm, count, _number(family.mean[a]), "", "", "", "")


def _number(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"


def _text(header: Row, rows: Iterable[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
