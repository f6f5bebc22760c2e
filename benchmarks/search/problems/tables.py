"""Tables of trainings that others ran: every point with several seeds, of which a trial sees one.

Truth is the mean over the seeds, so is what a problem's best loss is the smallest of. FCNet: A. Klein, F. Hutter:
Tabular Benchmarks for Joint Architecture and Hyperparameter Optimization, 2019. MLP: K. Eggensperger et al.: HPOBench,
2021. NAS-Bench-201: X. Dong, Y. Yang, 2020.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.search.problem import Evaluation, Problem
from benchmarks.search.problems.data import data_file
from benchmarks.search.problems.parts import duration
from katib.core.errors import PermanentError
from katib.core.objective import Direction, Objective
from katib.core.space import Choice, Ordinal, Parameter, SearchSpace
from katib.core.trial import Parameters

EDGES = ("edge-0-1", "edge-0-2", "edge-1-2", "edge-0-3", "edge-1-3", "edge-2-3")  # of a cell, from node to node
_OBJECTIVES: Mapping[str, Objective] = {
    "fcnet": Objective("mse"),
    "mlp": Objective("score", Direction.MAXIMIZE),
    "nasbench201": Objective("accuracy", Direction.MAXIMIZE),
}
_SECONDS: Mapping[str, float] = {"fcnet": 60.0, "mlp": 30.0, "nasbench201": 3600.0}  # median durations, made up


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """The function of a table. values: an axis for each parameter of ``space``, and the seeds last, NaN where a point
    has fewer."""

    space: SearchSpace
    objective: Objective
    values: NDArray[np.float32]
    seconds: float

    def __call__(self, parameters: Parameters, rng: Generator) -> Evaluation:
        """What one of the seeds came to; which one is drawn from the trial's stream."""
        place = tuple(_index(parameter, parameters) for parameter in self.space)
        runs = self.values[place].astype(float)
        runs = runs[np.isfinite(runs)]
        observed, metric = float(runs[rng.integers(len(runs))]), self.objective.metric
        return Evaluation({metric: observed}, {metric: float(runs.mean())}, duration(rng, self.seconds))

    def losses(self) -> NDArray[np.float64]:
        """True losses of all points, an axis for each parameter."""
        return np.asarray(self.objective.loss(1.0) * np.nanmean(self.values.astype(float), axis=-1))


def _index(parameter: Parameter, parameters: Parameters) -> int:
    """Which of the parameter's values was chosen."""
    assert isinstance(parameter, Ordinal | Choice)
    return parameter.index(parameters[parameter.name])


def _problem(kind: str, name: str, space: SearchSpace, values: NDArray[np.float32]) -> Problem:
    table = Table(space, _OBJECTIVES[kind], values, _SECONDS[kind])
    losses = table.losses()
    typical, best = float(np.median(losses)), float(losses.min())
    return Problem(name, "tables", space, table.objective, table, typical, best)


@lru_cache
def problem(data_folder: Path | None, kind: str, data_set: str) -> Problem:
    """The table of a data set: kind "fcnet", "mlp" or "nasbench201". Raises MissingDataError,
    and PermanentError if the table does not fit its space."""
    name = f"{kind}-{data_set}".replace("_", "-")
    if kind == "nasbench201":
        return _problem(kind, name, *_cells(data_file(data_folder, "nasbench201/nb201.npz"), data_set))
    file = data_file(data_folder, f"{kind}/{data_set}.npz")
    levels = json.loads(data_file(data_folder, f"{kind}/space.json").read_text())
    values = np.load(file)["values"]
    if values.shape[:-1] != tuple(map(len, levels.values())):
        raise PermanentError(f"{file}: the array 'values' does not have an axis for each key of space.json")
    return _problem(kind, name, SearchSpace(tuple(_parameter(key, each) for key, each in levels.items())), values)


def _parameter(name: str, values: Sequence[Any]) -> Ordinal | Choice:
    return Choice(name, tuple(values)) if isinstance(values[0], str) else Ordinal(name, tuple(values))


def _cells(file: Path, data_set: str) -> tuple[SearchSpace, NDArray[np.float32]]:
    """Six edges of a cell with one of five operations each; validation accuracy after 200 epochs, three seeds."""
    table = np.load(file)
    operations = tuple(str(name) for name in table["op_names"])
    runs = table[f"{data_set}_val_ep200_runs"]
    values = np.full((len(operations),) * len(EDGES) + runs.shape[1:], np.nan, np.float32)
    values[tuple(table["ops"].T)] = runs
    return SearchSpace(tuple(Choice(edge, operations) for edge in EDGES)), values
