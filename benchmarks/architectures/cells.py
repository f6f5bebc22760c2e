"""The table of NAS-Bench-201 (Dong & Yang 2020): every cell trained, with a short and with a full schedule."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from algorithms.architecture.nasbench201 import ARCHITECTURE, NasBench201Cells
from algorithms.architecture.operations import operations_of
from algorithms.architecture.wiring import size
from benchmarks.search.problems.data import data_file
from katib.core.trial import Parameters

DATA_SETS = ("cifar10", "cifar100", "imagenet16_120")
FULL, SHORT = 200, 12  # epochs of the two schedules
EPOCHS = "epochs"  # parameter of a trial that says which one; the full one if it is left out
_FILE = "nasbench201/nb201.npz"

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CellTable:
    """One data set. rows: place of each cell by its text. full: (cells, runs) validation accuracies in percent, one a
    training seed, the ``counts`` (cells,) that there are first. short: (cells,) after the short schedule. test:
    (cells,) mean test accuracies after the full one, by which cells are judged."""

    name: str
    operations: tuple[str, ...]
    rows: dict[str, int]
    full: Floats
    counts: NDArray[np.intp]
    short: Floats
    test: Floats

    def regret(self, row: int) -> float:
        """Points of test accuracy that the best cell has above this one."""
        return float(self.test.max() - self.test[row])

    def row(self, parameters: Parameters) -> int:
        """Place of a trial's cell."""
        return self.rows[str(parameters[ARCHITECTURE])]

    def accuracy(self, row: int, epochs: int, rng: Generator) -> float:
        """Validation accuracy of one training, in percent; its seed is drawn. Of the short schedule there is one."""
        if epochs == SHORT:
            return float(self.short[row])
        return float(self.full[row, rng.integers(self.counts[row])])

    def best_by_one_run(self, rng: Generator) -> int:
        """The cell that looks best when all of them are trained once."""
        runs = rng.integers(self.counts)
        return int(np.argmax(self.full[np.arange(len(runs)), runs]))


@lru_cache
def table(folder: Path | None, data_set: str) -> CellTable:
    """Read it. Raises MissingDataError, which says where a user gets it."""
    arrays = np.load(data_file(folder, _FILE))
    operations = tuple(map(str, arrays["op_names"]))
    runs = arrays[f"{data_set}_val_ep200_runs"].astype(float)
    missing = ~np.isfinite(runs)
    cells = NasBench201Cells(operations_of(nas_config(operations)))
    names = [parameter.name for parameter in cells.space]
    points = (dict(zip(names, (operations[i] for i in row), strict=True)) for row in arrays["ops"])
    return CellTable(
        name=data_set,
        operations=operations,
        rows={str(cells.assignments(point)[ARCHITECTURE]): row for row, point in enumerate(points)},
        full=np.take_along_axis(runs, np.argsort(missing, axis=1, kind="stable"), axis=1),
        counts=(~missing).sum(axis=1),
        short=arrays[f"{data_set}_val_ep12"].astype(float),
        test=arrays[f"{data_set}_test_ep200_mean"].astype(float),
    )


def sizes(cells: CellTable) -> tuple[Floats, Floats]:
    """Weights of each cell (cells,), as multiples of the channels squared: of all its operations, and of those that lie
    on a path from its input to its output."""
    space = NasBench201Cells(operations_of(nas_config(cells.operations)))
    points = [space.parameters({ARCHITECTURE: text}) for text in sorted(cells.rows, key=cells.rows.__getitem__)]
    everything = [sum(space.weights[str(operation)] for operation in point.values()) for point in points]
    reached = [sum(size(wiring, space.weights) for wiring in space.wirings(point)) for point in points]
    return np.array(everything), np.array(reached)


def nas_config(operations: tuple[str, ...]) -> dict[str, object]:
    """What a user writes to search these cells."""
    return {"graphConfig": {"numLayers": 1}, "operations": [{"operationType": name} for name in operations]}
