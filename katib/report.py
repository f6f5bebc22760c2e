"""The trial's side: how training code tells its metrics while it runs.

The same call works wherever the trial runs. Inside a function trial the report goes to the runner that called the
function. In a command whose collector reads a file (File, Push) it becomes a line there, in the format that the
collector reads. Elsewhere, where ``KATIB_DB_MANAGER_ADDRESS`` names a DBManager, it goes there over gRPC
(``suggestion_service.reporting``). In any other command, and in a script that is run by hand, it is printed as a line
that the StdOut collector reads. ``_receiver_of_this_place`` decides. Only the standard library is imported here, not
even the rest of the project, so that a training script pays nothing for it.
"""

from __future__ import annotations

import importlib
import json
import math
import operator
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

METRICS_FILE = "KATIB_METRICS_FILE"
METRICS_FORMAT = "KATIB_METRICS_FORMAT"  # TEXT or JSON
DB_MANAGER = "KATIB_DB_MANAGER_ADDRESS"  # HOST:PORT


class Report(NamedTuple):
    """One value of one metric: the fields of ``katib.core.objective.Measurement``, in its order."""

    metric: str
    value: float | None
    text: str
    time: float
    step: int | None = None


Receiver = Callable[[tuple[Report, ...]], None]

# The receiver of this thread of control, and those of the whole process: threads that an objective starts do not
# inherit the first (before Python 3.14), so they fall back on the second where that is unambiguous.
_receiver: ContextVar[Receiver | None] = ContextVar("katib_report_receiver", default=None)
_active: list[Receiver] = []


class TrialStopped(BaseException):  # not an Exception, so that "except Exception" in training code lets it through
    """Raised by ``report_metrics`` when this trial was asked to end. Let it pass; clean up in ``finally``."""


def report_metrics(metrics: Mapping[str, Any] | None = None, *, step: int | None = None, **named: Any) -> None:
    """Report metric values of the running trial: ``report_metrics({"loss": 0.3})`` or ``report_metrics(loss=0.3)``.

    A value is anything that ``float()`` takes (NumPy and Torch scalars too) except a bool; "nan" and infinities are
    recorded as text without a number. step: the epoch or batch it belongs to, an integer >= 0.

    Raises ValueError naming the metric, RuntimeError from a thread if several trials run in this process, or if a
    DBManager that is to take the report does not, TrialStopped (after the report was taken) if the trial is to end.
    """
    reports = measure({**(metrics or {}), **named}, step)
    if not reports:
        raise ValueError('no metric given; expected for example report_metrics({"loss": 0.3})')
    send(reports)


def send(reports: tuple[Report, ...]) -> None:
    """Hand reports to whoever takes those that are made here and now. Raises as ``report_metrics`` does."""
    _receiver_of_this_place()(reports)


def asked_to_stop() -> bool:
    """Whether the function trial that runs here was asked to end; False where none does."""
    receiver = _receiver.get() or _only_active()
    try:
        if receiver is not None:
            receiver(())  # nothing to take, but it says what it says to every report
    except TrialStopped:
        return True
    return False


def measure(metrics: Mapping[str, Any], step: int | None = None) -> tuple[Report, ...]:
    """The values as reports of this moment. Raises ValueError naming the metric, or the step."""
    now = time.time()
    step = None if step is None else _step(step)
    return tuple([_report(name, value, now, step) for name, value in metrics.items()])


@contextmanager
def receiving(receiver: Receiver) -> Iterator[None]:
    """Hand reports made inside the block to ``receiver``, which may raise TrialStopped."""
    token = _receiver.set(receiver)
    _active.append(receiver)
    try:
        yield
    finally:
        _active.remove(receiver)
        _receiver.reset(token)


def _receiver_of_this_place() -> Receiver:
    """Who takes a report made here and now: a function trial's runner, a metrics file, a DBManager, else the output."""
    if (receiver := _receiver.get() or _only_active()) is not None:
        return receiver
    if path := os.environ.get(METRICS_FILE):
        return partial(_append, path, as_json=os.environ.get(METRICS_FORMAT) == "JSON")
    if os.environ.get(DB_MANAGER):
        push: Receiver = importlib.import_module("suggestion_service.reporting").push
        return push
    return _print


def _append(path: str, reports: tuple[Report, ...], *, as_json: bool) -> None:
    stamp = datetime.fromtimestamp(reports[0].time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    line = _json(reports, stamp) if as_json else f"{stamp} {_line(reports)}"
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)


def _print(reports: tuple[Report, ...]) -> None:
    sys.stdout.write(_line(reports))
    sys.stdout.flush()


def _only_active() -> Receiver | None:
    if len(_active) > 1:
        raise RuntimeError(
            "several trials run in this process, so a report from a thread of its own cannot be told apart; "
            "call report_metrics in the thread that runs the objective"
        )
    return _active[0] if _active else None


def _report(name: str, value: Any, now: float, step: int | None) -> Report:
    if not isinstance(name, str) or not name or not name.isprintable():
        raise ValueError(f"metric name {name!r}: expected printable text")
    try:
        number = _number(value)
    except Exception as error:  # whatever a foreign __float__ raises
        raise ValueError(f"metric {name!r}: got {_shown(value)}, expected a number") from error
    text = value.strip() if isinstance(value, str) else repr(value if type(value) is int else number)
    return Report(name, number if math.isfinite(number) else None, text, now, step)


def _number(value: Any) -> float:
    if type(value).__name__ in ("bool", "bool_"):  # Python's and NumPy's
        raise TypeError("a truth value is most likely a mistake")
    return float(value)


def _step(step: Any) -> int:
    try:
        number = operator.index(step)
    except TypeError:
        number = -1
    if not 0 <= number < 2**63:
        raise ValueError(f"step: got {_shown(step)}, expected an integer >= 0")
    return number


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except Exception:  # a foreign __repr__
        text = "a value"
    return f"{text[:100]} ({type(value).__name__})"


def _line(reports: tuple[Report, ...]) -> str:
    """One line of text for all, as the collectors read it; the step stands in front."""
    for report in reports:
        if "=" in report.metric or " " in report.metric:
            raise ValueError(f"metric name {report.metric!r}: expected no space and no '=' in what becomes text")
    step = () if reports[0].step is None else (f"step={reports[0].step}",)
    return " ".join((*step, *(f"{report.metric}={report.text}" for report in reports))) + "\n"


def _json(reports: tuple[Report, ...], stamp: str) -> str:
    """One line of JSON for all. Values are texts, so that they are read back as they were written."""
    line: dict[str, Any] = {"timestamp": stamp}
    if reports[0].step is not None:
        line["step"] = reports[0].step
    for report in reports:
        if report.metric in line:
            raise ValueError(f"metric name {report.metric!r} is taken: it says when or at which step a report was made")
        line[report.metric] = report.text
    return json.dumps(line) + "\n"
