"""Where an algorithm that goes through a fixed sequence of points stands, read from the history.

Trial ``number`` was proposed at place ``number + lead`` of the sequence. The lead is a label of the trial. Neighbours
share it: it changes only where places were passed over and where trials came from elsewhere, such as initial trials.
"""

from __future__ import annotations

from collections.abc import Mapping

from algorithms.batch import Batch


def next_place(batch: Batch, label: str) -> int:
    """The place behind that of the newest trial that carries ``label``; 0 if there is none."""
    if batch.suggestions:  # each of which carries it
        newest = batch.number - batch.history.objective.repeats
        return newest + int(batch.suggestions[-1].labels[label]) + 1
    history = batch.history
    for number in range(history.next_number - 1, -1, -1):
        trial = history.trials.get(number)
        if trial is not None and label in trial.labels:
            if history.objective.repeats > 1:  # all runs of the same parameters carry it
                number = history.runs(trial.parameters)[0].number
            return number + int(trial.labels[label]) + 1
    return 0


def place_label(batch: Batch, label: str, place: int) -> Mapping[str, str]:
    """What ``next_place`` is to find on the trial that is proposed next, at ``place``."""
    return {label: str(place - batch.number)}
