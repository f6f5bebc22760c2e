"""Numbers of the finished trials, as algorithms read them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from katib.core.objective import Objective
from katib.core.outcome import outcome_of
from katib.core.space import SearchSpace
from katib.core.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class View:
    """Numbers of the finished trials that are shown to algorithms, in order of seq; n rows, d parameters, m targets,
    c outcome constraints. Where each set of parameters runs several times, one row stands for all of its runs.

    X: (n, d) points of the unit cube, NaN where inactive or out of the space. Y: (n, m) losses, smaller is better, NaN
    without a value; means over repeated runs. violations: (n, c), positive where a constraint is violated, NaN without
    a value. numbers: (n,) of the first run. seqs: (n,) of the last one's end. failed: no value to learn from but a
    point to avoid. censored: stopped early, so the value is that of a shorter run. in_space: the point lies in the
    space as it is now.
    """

    X: NDArray[np.float64]
    Y: NDArray[np.float64]
    violations: NDArray[np.float64]
    numbers: NDArray[np.int64]
    seqs: NDArray[np.int64]
    failed: NDArray[np.bool_]
    censored: NDArray[np.bool_]
    in_space: NDArray[np.bool_]


class Rows:
    """Growing arrays behind ``View``; capacity doubles, so adding a row is constant time on average."""

    def __init__(self, space: SearchSpace, objective: Objective) -> None:
        self._space = space
        self._objective = objective
        self._count = 0
        shapes = {"X": len(space), "Y": len(objective.targets), "violations": len(objective.constraints)}
        self._columns: dict[str, NDArray[Any]] = {
            **{name: np.empty((16, width)) for name, width in shapes.items()},
            **{name: np.empty(16, dtype=np.int64) for name in ("numbers", "seqs")},
            **{name: np.empty(16, dtype=np.bool_) for name in ("failed", "censored", "in_space")},
        }

    def add(self, runs: Sequence[Trial]) -> None:
        """A row for finished trials with the same parameters."""
        if self._count == len(self._columns["numbers"]):
            self._columns = {n: np.concatenate([c, np.empty_like(c)]) for n, c in self._columns.items()}
        point = self._space.locate(runs[0].parameters)
        outcome = outcome_of(self._objective, runs)
        row = {
            "X": math.nan if point is None else point,
            "Y": math.nan if outcome is None else outcome.losses,
            "violations": math.nan if outcome is None else outcome.violations,
            "numbers": runs[0].number,
            "seqs": max(t.seq for t in runs),
            "failed": outcome is None,
            "censored": any(t.state is TrialState.EARLY_STOPPED for t in runs),
            "in_space": point is not None,
        }
        for name, value in row.items():
            self._columns[name][self._count] = value
        self._count += 1

    def view(self) -> View:
        """All rows so far."""
        return View(**{name: column[: self._count] for name, column in self._columns.items()})
