"""What ``enas`` costs, and what its reward is worth: ``python -m benchmarks.enas [--trials N] [--data DIR --seeds N]``.

Cost: processor time of the first suggestion of a new process, which works the controller out from a history of random
trials, and of the next one, the median of ten; on Katib's large chain (8 layers, 48 operations), DARTS's cells (7
operations) and NAS-Bench-201's. Reward, with a data folder: the table of NAS-Bench-201 as in
``benchmarks.architectures``, after 50, 100, 150 and 200 trials, beside random search and the rule of Katib's service:
the controller draws an architecture and learns with the mean result of all trials so far, whatever it drew.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from algorithms import create_algorithm
from algorithms.architecture.nasbench201 import OPERATIONS
from algorithms.architecture.search import ArchitectureSettings, architecture_space
from algorithms.enas.replay import Replay
from algorithms.enas.suggestion import Enas
from algorithms.randomness import generator
from benchmarks.architectures.cells import nas_config, table
from benchmarks.architectures.figures import rows
from benchmarks.architectures.play import play
from benchmarks.search.problems.data import OPTION, VARIABLE, MissingDataError
from benchmarks.table import Row, show, write
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Direction, Measurement, Objective, observe
from katib.core.space import SearchSpace
from katib.core.trial import Key, Trial, TrialState

LONGEST = 10.0  # seconds that a history of 500 trials may take
BUDGETS = (50, 100, 150, 200)
CELLS = ("separable_convolution", "dilated_convolution", "max_pooling", "avg_pooling")
_FRESH = 2**61  # beyond every trial number: draws of Katib's rule


class AveragedReplay(Replay):
    """A controller that learns with Katib's rule; accuracies in percent."""

    _sum = 0.0
    _seen = 0

    def _learn(self, choices: list[int], loss: float) -> None:
        self._sum, self._seen = self._sum - loss / 100, self._seen + 1
        (drawn,) = self._policy.sample(generator(self._seed, _FRESH + self._seen).random((1, len(choices))))
        self._policy.update(drawn, self._sum / self._seen)


class AveragedReward(Enas):
    """``enas`` with Katib's rule, and the same settings."""

    replay = "benchmarks.enas:AveragedReplay"


CONTESTANTS = {
    "random": Component("random"),
    "enas": Component("enas"),
    "enas with the mean of all trials": Component("benchmarks.enas:AveragedReward"),
}


def main() -> None:
    """Measure, show, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500, help="of a history")
    parser.add_argument(OPTION, default=os.environ.get(VARIABLE), help=f"data folder; or ${VARIABLE}")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--out", type=Path, default=Path("build/benchmarks/enas.json"))
    arguments = parser.parse_args()
    found = [row for name, nas in _spaces().items() for row in costs(name, nas, arguments.trials)]
    if arguments.data:
        try:
            found += rewards(Path(arguments.data), arguments.seeds)
        except MissingDataError as error:
            parser.error(str(error))
    show(found)
    write(found, arguments.out)


def costs(name: str, nas: Mapping[str, Any], trials: int) -> Iterator[Row]:
    """Of the first suggestion after ``trials`` trials, and of the next ones."""
    spec = _spec(nas)
    history, algorithm = _random_history(spec, trials), create_algorithm(spec)
    seconds = []
    for _ in range(11):
        begun = time.process_time()
        algorithm.suggest(history, 1)
        seconds.append(time.process_time() - begun)
    met = seconds[0] < LONGEST if trials == 500 else None
    yield Row(f"{name}: first suggestion after {trials} trials", seconds[0], "s", f"< {LONGEST:g}", met)
    yield Row(f"{name}: the next one", 1000 * statistics.median(seconds[1:]), "ms", samples=tuple(seconds[1:]))


def rewards(folder: Path, seeds: int) -> Iterator[Row]:
    """Regrets on the table."""
    cells = table(folder, "cifar10")
    courses = {
        name: [play(cells, component, seed, max(BUDGETS)) for seed in range(seeds)]
        for name, component in CONTESTANTS.items()
    }
    yield from rows(cells, courses, BUDGETS)


def _random_history(spec: ExperimentSpec, trials: int) -> History:
    family, rng = architecture_space(spec, ArchitectureSettings()), np.random.default_rng(1)
    history = History(spec.space, spec.objective)
    for number in range(trials):
        point = family.space.from_unit(rng.random(len(family.space)))
        observation = observe({}, [Measurement("accuracy", float(value := rng.random()), repr(value), float(number))])
        made = Trial(
            number, f"trial-{number}", family.assignments(point), {}, None, TrialState.SUCCEEDED, seq=number + 1,
            observation=observation,
        )  # fmt: skip
        history.record(made)
    return history


def _spec(nas: Mapping[str, Any]) -> ExperimentSpec:
    objective, key = Objective("accuracy", Direction.MAXIMIZE), Key("default", "benchmark")
    return ExperimentSpec(key, SearchSpace(()), objective, Component("enas"), Budget(1, None), nas=nas, seed=1)


def _spaces() -> dict[str, Mapping[str, Any]]:
    sized = [_operation(kind, filter_size=sizes) for kind, sizes in zip(CELLS, ("35", "35", "3", "3"), strict=True)]
    chain = [
        _operation("convolution", filter_size="357", num_filter=("32", "48", "64", "96", "128"), stride="12"),
        _operation("separable_convolution", filter_size="357", num_filter=("32", "64"), depth_multiplier="12"),
        _operation("depthwise_convolution", filter_size="3", depth_multiplier="12"),
        _operation("reduction", reduction_type=("max_pooling", "avg_pooling"), pool_size="23"),
    ]
    graph = {"numLayers": 8, "inputSizes": [32, 32, 3], "outputSizes": [10]}
    return {
        "chain of 8 layers": {"graphConfig": graph, "operations": chain},
        "cells": {"graphConfig": {"numLayers": 8}, "operations": [*sized, {"operationType": "skip_connection"}]},
        "cells of NAS-Bench-201": nas_config(OPERATIONS),
    }


def _operation(kind: str, **lists: str | tuple[str, ...]) -> dict[str, Any]:
    """An operation with lists of values; a text is a list of digits."""
    parameters = [
        {"name": name, "parameterType": "categorical", "feasibleSpace": {"list": list(values)}}
        for name, values in lists.items()
    ]
    return {"operationType": kind, "parameters": parameters}


if __name__ == "__main__":
    main()
