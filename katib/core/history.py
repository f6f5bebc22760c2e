"""The trial history: all that an algorithm may know. Grows by one trial in constant time.

Algorithms and stoppers read it and keep nothing of it, so a restart loses nothing and any replica answers any call.
Only the controller (or the codec of the suggestion service) calls ``record`` and ``report``.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from katib.core.objective import Measurement, Objective
from katib.core.prior_knowledge import Prior
from katib.core.space import SearchSpace
from katib.core.trial import Parameters, Trial, TrialState, evolve
from katib.core.values import point_of
from katib.core.view import Rows
from katib.core.view import View as View
from katib.core.warm_start import Source

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
        sources: Sequence[Source] = (),
    ) -> None:
        """``trials`` in any order; ``curves``: number -> (seq, measurement) of the current attempt, in order;
        ``sources``: copies of former experiments."""
        self.space = space
        self.objective = objective
        self.sources = tuple(sources)
        self.trials: dict[int, Trial] = {}
        self.finished: list[Trial] = []
        self.active: dict[int, Trial] = {}
        self._curves: dict[int, Curve] = {}
        self._points: dict[Hashable, int] = {}
        self._runs: dict[Hashable, list[int]] = {}  # kept where sets of parameters run several times
        self._short: set[Hashable] = set()  # those that have not all their runs yet
        self._rows = Rows(space, objective)
        for trial in sorted(trials, key=lambda t: t.seq):
            self.record(trial)
        for number, reports in (curves or {}).items():
            for seq, measurement in reports:
                self.report(number, [measurement], seq)

    def __len__(self) -> int:
        return len(self.trials)

    def within(self, space: SearchSpace) -> History:
        """The same trials and curves, seen in another revision of the space."""
        moved = History(space, self.objective, self.trials.values(), sources=self.sources)
        moved._curves = self._curves
        return moved

    def translated(self, space: SearchSpace, translate: Callable[[Parameters], Parameters]) -> History:
        """The same trials and curves with other parameters, as points of another space."""
        trials = (evolve(trial, parameters=translate(trial.parameters)) for trial in self.trials.values())
        moved = History(space, self.objective, trials)
        moved._curves = self._curves
        return moved

    @cached_property
    def prior(self) -> Prior:
        """What former experiments say; their trials are none of this one's."""
        return Prior(self.space, self.sources)

    @property
    def next_number(self) -> int:
        """Number of the trial that is proposed next."""
        return len(self.trials)

    def record(self, trial: Trial) -> None:
        """Take in a trial's new record; records must come in order of seq."""
        before = self.trials.get(trial.number)
        self.trials[trial.number] = trial
        if before is None:
            self._locate(trial)
        elif before.parameters is not trial.parameters and before.parameters != trial.parameters:
            self._move(before, trial)
        if before is not None and before.attempt != trial.attempt:
            self._curves.pop(trial.number, None)
        if not trial.state.finished:
            self.active[trial.number] = trial
        elif before is None or not before.state.finished:
            self.active.pop(trial.number, None)
            self.finished.append(trial)
            shown = [t for t in self._completed_by(trial) if t.state in SHOWN]
            if shown:
                self._rows.add(shown)

    def reopened(self, trial: Trial) -> History:
        """Another history, in which ``trial``, finished here, waits for its next attempt. It is another object because
        readers may have taken in what finished here, which otherwise only grows."""
        trials = {**self.trials, trial.number: trial}.values()
        history = History(self.space, self.objective, trials, sources=self.sources)
        history._curves = {number: curve for number, curve in self._curves.items() if number != trial.number}
        return history

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
        return point_of(parameters)

    def number_of(self, parameters: Parameters) -> int | None:
        """Number of the first trial with exactly these parameters, None if there is none: what is no duplicate."""
        return self._points.get(self.point(parameters))

    def view(self) -> View:
        """Arrays over the finished trials that are shown to algorithms; do not write to them."""
        return self._rows.view()

    def runs(self, parameters: Parameters) -> list[Trial]:
        """The trials with exactly these parameters, by number; at most one unless the objective asks for repeats."""
        point = point_of(parameters)
        numbers = self._runs.get(point) or [number for number in (self._points.get(point),) if number is not None]
        return [self.trials[number] for number in sorted(numbers)]

    def repeat_due(self) -> Trial | None:
        """A trial in the space whose parameters have not had all their runs yet, the oldest; None if there is none."""
        oldest_first = (self.trials[number] for number in sorted(self._points[point] for point in self._short))
        return next((trial for trial in oldest_first if self.space.contains(trial.parameters)), None)

    def pending(self) -> NDArray[np.float64]:
        """Points (p, d) of pending and running trials in the space, in order of number; repeated runs count once."""
        first = {self._points.get(point_of(trial.parameters), number) for number, trial in self.active.items()}
        points = (self.space.locate(self.trials[number].parameters) for number in sorted(first))
        rows = [point for point in points if point is not None]
        return np.array(rows).reshape(len(rows), len(self.space))

    def _locate(self, trial: Trial) -> None:
        point, repeats = point_of(trial.parameters), self.objective.repeats
        self._points[point] = min(trial.number, self._points.get(point, trial.number))
        if repeats > 1:
            runs = self._runs.setdefault(point, [])
            runs.append(trial.number)
            self._short.add(point)
            if len(runs) >= repeats:
                self._short.discard(point)

    def _move(self, before: Trial, trial: Trial) -> None:
        """A trial of an open space has other parameters than it was proposed with."""
        if self._points.get(point := point_of(before.parameters)) == trial.number:
            del self._points[point]
        self._locate(trial)

    def _completed_by(self, trial: Trial) -> list[Trial]:
        """The runs that are complete now that ``trial`` has finished: itself, or with the others of its parameters."""
        if self.objective.repeats == 1:
            return [trial]
        runs = self.runs(trial.parameters)
        complete = len(runs) >= self.objective.repeats and all(run.state.finished for run in runs)
        return runs if complete else []
