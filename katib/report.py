"""The trial's side: how training code tells its metrics while it runs.

The same call works wherever the trial runs. Inside a function trial the report goes to the runner that called the
function. In a command it becomes a line of text that the StdOut or File collector reads. A script that is run by
hand, outside any trial, simply prints the line. Only the standard library is imported here, not even the rest of the
project, so that a training script pays nothing for it.
"""

from __future__ import annotations

import math
import operator
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, NamedTuple

METRICS_FILE = "KATIB_METRICS_FILE"


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

    Raises ValueError naming the metric, RuntimeError from a thread if several trials run in this process,
    TrialStopped (after the report was taken) if the trial is to end.
    """
    reports = measure({**(metrics or {}), **named}, step)
    if not reports:
        raise ValueError('no metric given; expected for example report_metrics({"loss": 0.3})')
    receiver = _receiver.get() or _only_active()
    if receiver is not None:
        receiver(reports)
    elif path := os.environ.get(METRICS_FILE):
        stamp = datetime.fromtimestamp(reports[0].time, UTC).isoformat(timespec="microseconds")
        with open(path, "a", encoding="utf-8") as file:
            file.write(f"{stamp.replace('+00:00', 'Z')} {_line(reports)}")
    else:
        sys.stdout.write(_line(reports))
        sys.stdout.flush()


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
    """One line for all, as the collectors read it; the step stands in front."""
    for report in reports:
        if "=" in report.metric or " " in report.metric:
            raise ValueError(f"metric name {report.metric!r}: expected no space and no '=' in what becomes text")
    step = () if reports[0].step is None else (f"step={reports[0].step}",)
    return " ".join((*step, *(f"{report.metric}={report.text}" for report in reports))) + "\n"
