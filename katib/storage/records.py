"""Rows of the tables <-> values of the core, each row guarded by a checksum over all of its columns.

A row that comes back other than it was written raises CorruptRecordError with the record's name, never a wrong value.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

from katib.core.changes import Changes, Event, Recorded, Stamped
from katib.core.errors import CorruptRecordError, PermanentError
from katib.core.experiment import Experiment
from katib.core.trial import Key, Trial
from katib.storage.codec import DEFINITION, EVENT, MEASUREMENT, STATUS, TRIAL, Record, UnknownFieldsError

T = TypeVar("T")
Row = dict[str, Any]


class ExperimentRow(NamedTuple):
    """A row of the table ``experiments``. trials, measurements, events: how many it has; status: a record."""

    id: int
    namespace: str
    name: str
    uid: str
    generation: int
    seq: int
    revision: int
    trials: int = 0
    measurements: int = 0
    events: int = 0
    status: str = ""
    checksum: int = 0

    @property
    def key(self) -> Key:
        """What it is found by."""
        return Key(self.namespace, self.name)

    def signed(self) -> ExperimentRow:
        """The same row with its checksum."""
        return self._replace(checksum=checksum(*self[:-1]))

    def checked(self) -> ExperimentRow:
        """The row itself. Raises CorruptRecordError."""
        check_row(f"experiment {self.key}", self)
        return self


def checksum(*columns: object) -> int:
    """CRC-32 of the columns as text; numbers and text alike come back from a database as they were."""
    return crc32("\x1f".join(map(str, columns)).encode(errors="backslashreplace"))


def read_experiment(row: tuple[Any, ...]) -> Experiment:
    """An experiment of its row, its definition and the definition's checksum."""
    stored = ExperimentRow(*row[:-2]).checked()
    name, (record, definition_checksum) = f"experiment {stored.key}", row[-2:]
    check_row(name, (stored.id, record, definition_checksum))
    return replace(
        _definition(name, record),
        status=load_record(name, STATUS, stored.status),
        generation=stored.generation,
        revision=stored.revision,
        seq=stored.seq,
    )


@lru_cache(maxsize=256)
def _definition(name: str, record: str) -> Experiment:
    """What an experiment was defined as. It is read much more often than it changes, and never changed in place."""
    return load_record(name, DEFINITION, record)


def definition_row(id: int, experiment: Experiment) -> Row:
    """The row of ``definitions``."""
    record = DEFINITION.dumps(experiment)
    return {"experiment": id, "record": record, "checksum": checksum(id, record)}


class TrialRow(NamedTuple):
    """A row of the table ``trials``; record: of the codec."""

    experiment: int
    number: int
    namespace: str
    name: str
    seq: int
    revision: int
    record: str
    checksum: int = 0

    def signed(self) -> TrialRow:
        """The same row with its checksum."""
        return self._replace(checksum=checksum(*self[:-1]))

    def checked(self) -> TrialRow:
        """The row itself. Raises CorruptRecordError."""
        check_row(f"trial {self.namespace}/{self.name}", self)
        return self


def trial_row(id: int, namespace: str, trial: Trial, revision: int) -> TrialRow:
    """The row of ``trials``."""
    return TrialRow(id, trial.number, namespace, trial.name, trial.seq, revision, TRIAL.dumps(trial)).signed()


def read_trial(columns: tuple[Any, ...]) -> Trial:
    """A trial of its row."""
    row = TrialRow(*columns).checked()
    return load_record(f"trial {row.namespace}/{row.name}", TRIAL, row.record)


def measurement_rows(id: int, item: Stamped) -> Iterator[Row]:
    """The rows of ``measurements`` that came with a trial's change."""
    trial, measurements, sequence, seq = item
    for i, measurement in enumerate(measurements):
        columns = (id, trial.number, trial.attempt, sequence + i, seq + i, MEASUREMENT.dumps(measurement))
        yield dict(zip(_MEASUREMENT_COLUMNS, (*columns, checksum(*columns)), strict=True))


def read_measurement(key: Key, row: tuple[Any, ...]) -> tuple[int, Recorded]:
    """(trial number, measurement) of a row."""
    _, number, attempt, sequence, seq, record, _ = row
    name = f"measurement {sequence} of trial number {number} of experiment {key}"
    check_row(name, row)
    return number, Recorded(seq, attempt, sequence, load_record(name, MEASUREMENT, record))


def event_rows(id: int, changes: Changes, revision: int) -> Iterator[Row]:
    """The rows of ``events``."""
    for position, event in enumerate(changes.events):
        columns = (id, revision, position, EVENT.dumps(event))
        yield dict(zip(_EVENT_COLUMNS, (*columns, checksum(*columns)), strict=True))


def read_event(key: Key, row: tuple[Any, ...]) -> Event:
    """An event of its row."""
    name = f"event {row[2]} of revision {row[1]} of experiment {key}"
    check_row(name, row)
    return load_record(name, EVENT, row[3])


_MEASUREMENT_COLUMNS = ("experiment", "number", "attempt", "sequence", "seq", "record", "checksum")
_EVENT_COLUMNS = ("experiment", "revision", "position", "record", "checksum")


def check_row(name: str, row: tuple[Any, ...]) -> None:
    """Raise CorruptRecordError unless the last column of ``row`` is the checksum of the others."""
    if checksum(*row[:-1]) != row[-1]:
        raise CorruptRecordError(f"{name}: the stored record does not match its checksum")


def load_record(name: str, codec: Record[T], text: str) -> T:
    """What ``codec`` reads in ``text``. Raises CorruptRecordError, or PermanentError if a newer version of this program
    wrote it, with the record's name."""
    try:
        return codec.loads(text)
    except UnknownFieldsError as error:
        raise PermanentError(
            f"{name}: a newer version of this program wrote it, with fields that this one does not know: {error}"
        ) from error
    except ValueError as error:
        raise CorruptRecordError(f"{name}: the stored record cannot be read: {error}") from error
