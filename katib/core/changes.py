"""What one commit of the store carries, and how it numbers it.

The owner of an experiment writes trials, measurements, status and events; any process may write the experiment itself
(spec, desired state, budget). One commit is one transaction and one revision.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from katib.core.experiment import Experiment, ExperimentStatus
from katib.core.objective import Measurement
from katib.core.trial import Key, Trial, evolve


@dataclass(frozen=True, slots=True)
class Event:
    """Something a user may want to read later. type: Normal or Warning. trial: name, empty for the experiment."""

    time: float
    type: str
    reason: str
    message: str
    trial: str = ""


@dataclass(frozen=True, slots=True)
class TrialChange:
    """A trial's new record, with the measurements (of its current attempt) that came with it."""

    trial: Trial
    measurements: tuple[Measurement, ...] = ()


@dataclass(frozen=True, slots=True)
class Changes:
    """One transaction on one experiment.

    experiment: its spec, document, desired state and budget are written (status and counters are not).
    status: the owner's record of it. delete: the experiment goes, with all that belongs to it.
    """

    key: Key
    experiment: Experiment | None = None
    status: ExperimentStatus | None = None
    trials: tuple[TrialChange, ...] = ()
    events: tuple[Event, ...] = ()
    delete: bool = False


class Committed(NamedTuple):
    """revision: the commit's place among all commits. first_seq: the first sequence number it gave out."""

    revision: int
    first_seq: int


class Recorded(NamedTuple):
    """A stored measurement. sequence: 0, 1, 2, ... within the attempt. seq: place in the experiment's commit order."""

    seq: int
    attempt: int
    sequence: int
    measurement: Measurement


class Touched(NamedTuple):
    """One line of the change feed. trial: name, empty for the experiment itself. document: the kind of the document
    that has this key, empty for experiments and trials."""

    revision: int
    key: Key
    trial: str = ""
    deleted: bool = False
    document: str = ""


class Stamped(NamedTuple):
    """A trial change with its numbers: ``sequence`` and ``seq`` of its first measurement, the others follow."""

    trial: Trial
    measurements: tuple[Measurement, ...]
    first_sequence: int
    first_seq: int


def stamp(changes: Changes, first_seq: int) -> Iterator[Stamped]:
    """Number a commit's trial changes: a change's measurements first, then the trial's own record.

    The store and the controller both call this, so that both know the same numbers without a read.
    """
    seq = first_seq
    for change in changes.trials:
        count = len(change.measurements)
        trial = change.trial
        numbered = trial if trial.seq == seq + count else evolve(trial, seq=seq + count)
        yield Stamped(numbered, change.measurements, trial.measured - count, seq)
        seq += count + 1


def count_seqs(changes: Changes) -> int:
    """How many sequence numbers the commit uses."""
    return sum(len(change.measurements) + 1 for change in changes.trials)
