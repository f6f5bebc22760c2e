"""LCBench: tuning of funnel-shaped networks on tabular data, by a surrogate that was fitted to 2,000 trainings each.

L. Zimmer, M. Lindauer, F. Hutter: Auto-PyTorch Tabular, 2021; the surrogate is YAHPO Gym's (F. Pfisterer et al., 2022),
here at its full 52 epochs. It has no noise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.search.problem import Evaluation, Problem
from benchmarks.search.problems.data import data_file
from benchmarks.search.problems.parts import RANDOM_POINTS, exact, numbers, random_points
from katib.core.objective import Direction, Objective
from katib.core.space import Distribution, Integer, Real, SearchSpace
from katib.core.trial import Parameters

EPOCHS = 52  # the first one is epoch 1
LOG = Distribution.LOG_UNIFORM
SPACE = SearchSpace(  # in the order of the surrogate's inputs, the first of which is the epoch
    (
        Integer("batch_size", 16, 512, LOG),
        Real("learning_rate", 1e-4, 0.1, LOG),
        Real("momentum", 0.1, 0.99),
        Real("weight_decay", 1e-5, 0.1),
        Integer("num_layers", 1, 5),
        Integer("max_units", 64, 1024, LOG),
        Real("max_dropout", 0.0, 1.0),
    )
)
OBJECTIVE = Objective("val_accuracy", Direction.MAXIMIZE)
OUTPUTS = (
    "time", "val_accuracy", "val_cross_entropy", "val_balanced_accuracy", "test_cross_entropy",
    "test_balanced_accuracy",
)  # fmt: skip


@lru_cache
def _session(file: Path) -> Any:
    """The surrogate in one thread, so that its sums have one order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


@dataclass(frozen=True, slots=True)
class Surrogate:
    """The function of a task. file: the surrogate. code: what it calls the task."""

    file: Path
    code: int

    def outputs(self, points: list[Parameters], epoch: int = EPOCHS) -> NDArray[np.float64]:
        """OUTPUTS of each point, shape (n, 6)."""
        rows = [[epoch, *(numbers(point)[parameter.name] for parameter in SPACE)] for point in points]
        tasks = np.full((len(rows), 1), self.code, np.int32)
        (found,) = _session(self.file).run(None, {"x_cat": tasks, "x_cont": np.array(rows, np.float32)})
        return np.asarray(found, dtype=float)

    def __call__(self, parameters: Parameters, rng: Generator) -> Evaluation:
        """One training, as long as it would take."""
        (outputs,) = self.outputs([parameters])
        seconds = max(float(outputs[OUTPUTS.index("time")]), 1.0)
        return exact({OBJECTIVE.metric: float(outputs[OUTPUTS.index(OBJECTIVE.metric)])}, rng, seconds)


@lru_cache
def problem(data_folder: Path | None, task: str) -> Problem:
    """The task of that OpenML number. Raises MissingDataError."""
    codes = json.loads(data_file(data_folder, "lcbench/encoding.json").read_text())["OpenML_task_id"]
    surrogate = Surrogate(data_file(data_folder, "lcbench/model.onnx"), codes[task])
    random = surrogate.outputs(random_points(SPACE, RANDOM_POINTS))[:, OUTPUTS.index(OBJECTIVE.metric)]
    typical = OBJECTIVE.loss(float(np.median(random)))
    return Problem(f"lcbench-{task}", "tables", SPACE, OBJECTIVE, surrogate, typical)
