"""What former experiments are worth: ``python -m benchmarks.warm_start [--seeds N] [--trials N] [ALGORITHM ...]``.

A family of tasks: the same bowl with a ripple in mixed coordinates, its optimum moved a little from task to task, on
another scale each time. One experiment of the family (or of another, whose values have nothing to do with it) was run
before with random search; a new one is run without and with ``warmStart`` by the whole engine, in memory. Shown are
means over the seeds: trials until the regret is one that only one random point in twenty has, and the regret at the
end. Unrelated: a bowl whose optimum lies elsewhere, and values that are pure noise.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import Row, show, write
from katib.compose import Workshop
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Objective
from katib.core.space import Choice, Distribution, Integer, Real, SearchSpace
from katib.core.trial import Key
from katib.core.warm_start import WarmStart
from katib.engine import lifecycle
from katib.engine.summary import incumbents
from katib.options import Options

SPACE = SearchSpace(
    (
        Real("rate", 1e-5, 1.0, Distribution.LOG_UNIFORM),
        Real("decay", 0.0, 1.0),
        Integer("layers", 1, 12),
        Choice("optimizer", ("sgd", "adam", "ftrl")),
    )
)
SOURCE_TRIALS = 40
ALGORITHMS = {
    "random": Component("random"),
    "tpe": Component("tpe"),
    "bayesianoptimization": Component("bayesianoptimization"),
}
Function = Callable[[Mapping[str, Any]], float]


@dataclass(frozen=True, slots=True)
class Task:
    """One of a family of objectives. centre: coordinates of the optimum. scale, level: of its values."""

    centre: tuple[float, float, float]
    best: str
    scale: float = 1.0
    level: float = 0.0

    def regret(self, parameters: Mapping[str, Any]) -> float:
        """How far a point's value is from the optimum, before scale and level."""
        u = SPACE.to_unit(parameters)[:3] - np.array(self.centre)
        ripple = 0.02 * (1 - math.cos(8 * math.pi * float(u[0])))
        return float((u**2).sum()) + ripple + 0.15 * float(parameters["optimizer"] != self.best)

    def __call__(self, parameters: Mapping[str, Any]) -> float:
        """The objective."""
        return self.level + self.scale * self.regret(parameters)


def new_task(seed: int) -> Task:
    """The task that is to be solved."""
    x, y, z = np.random.default_rng(seed).uniform(0.15, 0.85, 3)
    return Task((float(x), float(y), float(z)), ("sgd", "adam", "ftrl")[seed % 3])


def related(task: Task, seed: int) -> Function:
    """One whose optimum lies near, on another scale."""
    moved = np.clip(np.array(task.centre) + np.random.default_rng(1000 + seed).normal(0, 0.06, 3), 0, 1)
    x, y, z = map(float, moved)
    return Task((x, y, z), task.best, scale=30.0, level=7.0)


def opposite(task: Task, seed: int) -> Function:
    """One whose optimum lies far away, with another best category."""
    x, y, z = (u + 0.5 if u < 0.5 else u - 0.5 for u in task.centre)
    return Task((x, y, z), {"sgd": "adam", "adam": "ftrl", "ftrl": "sgd"}[task.best], scale=30.0, level=7.0)


def noise(task: Task, seed: int) -> Function:
    """Values that have nothing to do with the parameters."""
    dice = np.random.default_rng(2000 + seed)
    return lambda parameters: float(dice.normal())


SOURCES: Mapping[str, Callable[[Task, int], Function] | None] = {
    "cold": None,
    "related": related,
    "opposite": opposite,
    "noise": noise,
}


def run(store_of: Workshop, spec: ExperimentSpec, function: Function) -> list[tuple[int, float]]:
    """Run an experiment to its end: (trials finished, best value so far) at each improvement."""
    options = Options(store_of.options.home, "memory://", runner="inline", objective=function)
    workshop = Workshop(options)
    workshop.store, workshop.leases = store_of.store, store_of.leases
    lifecycle.create(workshop.store, spec, {})
    workshop.controller().run(spec.key)
    return [(i.completed, i.value) for i in incumbents(spec.objective, workshop.store.trials(spec.key))]


def solve(algorithm: Component, kind: str, seed: int, trials: int) -> list[tuple[int, float]]:
    """The course of one experiment that learns from one of that kind."""
    task, make = new_task(seed), SOURCES[kind]
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Options(Path(folder), "memory://", runner="inline"))
        objective, former = Objective("objective"), Key("default", "former")
        if make is not None:
            spec = ExperimentSpec(
                former, SPACE, objective, Component("random"), Budget(1, SOURCE_TRIALS), seed=5000 + seed
            )
            run(workshop, spec, make(task, seed))
        learn = WarmStart((former,)) if make is not None else None
        key = Key("default", "new")
        spec = ExperimentSpec(key, SPACE, objective, algorithm, Budget(1, trials), seed=seed, warm_start=learn)
        course = run(workshop, spec, task)
        workshop.close()
        return course


def threshold(seed: int) -> float:
    """The regret that one random point in twenty falls below."""
    task, dice = new_task(seed), np.random.default_rng(3000 + seed)
    return float(np.quantile([task.regret(SPACE.from_unit(dice.random(len(SPACE)))) for _ in range(2000)], 0.05))


def measure(algorithm: str, kind: str, seeds: int, trials: int) -> tuple[list[float], list[float]]:
    """Trials until the threshold (one more than all if never), and regret at the end, for each seed."""
    counts, ends = [], []
    for seed in range(seeds):
        course = solve(ALGORITHMS[algorithm], kind, seed, trials)
        reached = (completed for completed, value in course if value <= threshold(seed))
        counts.append(float(next(reached, trials + 1)))
        ends.append(course[-1][1])
    return counts, ends


def rows(algorithms: Iterable[str], seeds: int, trials: int) -> list[Row]:
    """All figures."""
    found = []
    for algorithm in algorithms:
        cold_count, cold_end = 0.0, 0.0
        for kind in SOURCES:
            counts, ends = measure(algorithm, kind, seeds, trials)
            # Means: a median of few small whole numbers hides what the worst seeds cost.
            count, end = statistics.mean(counts), statistics.mean(ends)
            found.append(Row(f"{algorithm}, {kind}", count, "trials", samples=tuple(counts)))
            found.append(Row(f"{algorithm}, {kind}, regret after {trials}", end, "", samples=tuple(ends)))
            if kind == "cold":
                cold_count, cold_end = count, end
                continue
            limit = 0.5 if kind == "related" else 1.25
            ratio = count / cold_count
            found.append(Row(f"{algorithm}, {kind} over cold", ratio, "times", f"<= {limit:g}", ratio <= limit))
            ratio = end / cold_end
            found.append(Row(f"{algorithm}, {kind} over cold, regret", ratio, "times"))
    return found


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("algorithms", nargs="*", default=list(ALGORITHMS), metavar="ALGORITHM")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/warm_start.json"))
    arguments = parser.parse_args()
    table = rows(arguments.algorithms, arguments.seeds, arguments.trials)
    show(table)
    write(table, arguments.out)


if __name__ == "__main__":
    main()
