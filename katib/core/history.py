"""The trial history: all that an algorithm may know. Grows by one trial in constant time.

Algorithms and stoppers read it and keep nothing of it, so a restart loses nothing and any replica answers any call.
Only the controller (or the codec of the suggestion service) calls ``record`` and ``report``.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from katib.core.objective import Measurement, Objective
from katib.core.space import SearchSpace
from katib.core.trial import Parameters, Trial, TrialState

# Finished states whose outcome an algorithm is shown. A killed trial says nothing about its parameters.
SHOWN = frozenset({TrialState.SUCCEEDED, TrialState.EARLY_STOPPED, TrialState.FAILED, TrialState.METRICS_UNAVAILABLE})


class Curve:
    """The objective metric's reports of one trial's current attempt, in order of arrival.

    values: NaN where a report was no finite number. steps: the trial's own step, -1 where it gave none.
    seqs: place of each report in the experiment's commit order.
    """

    __slots__ = ("seqs", "steps", "values")

    def __init__(self) -> None:
        self.values = array("d")
        self.steps = array("q")
        self.seqs = array("q")

    def __len__(self) -> int:
        return len(self.values)

    def append(self, measurement: Measurement, seq: int) -> None:
        """Take one report of the objective metric in."""
        self.values.append(math.nan if measurement.value is None else measurement.value)
        self.steps.append(-1 if measurement.step is None else measurement.step)
        self.seqs.append(seq)


_EMPTY_CURVE = Curve()


@dataclass(frozen=True, slots=True)
class View:
    """Numbers of the finished trials that are shown to algorithms, in order of seq; n trials, d parameters.

    X: (n, d) points of the unit cube, NaN where inactive or out of the space. Y: (n, 1) losses, smaller is better, NaN
    without a value. numbers, seqs: (n,). failed: no value to learn from but a point to avoid. censored: stopped
    early, so the value is that of a shorter run. in_space: the point lies in the space as it is now.
    """

    X: NDArray[np.float64]
    Y: NDArray[np.float64]
    numbers: NDArray[np.int64]
    seqs: NDArray[np.int64]
    failed: NDArray[np.bool_]
    censored: NDArray[np.bool_]
    in_space: NDArray[np.bool_]


class History:
    """Typed trials, and numeric views of them for one revision of the space.

    trials: by number. finished: those in a final state, in order of seq. active: pending and running ones by number.
    """

    def __init__(
        self,
        space: SearchSpace,
        objective: Objective,
        trials: Iterable[Trial] = (),
        curves: Mapping[int, Sequence[tuple[int, Measurement]]] | None = None,
    ) -> None:
        """``trials`` in any order; ``curves``: number -> (seq, measurement) of the current attempt, in order."""
        self.space = space
        self.objective = objective
        self.trials: dict[int, Trial] = {}
        self.finished: list[Trial] = []
        self.active: dict[int, Trial] = {}
        self._curves: dict[int, Curve] = {}
        self._points: dict[Hashable, int] = {}
        self._rows = _Rows(len(space))
        for trial in sorted(trials, key=lambda t: t.seq):
            self.record(trial)
        for number, reports in (curves or {}).items():
            for seq, measurement in reports:
                self.report(number, [measurement], seq)

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def next_number(self) -> int:
        """Number of the trial that is proposed next."""
        return len(self.trials)

    def record(self, trial: Trial) -> None:
        """Take in a trial's new record; records must come in order of seq."""
        before = self.trials.get(trial.number)
        self.trials[trial.number] = trial
        if before is None:
            point = self.point(trial.parameters)
            self._points[point] = min(trial.number, self._points.get(point, trial.number))
        elif before.attempt != trial.attempt:
            self._curves.pop(trial.number, None)
        if not trial.state.finished:
            self.active[trial.number] = trial
        elif before is None or not before.state.finished:
            self.active.pop(trial.number, None)
            self.finished.append(trial)
            if trial.state in SHOWN:
                self._rows.add(trial, self.space, self.objective)

    def report(self, number: int, measurements: Iterable[Measurement], first_seq: int) -> None:
        """Take in reports of a trial's current attempt, numbered from ``first_seq``."""
        for seq, measurement in enumerate(measurements, first_seq):
            if measurement.metric == self.objective.metric:
                self._curves.setdefault(number, Curve()).append(measurement, seq)

    def curve(self, number: int) -> Curve:
        """The objective metric's curve of a trial; empty if it has not reported."""
        return self._curves.get(number, _EMPTY_CURVE)

    def value(self, trial: Trial) -> float | None:
        """The objective's value of a trial, None without a finite one."""
        return self.objective.value(trial.observation)

    def point(self, parameters: Parameters) -> Hashable:
        """What two equal sets of parameters have in common, whatever their order."""
        return tuple((name, type(value) is bool, value) for name, value in sorted(parameters.items()))

    def number_of(self, parameters: Parameters) -> int | None:
        """Number of the first trial with exactly these parameters, None if there is none: what is no duplicate."""
        return self._points.get(self.point(parameters))

    def view(self) -> View:
        """Arrays over the finished trials that are shown to algorithms; do not write to them."""
        return self._rows.view()

    def pending(self) -> NDArray[np.float64]:
        """Points (p, d) of the pending and running trials, in order of number."""
        rows = [self.space.to_unit(self.active[number].parameters) for number in sorted(self.active)]
        return np.array(rows).reshape(len(rows), len(self.space))


class _Rows:
    """Growing arrays behind ``View``; capacity doubles, so adding a row is constant time on average."""

    def __init__(self, width: int) -> None:
        self.count = 0
        self.X = np.empty((16, width))
        self.Y = np.empty((16, 1))
        self.numbers = np.empty(16, dtype=np.int64)
        self.seqs = np.empty(16, dtype=np.int64)
        self.failed = np.empty(16, dtype=np.bool_)
        self.censored = np.empty(16, dtype=np.bool_)
        self.in_space = np.empty(16, dtype=np.bool_)

    def add(self, trial: Trial, space: SearchSpace, objective: Objective) -> None:
        if self.count == len(self.numbers):
            for name, column in list(vars(self).items()):
                if name != "count":
                    setattr(self, name, np.concatenate([column, np.empty_like(column)]))
        i, value = self.count, objective.value(trial.observation)
        useful = value is not None and trial.state in (TrialState.SUCCEEDED, TrialState.EARLY_STOPPED)
        point = space.locate(trial.parameters)
        self.in_space[i] = point is not None
        self.X[i] = math.nan if point is None else point
        self.Y[i] = objective.loss(value) if useful and value is not None else math.nan
        self.numbers[i], self.seqs[i] = trial.number, trial.seq
        self.failed[i] = not useful
        self.censored[i] = trial.state is TrialState.EARLY_STOPPED
        self.count += 1

    def view(self) -> View:
        n = self.count
        return View(
            X=self.X[:n],
            Y=self.Y[:n],
            numbers=self.numbers[:n],
            seqs=self.seqs[:n],
            failed=self.failed[:n],
            censored=self.censored[:n],
            in_space=self.in_space[:n],
        )
