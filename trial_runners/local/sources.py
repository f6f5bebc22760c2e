"""Where the metrics of an attempt are read, by the kind of its collector, and what is said of that place to people."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from katib.core.trial import Cursor
from trial_runners.attempt_folder import AttemptFolder, Order
from trial_runners.local.event_folder import EventFolder
from trial_runners.local.growing_file import GrowingFile, Reading
from trial_runners.output import log_tail

_SHOWN_FILES = 5


class Source(Protocol):
    """What an attempt writes its metrics to."""

    def read(self, cursors: Mapping[str, Cursor], ended: bool) -> Reading:
        """What lies behind the cursors, by the names of their sources."""
        ...


def source_of(order: Order, folder: AttemptFolder) -> Source:
    """The source of an attempt."""
    if order.kind == "TensorFlowEvent":
        return EventFolder(Path(order.metrics))
    if order.beside:
        return GrowingFile("collector", folder.collected)
    return GrowingFile("metrics", Path(order.metrics)) if order.metrics else GrowingFile("stdout", folder.log)


def looked_at(source: Source, order: Order, folder: AttemptFolder) -> str:
    """Where metrics of an attempt that has ended were looked for, and what was there; empty for its output."""
    if order.beside:
        return _beside(order, folder)
    if isinstance(source, EventFolder):
        names = source.names
        more = f" and {len(names) - _SHOWN_FILES} more" if len(names) > _SHOWN_FILES else ""
        return f"event files in {order.metrics}: {', '.join(names[:_SHOWN_FILES]) or 'none'}{more}"
    if not order.metrics or not isinstance(source, GrowingFile):
        return ""
    return f"{order.metrics} {'was not written' if source.size is None else f'has {source.size} bytes'}"


def problem_of(order: Order, folder: AttemptFolder) -> str:
    """What went wrong with a command that collects metrics beside an attempt; empty if nothing did."""
    problem = _state(folder).get("problem", "") if order.kind == "Custom" else ""
    if not problem:
        return ""
    return f"the metrics collector {_command(order)}: {problem}{_last_words(folder)}"


def scraped(folder: AttemptFolder) -> str:
    """What a scraper came to."""
    state = _state(folder)
    said = [f"{state['url']} answered"] if "url" in state else []
    said += [state["problem"]] if "problem" in state else []
    return ", and at last ".join(said) or f"nothing was scraped{_last_words(folder)}"


def _beside(order: Order, folder: AttemptFolder) -> str:
    if order.kind == "PrometheusMetric":
        return scraped(folder)
    size = folder.collected.stat().st_size if folder.collected.is_file() else 0
    return problem_of(order, folder) or f"the metrics collector {_command(order)} printed {size} bytes"


def _state(folder: AttemptFolder) -> dict[str, str]:
    """What the program beside the attempt left; empty if it left nothing."""
    try:
        state = json.loads(folder.collector_state.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: str(value) for name, value in state.items()} if isinstance(state, dict) else {}


def _last_words(folder: AttemptFolder) -> str:
    words = log_tail(folder.collector_errors).rpartition("\n")[2]
    return f" ({words})" if words else ""


def _command(order: Order) -> str:
    command = shlex.join(order.beside["argv"])
    return repr(command if len(command) <= 80 else f"{command[:80]}...")
