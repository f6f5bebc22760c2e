"""The observation log in a SQL database."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from katib.core.observation_log import LogRow, News, Report
from katib.storage import observation_log_tables as sql
from katib.storage.codec import MEASUREMENT
from katib.storage.database import Database
from katib.storage.records import check_row, checksum, load_record

_COLUMNS = tuple(column.name for column in sql.observation_log.columns)
_LONG_AGO, _FAR_OFF = -1e300, 1e300  # instead of infinities, which not every database has


class SqlObservationLog:
    """The port ObservationLog; to be used by any number of threads and processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, namespace: str, trial: str, report: Report) -> bool:
        """Add the report's rows, all or none. False if a report with its id was taken before."""
        place = {"namespace": namespace, "trial": trial}
        with self._database.write(bump=False) as session:
            if report.id and session.first(sql.KNOWN_REPORT, report=report.id, **place) is not None:
                return False
            (last,) = session.first(sql.NEXT_SEQUENCE, **place) or (None,)
            first = 0 if last is None else last + 1
            rows = [_row(namespace, trial, first + i, report, i) for i in range(len(report.measurements))]
            if rows:
                session.run_many(sql.ADD_ROW, rows)
        return True

    def read(
        self, namespace: str, trial: str, metric: str = "", start: float = -math.inf, end: float = math.inf
    ) -> Sequence[LogRow]:
        """Rows in order of time, then of arrival."""
        limits = {"start": max(start, _LONG_AGO), "end": min(end, _FAR_OFF)}
        place = {"namespace": namespace, "trial": trial, **limits}
        with self._database.read() as session:
            if metric:
                rows = session.all(sql.ROWS_OF_METRIC, metric=metric, **place)
            else:
                rows = session.all(sql.ROWS, **place)
        return [read_row(row) for row in rows]

    def news(self, namespace: str, trial: str, attempt: int, first: int, limit: int) -> News:
        """At most ``limit`` rows of one attempt from ``first`` on, and whether it was stopped early."""
        place = {"namespace": namespace, "trial": trial, "attempt": attempt}
        with self._database.read() as session:
            rows = session.all(sql.NEWS, first=first, limit=limit + 1, **place)
            stopped = session.first(sql.STOP, **place) is not None
        return News(tuple(read_row(row) for row in rows[:limit]), stopped, len(rows) > limit)

    def mark_early_stopped(self, namespace: str, trial: str, attempt: int) -> None:
        """Note that an early-stopping rule ended the attempt."""
        place = {"namespace": namespace, "trial": trial, "attempt": attempt}
        with self._database.write(bump=False) as session:
            if session.first(sql.STOP, **place) is None:
                session.run(sql.ADD_STOP, **place)

    def early_stopped(self, namespace: str, trial: str) -> bool:
        """Whether any attempt of the trial is so marked."""
        with self._database.read() as session:
            return session.first(sql.STOPS, namespace=namespace, trial=trial) is not None

    def delete(self, namespace: str, trial: str) -> None:
        """Remove rows and marks of the trial."""
        with self._database.write(bump=False) as session:
            session.run(sql.DELETE_ROWS, namespace=namespace, trial=trial)
            session.run(sql.DELETE_STOPS, namespace=namespace, trial=trial)

    def check(self) -> None:
        """Raises UnavailableError if the database does not answer."""
        with self._database.read() as session:
            session.first(sql.STOPS, namespace="", trial="")


def _row(namespace: str, trial: str, sequence: int, report: Report, index: int) -> dict[str, Any]:
    measurement = report.measurements[index]
    columns = (
        *(namespace, trial, sequence, report.attempt, measurement.metric, measurement.time, report.id),
        MEASUREMENT.dumps(measurement),
    )
    return dict(zip(_COLUMNS, (*columns, _checksum(columns)), strict=True))


def read_row(row: tuple[Any, ...]) -> LogRow:
    """A logged measurement of its row. Raises CorruptRecordError."""
    namespace, trial, sequence, attempt, *_, record, _checksum_column = row
    name = f"row {sequence} of the observation log of trial {namespace}/{trial}"
    check_row(name, (*_signed(row[:-1]), row[-1]))
    return LogRow(sequence, attempt, load_record(name, MEASUREMENT, record))


def _checksum(columns: tuple[Any, ...]) -> int:
    return checksum(*_signed(columns))


def _signed(columns: tuple[Any, ...]) -> tuple[Any, ...]:
    """What the checksum is made over: all but the time, which the record has too and a database may round."""
    return (*columns[:5], *columns[6:])
