"""All numbers that a report is made of, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.search.report.ranks import MeanRanks, completed, group_at, groups, mean_ranks
from benchmarks.search.report.reach import Reach, reach
from benchmarks.search.report.regret import Regrets, regrets_of
from benchmarks.search.report.runs import Reading, Run
from benchmarks.search.report.separability import Comparison, Friedman, compare_to_best, friedman_of
from benchmarks.search.report.styles import Style, is_ours, styles_of

BUDGETS = (25, 50, 100, 200)
MAIN = 100  # the number of trials that pictures and the first tables are of


@dataclass(frozen=True, slots=True)
class Ranking:
    """Algorithms ranked together. All by number of trials; a number at which they completed no common problem is
    missing. algorithms: names."""

    algorithms: tuple[str, ...]
    ranks: Mapping[int, MeanRanks]
    comparisons: Mapping[int, Comparison]
    friedman: Mapping[int, Friedman]


@dataclass(frozen=True, slots=True)
class Setting:
    """Everything about runs with the same number of workers. budgets: numbers of trials that are reported. main: the
    one among them that comes first. rankings: of most problems first."""

    regrets: Regrets
    budgets: tuple[int, ...]
    main: int
    rankings: tuple[Ranking, ...]
    reach: Reach | None

    @property
    def title(self) -> str:
        """In words."""
        return "One trial at a time" if self.regrets.workers == 1 else f"{self.regrets.workers} trials at a time"


@dataclass(frozen=True, slots=True)
class Study:
    """The numbers of a report."""

    runs: tuple[Run, ...]
    unreadable: Mapping[str, str]
    settings: tuple[Setting, ...]
    styles: Mapping[str, Style]

    @property
    def algorithms(self) -> tuple[str, ...]:
        """All that have a log, ours first."""
        return tuple(self.styles)

    def runs_of(self, algorithm: str) -> tuple[Run, ...]:
        """Its runs, with any number of workers."""
        return tuple(run for run in self.runs if run.algorithm == algorithm)


def study_of(reading: Reading) -> Study:
    """Compute everything. Raises PermanentError on a problem with more than two objectives."""
    names = sorted({run.algorithm for run in reading.runs})
    styles = styles_of({name: is_ours(name, reading.runs) for name in names})
    settings = tuple(_setting(regrets) for regrets in regrets_of(reading.runs).values())
    return Study(reading.runs, reading.unreadable, settings, styles)


def budgets_of(trials: int) -> tuple[int, ...]:
    """Those of BUDGETS that runs of so many trials reach; their own length if they reach none."""
    return tuple(b for b in BUDGETS if b <= trials) or ((trials,) if trials else ())


def _setting(regrets: Regrets) -> Setting:
    budgets = budgets_of(regrets.trials)
    main = max((b for b in budgets if b <= MAIN), default=0)
    together: dict[tuple[int, ...], None] = {}
    for budget in dict.fromkeys((main, *budgets[-1:])) if budgets else ():
        done = completed(regrets.at(budget), regrets.logged)
        together.update(dict.fromkeys(groups(done, regrets.logged)))
    return Setting(regrets, budgets, main, tuple(_ranking(regrets, g, budgets) for g in together), reach(regrets))


def _ranking(regrets: Regrets, algorithms: tuple[int, ...], budgets: tuple[int, ...]) -> Ranking:
    found = {b: group_at(regrets, algorithms, b) for b in budgets}
    ranks = {b: mean_ranks(regrets, group, b) for b, group in found.items() if group is not None}
    return Ranking(
        algorithms=tuple(regrets.algorithms[a] for a in algorithms),
        ranks=ranks,
        comparisons={b: compare_to_best(regrets, each, b) for b, each in ranks.items()},
        friedman={b: friedman_of(regrets, each, b) for b, each in ranks.items()},
    )
