"""What the adapters of training libraries share: the metrics that a trial reports, and the folder that it goes on from.
They work wherever ``katib.report_metrics`` does; outside of a trial the metrics are printed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from katib.core.errors import UnknownNameError

Wanted = Sequence[str] | Mapping[str, str] | None

CHECKPOINT_DIR = "KATIB_CHECKPOINT_DIR"
TRIAL_NAME = "KATIB_TRIAL_NAME"


def checkpoint_folder(default: str | Path = "") -> Path | None:
    """The trial's own folder for what a later attempt, or a trial that continues it, goes on from. ``default`` outside
    of a trial (and in one that has none), None if that is empty."""
    folder = os.environ.get(CHECKPOINT_DIR) or str(default)
    return Path(folder) if folder else None


def chosen(measured: Mapping[str, Any], wanted: Wanted) -> dict[str, float]:
    """What to report of ``measured``: all numbers, or what is wanted, under its names there if it is a mapping from the
    name to report to the library's. Raises UnknownNameError for a metric that was not measured."""
    numbers = {name: float(value) for name, value in measured.items() if _is_number(value)}
    if wanted is None:
        return numbers
    names = wanted if isinstance(wanted, Mapping) else {name: name for name in wanted}
    for name in names.values():
        if name not in numbers:
            raise UnknownNameError("metric", name, numbers)
    return {reported: numbers[name] for reported, name in names.items()}


def _is_number(value: Any) -> bool:
    """Whether it is one number; a tensor or an array of one element counts."""
    if isinstance(value, str | bytes | bool):
        return False
    try:
        float(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return True
