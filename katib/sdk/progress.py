"""Where ``tune`` shows how far it is: a bar on a terminal, a line that changes in a notebook, nothing elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from katib.core.experiment import Experiment
from katib.core.naming import load
from katib.core.trial import TrialState
from katib.engine.summary import progress

REFRESH_SECONDS = 0.1

_VIEWS = {
    "terminal": "katib.sdk.terminal_progress:TerminalProgress",
    "notebook": "katib.sdk.notebook_progress:NotebookProgress",
}
_FAILED = (TrialState.FAILED, TrialState.METRICS_UNAVAILABLE)


class View(Protocol):
    """Something that shows how far an experiment is. Made with its name."""

    def show(self, experiment: Experiment) -> None:
        """Show it as it is now."""
        ...

    def close(self) -> None:
        """Leave what was shown last, and let go of the place."""
        ...


class Paced:
    """A view that is not bothered more often than an eye can follow."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._next = 0.0

    def show(self, experiment: Experiment, *, last: bool = False) -> None:
        """Show it as it is now, or leave that to a later call if this one comes too soon. last: there is none."""
        now = time.monotonic()
        if last or now >= self._next:
            self._next = now + REFRESH_SECONDS
            self._view.show(experiment)


class Nothing:
    """Shows nothing."""

    def show(self, experiment: Experiment) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


@contextmanager
def shown(wanted: bool | None, name: str) -> Iterator[Paced]:
    """The view of one run. wanted: None for one where somebody looks on. It is closed whatever happens."""
    view = _view(wanted, name)
    try:
        yield Paced(view)
    finally:
        view.close()


def place() -> str:
    """``notebook``, ``terminal``, or empty where nobody looks on."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None:
        return "notebook"
    return "terminal" if sys.stderr is not None and sys.stderr.isatty() else ""


def summary(experiment: Experiment) -> str:
    """What there is to say beside the number of finished trials."""
    status = experiment.status
    failed = sum(status.counts.get(state, 0) for state in _FAILED)
    best = None if status.best_value is None else f"best {experiment.spec.objective.metric} {status.best_value:.6g}"
    parts = (best, f"{failed} failed" if failed else None, status.waiting or None)
    return " · ".join(part for part in parts if part)


def counts(experiment: Experiment) -> tuple[int, int | None]:
    """(finished trials, how many there will be at most or None)."""
    return progress(experiment)


def _view(wanted: bool | None, name: str) -> View:
    kind = place() or ("terminal" if wanted else "")
    if wanted is False or not kind:
        return Nothing()
    view: View = load("progress view", kind, _VIEWS)(name)
    return view
