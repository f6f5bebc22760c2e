"""The live view of a running experiment: a table on a terminal, one line for each change elsewhere.

Colours follow the terminal and ``NO_COLOR``; they only repeat what the words say.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from katib.cli.output import duration, latest, number, parameters
from katib.core.experiment import Experiment
from katib.core.history import History
from katib.core.trial import Trial, TrialState
from katib.engine.summary import progress

ROWS = 14  # trials shown at a time
REFRESH_SECONDS = 0.2
COLORS = {
    TrialState.PENDING: "dim",
    TrialState.RUNNING: "cyan",
    TrialState.SUCCEEDED: "green",
    TrialState.EARLY_STOPPED: "yellow",
    TrialState.FAILED: "red",
    TrialState.METRICS_UNAVAILABLE: "red",
    TrialState.KILLED: "magenta",
}


class Screen(Protocol):
    """Where a run shows itself."""

    def show(self, experiment: Experiment, history: History) -> None:
        """Show the state as it is now; cheap to call often."""
        ...

    def say(self, message: str) -> None:
        """Tell the user something."""
        ...


@contextmanager
def make_screen(experiment: Experiment, *, quiet: bool) -> Iterator[Screen]:
    """The screen that fits where standard output goes; ``quiet`` keeps it free for a document."""
    if quiet:
        yield Silence()
    elif sys.stdout.isatty():
        console = Console()
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            yield LiveTable(live)
    else:
        click.echo(f"experiment {experiment.key.name}: {experiment.spec.algorithm.name}, {_budget(experiment)}")
        yield Lines()


class Silence:
    """Shows nothing; messages go to standard error."""

    def show(self, experiment: Experiment, history: History) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """To standard error."""
        click.echo(message, err=True)


class Lines:
    """One line for each trial that starts or ends."""

    def __init__(self) -> None:
        self._ended = 0
        self._running: set[tuple[int, int]] = set()
        self._waiting = ""

    def show(self, experiment: Experiment, history: History) -> None:
        """Print what is new."""
        for trial in history.active.values():
            if trial.state is TrialState.RUNNING and (trial.number, trial.attempt) not in self._running:
                self._running.add((trial.number, trial.attempt))
                self._line(trial, parameters(trial))
        for trial in history.finished[self._ended :]:
            self._running.discard((trial.number, trial.attempt))
            value = history.value(trial)
            metric = f"{experiment.spec.objective.metric}={number(value)}" if value is not None else ""
            done, limit = progress(experiment)
            place = f"[{done}/{limit}]" if limit else f"[{done}]"
            self._line(trial, " ".join(filter(None, (place, metric, trial.reason))))
        self._ended = len(history.finished)
        if experiment.status.waiting != self._waiting:
            self._waiting = experiment.status.waiting
            if self._waiting:
                click.echo(f"{time.strftime('%H:%M:%S')} waiting: {self._waiting}")

    def say(self, message: str) -> None:
        """Print it."""
        click.echo(message)

    def _line(self, trial: Trial, text: str) -> None:
        click.echo(f"{time.strftime('%H:%M:%S')} {trial.name} {trial.state.value} {text}".rstrip())


class LiveTable:
    """A table that redraws itself in place, a progress bar and the time left below it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._drawn = 0.0
        self._message = ""

    def show(self, experiment: Experiment, history: History) -> None:
        """Redraw, at most a few times a second."""
        now = time.monotonic()
        if now - self._drawn >= REFRESH_SECONDS or experiment.status.verdict is not None:
            self._drawn = now
            self._live.update(self._draw(experiment, history), refresh=True)

    def say(self, message: str) -> None:
        """Show it below the table."""
        self._message = message

    def _draw(self, experiment: Experiment, history: History) -> RenderableType:
        parts: list[RenderableType] = [trial_table(experiment, history), _progress(experiment, history)]
        for message in filter(None, (experiment.status.waiting, self._message)):
            parts.append(Text(message, style="yellow"))
        return Group(*parts)


def trial_table(experiment: Experiment, history: History) -> Table:
    """Running trials and the newest finished ones; the best is marked with a star."""
    objective, best = experiment.spec.objective, experiment.status.best
    active = [history.active[n] for n in sorted(history.active)]
    shown = sorted(history.finished[-max(1, ROWS - len(active)) :], key=lambda t: t.number) + active
    title = f"{experiment.key.name}  ({experiment.spec.algorithm.name}, {objective.direction.value} {objective.metric})"
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in ("TRIAL", "STATE", "PARAMETERS", "LATEST", "BEST", "TIME"):
        right = column in ("LATEST", "BEST", "TIME")
        table.add_column(column, justify="right" if right else "left", no_wrap=column != "PARAMETERS")
    for trial in shown:
        ran = (trial.finished or time.time()) - trial.started if trial.started is not None else None
        table.add_row(
            f"{trial.name} *" if trial.number == best else trial.name,
            Text(trial.state.value, style=COLORS[trial.state]),
            parameters(trial),
            number(latest(objective, trial)),
            number(history.value(trial)),
            duration(ran) if ran is not None else "",
        )
    return table


def _progress(experiment: Experiment, history: History) -> RenderableType:
    done, limit = progress(experiment)
    best = experiment.status.best_value
    text = f"{_budget(experiment)}, {done} done, {len(history.active)} active"
    if best is not None:
        text += f", best {experiment.spec.objective.metric} {number(best)}"
    if left := time_left(experiment, history):
        text += f", about {duration(left)} left"
    if limit is None:
        return Text(text)
    line = Table.grid(padding=(0, 1))
    line.add_row(ProgressBar(total=limit, completed=done, width=30), Text(text))
    return line


def time_left(experiment: Experiment, history: History) -> float | None:
    """Seconds until ``maxTrialCount`` at the pace so far, None if that cannot be told."""
    done, limit = progress(experiment)
    recent = [t.finished - t.started for t in history.finished[-20:] if t.finished and t.started]
    if limit is None or not recent or done >= limit:
        return None
    return (limit - done) * sum(recent) / len(recent) / experiment.budget.parallel


def _budget(experiment: Experiment) -> str:
    limit = experiment.budget.max_trials
    trials = f"{limit} trials" if limit is not None else "no trial limit"
    return f"{trials}, {experiment.budget.parallel} in parallel"
