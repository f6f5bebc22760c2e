"""Early stopping by the median of earlier trials (Golovin et al. 2017, "Google Vizier", section 3.2.2, simplified).

Katib's rule made right. The benchmark of a finished trial is the average of its first ``start_step`` reports. A running
trial that has made that many is stopped when its best report is worse than the median of the benchmarks; it is tested
again at each later report. Katib takes the mean in place of the median and tests once.

Finished trials count if they succeeded and reported at least one number, as in Katib: stopped ones would otherwise pull
the median towards the trials that the rule rejects. Reports that are no finite number are passed over. Only what has a
smaller seq than the newest report of the trial in question is looked at, so each decision can be replayed.

Of several objectives only the first is looked at. Each run of repeated parameters is judged by itself.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from dataclasses import dataclass
from itertools import islice
from weakref import WeakKeyDictionary

from algorithms.settings import Settings, parse, setting
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Direction
from katib.core.ports import Comparison, StoppingRule
from katib.core.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class MedianStopSettings(Settings):
    """Settings of ``medianstop``."""

    min_trials_required: int = setting(3, low=1, help="succeeded trials that must exist before any trial is stopped")
    start_step: int = setting(4, low=1, help="reports that a trial makes before it is judged for the first time")


class MedianStop:
    """Stops a trial whose best report is worse than the median of what earlier trials averaged at the start."""

    settings_class = MedianStopSettings

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting."""
        component = spec.stopper or Component("medianstop")
        self.settings = parse(MedianStopSettings, component, "spec.earlyStopping.algorithmSettings")
        # A speed-up only: what an entry holds follows from the history that is its key.
        self._benchmarks: WeakKeyDictionary[History, _Benchmarks] = WeakKeyDictionary()

    def reason_to_stop(self, trial: Trial, history: History) -> str | None:
        """Why ``trial`` should stop after its newest report, None to go on."""
        curve = history.curve(trial.number)
        losses = [history.objective.loss(value) for value in curve.values if math.isfinite(value)]
        if len(losses) < self.settings.start_step:
            return None
        count, median = self._updated(history).median_before(curve.seqs[-1])
        best = min(losses)
        if count < self.settings.min_trials_required or best <= median:
            return None
        shown_best, shown_median = (history.objective.from_loss(loss) for loss in (best, median))
        return (
            f"best {history.objective.metric} {shown_best:g} after {len(losses)} reports is worse than "
            f"the median {shown_median:g} of {count} trials"
        )

    def rules(self, history: History) -> tuple[StoppingRule, ...]:
        """The same judgement as a rule for trials that start now; none until enough trials have succeeded."""
        count, median = self._updated(history).median_before(math.inf)
        if count < self.settings.min_trials_required:
            return ()
        objective = history.objective
        worse = Comparison.GREATER if objective.direction is Direction.MINIMIZE else Comparison.LESS
        return (StoppingRule(objective.metric, objective.from_loss(median), worse, self.settings.start_step),)

    def _updated(self, history: History) -> _Benchmarks:
        benchmarks = self._benchmarks.get(history)
        if benchmarks is None:
            benchmarks = self._benchmarks[history] = _Benchmarks(self.settings.start_step)
        benchmarks.update(history)
        return benchmarks


class _Benchmarks:
    """The median of the benchmarks after each trial that succeeded; grows with the history, never recomputed."""

    def __init__(self, start_step: int) -> None:
        self._start_step = start_step
        self._read = 0  # finished trials of the history taken in so far
        self._sorted: list[float] = []
        self._seqs: list[int] = []
        self._medians: list[float] = []

    def update(self, history: History) -> None:
        """Take in the trials that finished since the last call."""
        for trial in history.finished[self._read :]:
            self._read += 1
            average = self._average(trial, history) if trial.state is TrialState.SUCCEEDED else None
            if average is not None:
                insort(self._sorted, average)
                middle = len(self._sorted) // 2
                pair = self._sorted[middle - 1 + len(self._sorted) % 2 : middle + 1]
                self._medians.append(sum(pair) / len(pair))
                self._seqs.append(trial.seq)

    def median_before(self, seq: float) -> tuple[int, float]:
        """How many benchmarks have a smaller seq, and their median (infinity if there are none)."""
        count = bisect_left(self._seqs, seq)
        return count, self._medians[count - 1] if count else math.inf

    def _average(self, trial: Trial, history: History) -> float | None:
        """Mean loss of the first reports of a finished trial; None if it reported no finite number."""
        curve = history.curve(trial.number)
        finite = (v for v, seq in zip(curve.values, curve.seqs, strict=True) if math.isfinite(v) and seq < trial.seq)
        losses = [history.objective.loss(value) for value in islice(finite, self._start_step)]
        return math.fsum(losses) / len(losses) if losses else None
