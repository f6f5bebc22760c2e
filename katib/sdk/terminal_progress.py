"""The progress of ``tune`` as a bar at the bottom of a terminal, on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from katib.core.experiment import Experiment
from katib.sdk.progress import counts, summary


class TerminalProgress:
    """A bar. It is drawn when there is something new, never by a thread, so that a debugger has the terminal to itself
    while it stops in an objective. What is printed meanwhile comes out above it."""

    def __init__(self, name: str) -> None:
        """name: of the experiment."""
        columns = (
            TextColumn(escape(name)),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[summary]}", markup=False),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), auto_refresh=False)
        self._task = self._progress.add_task("", total=None, summary="")
        self._progress.start()

    def show(self, experiment: Experiment) -> None:
        """Draw it."""
        done, total = counts(experiment)
        self._progress.update(self._task, completed=done, total=total, summary=summary(experiment), refresh=True)

    def close(self) -> None:
        """Leave the last one standing."""
        self._progress.stop()
