"""A limit of wall-clock time on what runs in this process's main thread."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class OutOfTime(BaseException):
    """Time is up. No ``Exception``: an algorithm that goes on after its own errors must not go on after this."""


@contextmanager
def time_limit(minutes: float | None) -> Iterator[None]:
    """Raise OutOfTime in what runs within, once, after that time; None: no limit. Only in the main thread.

    The signal is heeded between two steps of Python: a long call of compiled code ends first.
    """
    if minutes is None:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise OutOfTime(f"over the limit of {minutes:g} minutes")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, minutes * 60)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
