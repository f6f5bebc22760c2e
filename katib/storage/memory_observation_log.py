"""The in-memory twin of the observation log: same port, same rules."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from itertools import islice

from katib.core.observation_log import LogRow, News, Report

_Place = tuple[str, str]  # namespace, trial


class MemoryObservationLog:
    """The port ObservationLog over dictionaries, one lock around each call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[_Place, list[LogRow]] = {}
        self._reports: dict[_Place, set[str]] = {}
        self._stops: dict[_Place, set[int]] = {}

    def append(self, namespace: str, trial: str, report: Report) -> bool:
        """Add the report's rows, all or none. False if a report with its id was taken before."""
        place = (namespace, trial)
        with self._lock:
            known = self._reports.setdefault(place, set())
            if report.id in known:
                return False
            rows = self._rows.setdefault(place, [])
            rows.extend(
                LogRow(sequence, report.attempt, measurement)
                for sequence, measurement in enumerate(report.measurements, len(rows))
            )
            if report.id and report.measurements:
                known.add(report.id)
        return True

    def read(
        self, namespace: str, trial: str, metric: str = "", start: float = -math.inf, end: float = math.inf
    ) -> Sequence[LogRow]:
        """Rows in order of time, then of arrival."""
        with self._lock:
            rows = list(self._rows.get((namespace, trial), ()))
        found = (row for row in rows if metric in ("", row.measurement.metric) and start <= row.measurement.time <= end)
        return sorted(found, key=lambda row: (row.measurement.time, row.sequence))

    def news(self, namespace: str, trial: str, attempt: int, first: int, limit: int) -> News:
        """At most ``limit`` rows of one attempt from ``first`` on, and whether it was stopped early."""
        place = (namespace, trial)
        with self._lock:
            newer = islice(self._rows.get(place, ()), first, None)
            rows = tuple(islice((row for row in newer if row.attempt == attempt), limit + 1))
            return News(rows[:limit], attempt in self._stops.get(place, ()), len(rows) > limit)

    def mark_early_stopped(self, namespace: str, trial: str, attempt: int) -> None:
        """Note that an early-stopping rule ended the attempt."""
        with self._lock:
            self._stops.setdefault((namespace, trial), set()).add(attempt)

    def early_stopped(self, namespace: str, trial: str) -> bool:
        """Whether any attempt of the trial is so marked."""
        with self._lock:
            return bool(self._stops.get((namespace, trial)))

    def delete(self, namespace: str, trial: str) -> None:
        """Remove rows and marks of the trial."""
        with self._lock:
            for table in (self._rows, self._reports, self._stops):
                table.pop((namespace, trial), None)

    def check(self) -> None:
        """It always answers."""
