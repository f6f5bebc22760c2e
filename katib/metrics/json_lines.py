"""JSON: one object per line, its keys metric names, its values numbers or texts.

    {"epoch": 3, "loss": 0.143, "accuracy": "0.953", "timestamp": "2024-05-01T12:00:00Z"}

``timestamp`` is an RFC 3339 text or a number of seconds since the epoch; without one, the time of arrival counts.
``step``, else ``epoch``, is the report's step, unless it is a metric itself. ``null`` is a report without a value, like
NaN. Nested objects, lists, true and false are left out. A line that is no object is skipped: programs print other
things too, and one bad line must not cost a trial its metrics.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from katib.core.objective import Measurement
from katib.core.ports import Chunk, Collected, Collector
from katib.metrics.lines import clean, frame
from katib.metrics.values import STEP_KEYS, measure, parse_number, parse_step, parse_time


def json_collector(metrics: Sequence[str]) -> Collector:
    """A collector of ``metrics`` from lines that are JSON objects."""
    step_keys = [key for key in STEP_KEYS if key not in metrics]
    known = {"timestamp", *STEP_KEYS, *metrics}

    def collect(chunk: Chunk) -> Collected:
        lines, end = frame(chunk)
        found: list[Measurement] = []
        others: dict[str, None] = {}
        for line in lines:
            if report := _parse(line):
                found.extend(_read(report, metrics, step_keys, chunk.time))
                others.update(dict.fromkeys(clean(key) for key in report if key not in known))
        return Collected(tuple(found), end, tuple(others))

    return collect


def _read(
    report: Mapping[str, object], metrics: Sequence[str], step_keys: Sequence[str], arrival: float
) -> Iterator[Measurement]:
    time = _time(_as_text(report.get("timestamp")), arrival)
    steps = (parse_step(_as_text(report[key])) for key in step_keys if key in report)
    step = next((step for step in steps if step is not None), None)
    for metric in metrics:
        value = report.get(metric, False)
        if value is None or isinstance(value, str):
            yield measure(metric, _as_text(value), time, step)


def _parse(line: str) -> Mapping[str, object]:
    """The line's object, numbers left as the texts that were written; empty if the line is none."""
    if not line.lstrip().startswith("{"):
        return {}
    try:
        report: object = json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def _time(stamp: str, arrival: float) -> float:
    known = (parse_number(stamp), parse_time(stamp))
    return next((time for time in known if time is not None), arrival)


def _as_text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
