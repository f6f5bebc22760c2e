"""What suggestions cost, and which trials taught nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.report.runs import Bools, Floats, Run

KNOWN = (20, 50, 100, 200, 1000)
NEAR = 0.1  # trials count for n if the number of known ones is within this share of it


@dataclass(frozen=True, slots=True)
class Waste:
    """Shares of trials, NaN where there are none to count. Of all runs: duplicates, and in the first and the last third
    of each run. failures: the same of runs on problems where any trial of anybody failed; infeasible: of runs on
    problems where any trial of anybody had losses and violated a constraint."""

    duplicates: tuple[float, float, float]
    failures: tuple[float, float, float]
    infeasible: tuple[float, float, float]


def seconds_at(runs: Iterable[Run], known: int) -> tuple[float, float, int]:
    """Median and 90th percentile of the seconds of a suggestion, over all trials that were proposed when about
    ``known`` ones were finished, and how many those are; NaN if there are none."""
    taken = [run.ask[np.abs(run.known - known) <= NEAR * known] for run in runs]
    seconds = np.concatenate([*taken, np.empty(0)])
    if not len(seconds):
        return np.nan, np.nan, 0
    return float(np.median(seconds)), float(np.quantile(seconds, 0.9)), len(seconds)


def waste(runs: Sequence[Run], failing: frozenset[str], constrained: frozenset[str]) -> Waste:
    """Of one algorithm's runs. failing, constrained: the problems that count for failures, for infeasible trials."""
    return Waste(
        shares([run.duplicate for run in runs]),
        shares([run.failed for run in runs if run.problem in failing]),
        shares([~run.feasible & ~run.failed for run in runs if run.problem in constrained]),
    )


def shares(marks: Sequence[Bools]) -> tuple[float, float, float]:
    """Of all trials, of the first third of each run, and of the last; runs of fewer than 3 trials have no thirds."""
    first = [each[: len(each) // 3] for each in marks]
    last = [each[len(each) - len(each) // 3 :] for each in marks]
    return _share(marks), _share(first), _share(last)


def _share(marks: Sequence[Bools]) -> float:
    together: Floats = np.concatenate([np.empty(0), *marks])
    return float(together.mean()) if len(together) else np.nan


def failing_problems(runs: Iterable[Run]) -> frozenset[str]:
    """Where any trial failed."""
    return frozenset(run.problem for run in runs if run.failed.any())


def constrained_problems(runs: Iterable[Run]) -> frozenset[str]:
    """Where any trial with losses violated a constraint."""
    return frozenset(run.problem for run in runs if (~run.feasible & ~run.failed).any())
