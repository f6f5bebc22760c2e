"""An experiment for other systems that show experiments: what is new of it, once or as it goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from katib.best_trial import BestTrialReport, read_best_trial
from katib.compose import Workshop
from katib.core.changes import Recorded
from katib.core.experiment import Experiment
from katib.core.ports import Store
from katib.core.trial import Key, Trial
from katib.options import Options
from katib.storage.home import default_home

WAIT_SECONDS = 30.0  # for a change; then the experiment is looked at all the same


@dataclass(frozen=True, slots=True)
class Source:
    """An experiment in a store. store: its URL, empty for this user's own. follow: go on until the experiment is over
    or stopped, whoever runs it."""

    name: str
    namespace: str = "default"
    store: str = ""
    follow: bool = False


@dataclass(frozen=True, slots=True)
class News:
    """What is new since the last look. trials: those whose record changed, by number, each with its new measurements in
    order, of its current attempt. best: None if there is no best trial yet."""

    experiment: Experiment
    trials: tuple[tuple[Trial, tuple[Recorded, ...]], ...]
    best: BestTrialReport | None


def news_of(source: Source) -> Iterator[News]:
    """All there is at first; with ``follow`` also what comes, as it comes. Raises NotFoundError."""
    with closing(Workshop(replace(Options(default_home()), store=source.store))) as workshop:
        look = _Look(workshop.store, Key(source.namespace, source.name))
        while True:
            experiment = workshop.store.get(look.key)  # before its trials: once it is over, all of them have ended
            trials = look.trials()
            yield News(experiment, trials, read_best_trial(workshop.store, workshop.trials_folder, experiment))
            if not source.follow or experiment.status.verdict is not None or experiment.status.stopped:
                return
            workshop.store.changes(experiment.revision, timeout=WAIT_SECONDS)


class _Look:
    """Reads each record and each measurement once."""

    def __init__(self, store: Store, key: Key) -> None:
        self.key = key
        self._store = store
        self._record = self._point = 0  # the last that was read

    def trials(self) -> tuple[tuple[Trial, tuple[Recorded, ...]], ...]:
        """Trials with something new. Measurements are read last, so a trial that has ended comes with all of its."""
        changed = self._store.trials(self.key, since=self._record)
        trials = {trial.number: trial for trial in changed}
        points: dict[int, list[Recorded]] = {number: [] for number in trials}
        for number, recorded in self._store.curve(self.key, since=self._point):
            self._point = recorded.seq
            points.setdefault(number, []).append(recorded)
        self._record = max((trial.seq for trial in changed), default=self._record)
        for number in points.keys() - trials.keys():
            trials.update({trial.number: trial for trial in self._store.numbered(self.key, number, 1)})
        return tuple(
            (trial, tuple(point for point in points[number] if point.attempt == trial.attempt))
            for number, trial in sorted(trials.items())
        )
