"""What the observation log keeps: metrics that a trial, or something beside it, handed in over the network."""

from __future__ import annotations

from typing import NamedTuple

from katib.core.objective import Measurement

PUSHED = "pushed"
"""The source, among those that a trial has cursors for, of what came through the observation log. Counted in rows."""


class Report(NamedTuple):
    """Measurements that came in one call. attempt: of one of our own trials, 0 for a trial of somebody else's.
    id: names the call wherever the sender repeats it, empty if it never does; at most 64 characters."""

    measurements: tuple[Measurement, ...]
    attempt: int = 0
    id: str = ""


class LogRow(NamedTuple):
    """One logged measurement. sequence: 0, 1, 2, ... in order of arrival, over all attempts of the trial."""

    sequence: int
    attempt: int
    measurement: Measurement


class News(NamedTuple):
    """What the log has of one attempt that its reader does not know yet.

    rows: in order of arrival. early_stopped: whether the attempt was reported as ended by an early-stopping rule. more:
    rows remain.
    """

    rows: tuple[LogRow, ...] = ()
    early_stopped: bool = False
    more: bool = False
