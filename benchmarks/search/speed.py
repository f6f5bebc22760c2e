"""What a suggestion costs by the number of finished trials, algorithm beside algorithm, on one core:
``python -m benchmarks.search.speed [--algorithms A,B] [--problem NAME] [--sizes 20,50,100] [--out FILE]``.

* warm: the mean over ``--window`` suggestions in a row, in a search that the algorithm itself has done from its first
  trial; what it does only every so many trials is in it. A rival's seconds are those that its process reports.
* cold: a new object that is handed the same history at once, the median of three; of our own algorithms only, as others
  know only what they proposed themselves.

``--history random`` hands our algorithms random points up to shortly before each size, so that large sizes take no
search: for quick looks.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.search.contestants import contestant, expand
from benchmarks.search.player import Contestant
from benchmarks.search.problem import Problem
from benchmarks.search.problems import problem
from benchmarks.search.processes import Lost, work_off
from benchmarks.search.replay import Recorder, replaying
from benchmarks.search.simulation import Conditions, simulate
from benchmarks.search.time_limit import time_limit
from benchmarks.search.trial_log import RunLog
from benchmarks.table import Row, show, write
from katib.core.trial import Suggestion

PROBLEM = "rosenbrock-10d"
SIZES = (20, 50, 100, 200, 500, 1000, 2000)
COLD_REPEATS = 3
WARM, COLD = "warm", "cold"

#: Seconds that a suggestion of our own optimiser may take with ten parameters: (way, trials) -> limit.
LIMITED = "bayesianoptimization"
LIMITS = {(WARM, 100): 0.05, (WARM, 200): 0.1, (WARM, 2000): 0.25, (COLD, 200): 0.5, (COLD, 2000): 3.0}
#: How many times as long as that a rival takes at 200 trials, at least.
FACTORS, FACTORS_AT = {"optuna-gp": 5.0, "hebo": 20.0}, 200


class Question(NamedTuple):
    """What is measured in one process. own: the algorithm's own search makes the history, else random points do.
    minutes: limit of that search."""

    algorithm: str
    problem: str
    sizes: Sequence[int]
    window: int
    own: bool
    minutes: float | None


class Figure(NamedTuple):
    """Seconds of a suggestion after ``size`` trials; samples: what ``value`` is the mean (warm) or median (cold) of."""

    algorithm: str
    size: int
    way: str
    value: float
    samples: tuple[float, ...]


class Answer(NamedTuple):
    """The figures that there was time for, and what went wrong."""

    figures: tuple[Figure, ...]
    error: str


def measure(question: Question) -> Answer:
    """All figures of one algorithm."""
    entrant, searched = contestant(question.algorithm), problem(question.problem, None)
    return _own(question, entrant, searched) if question.own else _random(question, entrant, searched)


def _own(question: Question, entrant: Contestant, searched: Problem) -> Answer:
    made: list[Suggestion] = []
    recorded = replace(entrant, create=lambda spec: Recorder(entrant.create(spec), made))
    with time_limit(question.minutes):
        log = simulate(searched, recorded, Conditions(0, max(question.sizes) + question.window))
    figures = []
    for size in question.sizes:
        figures += _warm(question, log, size)
        if entrant.learns_from_all and len(made) >= size:
            figures.append(_cold(question, entrant, searched, made[:size]))
    return Answer(tuple(figures), log.error)


def _random(question: Question, entrant: Contestant, searched: Problem) -> Answer:
    """Every size has a history and an object of its own, which has seen all but the last trial before it is timed."""
    figures, errors, rng = [], [], np.random.default_rng(0)
    points = [Suggestion(searched.space.from_unit(rng.random(len(searched.space)))) for _ in range(max(question.sizes))]
    for size in question.sizes:
        conditions = Conditions(0, size + question.window)
        log = simulate(searched, replaying(entrant, points[: size - 1]), conditions)
        figures += [*_warm(question, log, size), _cold(question, entrant, searched, points[:size])]
        errors.append(log.error)
    return Answer(tuple(figures), next(filter(None, errors), ""))


def _warm(question: Question, log: RunLog, size: int) -> list[Figure]:
    """The figure at ``size`` finished trials, if the run came to the end of its window."""
    samples = tuple(trial.ask for trial in log.trials if size <= trial.known < size + question.window)
    if len(samples) < question.window:
        return []
    return [Figure(question.algorithm, size, WARM, statistics.mean(samples), samples)]


def _cold(question: Question, entrant: Contestant, searched: Problem, made: Sequence[Suggestion]) -> Figure:
    conditions = Conditions(0, len(made) + 1)
    runs = [simulate(searched, replaying(entrant, made), conditions) for _ in range(COLD_REPEATS)]
    samples = tuple(log.trials[-1].ask for log in runs)
    return Figure(question.algorithm, len(made), COLD, statistics.median(samples), samples)


def rows_of(figures: Sequence[Figure], *, judged: bool) -> list[Row]:
    """As a table has them, and by how many times rivals are slower; judged: whether the limits are meant for these."""
    rows = []
    for name, size, way, value, samples in figures:
        limit = LIMITS.get((way, size)) if judged and name == LIMITED else None
        target, met = (f"<= {limit:g}", value <= limit) if limit else ("", None)
        rows.append(Row(f"{name}, {size:,} trials, {way}", value, "s", target, met, samples))
    at = {name: value for name, size, way, value, _ in figures if (size, way) == (FACTORS_AT, WARM)}
    for name, factor in FACTORS.items():
        if name in at and LIMITED in at:
            ratio = at[name] / at[LIMITED]
            case = f"{name} / {LIMITED}, {FACTORS_AT} trials, {WARM}"
            rows.append(Row(case, ratio, "times", f">= {factor:g}", ratio >= factor))
    return rows


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--algorithms", default=f"random,tpe,{LIMITED}", help="as of katib bench run")
    parser.add_argument("--problem", default=PROBLEM, help="what is searched (default: %(default)s)")
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="finished trials (default: %(default)s)")
    parser.add_argument("--window", type=int, default=10, help="suggestions that a warm figure is the mean of")
    parser.add_argument("--history", choices=["own", "random"], default="own")
    parser.add_argument("--limit-minutes", type=float, help="limit of one algorithm's search")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/speed.json"))
    options = parser.parse_args()
    sizes = sorted({int(size) for size in options.sizes.split(",")})
    own = options.history == "own"
    tasks = [
        Question(contestant(name).name, options.problem, sizes, options.window, own, options.limit_minutes)
        for name in expand(options.algorithms.split(","))
    ]
    figures: list[Figure] = []
    for done in work_off(measure, tasks, jobs=1):
        error = done.answer.reason if isinstance(done.answer, Lost) else done.answer.error
        if error:
            print(f"{done.task.algorithm}: {error}", file=sys.stderr)
        if not isinstance(done.answer, Lost):
            figures += done.answer.figures
    rows = rows_of(figures, judged=options.problem == PROBLEM)
    show(rows)
    write(rows, options.out)


if __name__ == "__main__":
    main()
