"""Measurements <-> the rows of an ObservationLog. Times are RFC 3339 texts on the wire, UTC when we write them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from katib.core.errors import Problem, SpecError
from katib.core.objective import Measurement
from katib.core.observation_log import Report
from katib.metrics.values import measure, parse_time
from suggestion_service.generated import api_pb2 as pb
from suggestion_service.requests import name_of

MAX_REPORT_ID = 64

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = (
    (datetime.fromisoformat(text) - _EPOCH).total_seconds() for text in ("0001-01-01T00:00Z", "9999-12-31T23:59Z")
)


def decode_report(request: pb.ReportObservationLogRequest) -> Report:
    """The rows of a report that have a time stamp; the others are skipped, as Katib does.

    Raises SpecError that names each row that is wrong.
    """
    measurements: list[Measurement] = []
    problems: list[Problem] = []
    if len(request.report) > MAX_REPORT_ID:
        problems.append(Problem("report", f"{len(request.report)} characters, expected at most {MAX_REPORT_ID}"))
    for i, row in enumerate(request.observation_log.metric_logs):
        if not row.time_stamp:
            continue
        try:
            measurements.append(_decode_row(row))
        except SpecError as error:
            problems.extend(error.within(f"observation_log.metric_logs[{i}]").problems)
    if problems:
        raise SpecError(problems)
    return Report(tuple(measurements), max(request.attempt, 0), request.report)


def encode_report(measurements: Iterable[Measurement]) -> pb.ObservationLog:
    """The log that says all of ``measurements``."""
    log = pb.ObservationLog()
    for measurement in measurements:
        row = log.metric_logs.add(
            time_stamp=encode_time(measurement.time), metric={"name": measurement.metric, "value": measurement.text}
        )
        if measurement.step is not None:
            row.step = measurement.step
    return log


def decode_log(log: pb.ObservationLog) -> list[Measurement]:
    """What the log of another service says. Rows that cannot be read are left out: it vouched for them, not we."""
    measurements = []
    for row in log.metric_logs:
        try:
            measurements.append(_decode_row(row))
        except SpecError:
            continue
    return measurements


def decode_time(text: str, path: str, missing: float) -> float:
    """Seconds since the epoch; ``missing`` for the empty text. Raises SpecError that names ``path``."""
    if not text:
        return missing
    seconds = parse_time(text)
    if seconds is None:
        expected = "a time of RFC 3339 such as 2024-05-01T12:00:00.5Z"
        raise SpecError([Problem(path, f"got {text[:80]!r}, expected {expected}")])
    return seconds


def encode_time(seconds: float) -> str:
    """The time in UTC to the microsecond; times that RFC 3339 has no year for become its first or last."""
    kept = min(max(seconds, _EARLIEST), _LATEST) if not math.isnan(seconds) else 0.0
    moment = _EPOCH + timedelta(seconds=kept)
    text = moment.replace(tzinfo=None).isoformat(timespec="microseconds" if moment.microsecond else "seconds")
    return f"{text}Z"


def _decode_row(row: pb.MetricLog) -> Measurement:
    name = name_of(row.metric.name, "metric.name")
    time = decode_time(row.time_stamp, "time_stamp", math.nan)
    return measure(name, row.metric.value, time, row.step if row.HasField("step") else None)
