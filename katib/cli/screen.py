"""The live view of a running experiment: a table on a terminal, one line for each change elsewhere.

Colours follow the terminal and ``NO_COLOR``; they only repeat what the words say.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Protocol

import click
from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from katib.cli.exits import leave_pipe
from katib.cli.output import count, duration, latest, number, parameters
from katib.cli.solutions import targets_text
from katib.core.experiment import Experiment
from katib.core.history import History
from katib.core.trial import Trial, TrialState
from katib.engine.summary import progress

MOST_ROWS = 20  # trials shown at a time
OTHER_LINES = 7  # title, header, progress, messages, and what follows the table
REFRESH_SECONDS = 0.2
NARROW = 90  # columns of a terminal below which only the most important ones of the table fit
ECHO = 2  # columns left free at the right: a terminal echoes ^C there, which must not begin a new line
STYLES = {
    TrialState.PENDING: "dim",
    TrialState.RUNNING: "cyan",
    TrialState.SUCCEEDED: "green",
    TrialState.EARLY_STOPPED: "yellow",
    TrialState.FAILED: "red",
    TrialState.METRICS_UNAVAILABLE: "red",
    TrialState.KILLED: "magenta",
}
FAILURES = (TrialState.FAILED, TrialState.METRICS_UNAVAILABLE)


class Screen(Protocol):
    """Where a run shows itself."""

    def show(self, experiment: Experiment, history: History) -> None:
        """Show the state as it is now; cheap to call often."""
        ...

    def say(self, message: str) -> None:
        """Tell the user something; may be called by a signal handler."""
        ...


@contextmanager
def make_screen(experiment: Experiment, *, quiet: bool) -> Iterator[Screen]:
    """The screen that fits where standard output goes; ``quiet`` keeps it free for a document."""
    console = Console()
    if quiet:
        with redirect_stdout(sys.stderr):  # an objective that runs in this process may print
            yield Silence()
    elif console.is_terminal and not console.is_dumb_terminal and sys.stdout.isatty():
        with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
            yield LiveTable(live)
    else:
        yield Lines(experiment)


class Silence:
    """Shows nothing; messages go to standard error."""

    def show(self, experiment: Experiment, history: History) -> None:
        """Nothing."""

    def say(self, message: str) -> None:
        """To standard error, past all buffers: a signal may have come while one was written."""
        os.write(2, f"{message}\n".encode())


class Lines(Silence):
    """One line for each trial that starts or ends."""

    def __init__(self, experiment: Experiment) -> None:
        self._ended = 0
        self._running: set[tuple[int, int]] = set()
        self._waiting = ""
        done, _ = progress(experiment)
        _print(_title(experiment) + (f", goes on after {count(done, 'trial')}" if done else ""))
        self._old = done

    def show(self, experiment: Experiment, history: History) -> None:
        """Print what is new."""
        for trial in history.active.values():
            if trial.state is TrialState.RUNNING:
                self._start(trial)
        self._old = min(self._old, len(history.finished))  # fewer if a finished one runs again
        for nth in range(max(self._ended, self._old) + 1, len(history.finished) + 1):
            self._end(experiment, history, nth)
        self._ended = len(history.finished)
        if experiment.status.waiting != self._waiting:
            self._waiting = experiment.status.waiting
            if self._waiting:
                _print(f"{time.strftime('%H:%M:%S')} waiting: {self._waiting}")

    def _end(self, experiment: Experiment, history: History, nth: int) -> None:
        """Print the end of the trial that was the ``nth`` to end."""
        trial, limit = history.finished[nth - 1], experiment.budget.max_trials
        if trial.started is not None:  # a short one may be over before it was seen to run
            self._start(trial)
        self._running.discard((trial.number, trial.attempt))
        value = history.value(trial)
        metric = f"{experiment.spec.objective.metric}={number(value)}" if value is not None else ""
        place = f"[{nth}/{limit}]" if limit else f"[{nth}]"
        self._line(trial, trial.state, " ".join(filter(None, (place, metric, trial.reason))))

    def _start(self, trial: Trial) -> None:
        if (trial.number, trial.attempt) not in self._running:
            self._running.add((trial.number, trial.attempt))
            again = f"attempt {trial.attempt} " if trial.attempt > 1 else ""
            self._line(trial, TrialState.RUNNING, again + parameters(trial))

    def _line(self, trial: Trial, state: TrialState, text: str) -> None:
        _print(f"{time.strftime('%H:%M:%S')} {trial.name} {state.value} {text}".rstrip())


def _print(line: str) -> None:
    """Print it; the run goes on if nobody reads any more."""
    try:
        click.echo(line)
    except BrokenPipeError:
        leave_pipe()


class LiveTable:
    """A table that redraws itself in place, a progress bar and the time left below it."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._drawn = 0.0
        self._drawing = False
        self._message = ""
        self._view: tuple[Experiment, History] | None = None

    def show(self, experiment: Experiment, history: History) -> None:
        """Redraw, at most a few times a second."""
        self._view = experiment, history
        over = not history.active or experiment.status.verdict is not None
        if over or time.monotonic() - self._drawn >= REFRESH_SECONDS:
            self._draw()

    def say(self, message: str) -> None:
        """Show it below the table, at once unless it is being drawn in this moment."""
        self._message = message
        if not self._drawing:
            self._draw()

    def _draw(self) -> None:
        if self._view is None:
            return
        self._drawing, self._drawn = True, time.monotonic()
        self._live.update(self._picture(*self._view), refresh=True)
        self._drawing = False

    def _picture(self, experiment: Experiment, history: History) -> RenderableType:
        width, height = self._live.console.size
        rows, narrow = max(1, min(MOST_ROWS, height - OTHER_LINES)), width < NARROW
        parts = [
            trial_table(experiment, history, rows, narrow=narrow),
            progress_line(experiment, history, narrow=narrow),
        ]
        for message in filter(None, (_last_failure(history), experiment.status.waiting, self._message)):
            parts.append(Text(message, style="yellow", no_wrap=True, overflow="ellipsis"))
        return Constrain(Group(*parts), width - ECHO)


def trial_table(experiment: Experiment, history: History, rows: int, *, narrow: bool) -> Table:
    """Running trials and the newest finished ones, ``rows`` at most; the best is marked with a star."""
    objective, best = experiment.spec.objective, experiment.status.best
    active = [history.active[number] for number in sorted(history.active)][:rows]
    shown = sorted(history.finished[-(rows - len(active)) :] if len(active) < rows else [], key=lambda t: t.number)
    shown += active
    if best is not None and best in history.trials and all(trial.number != best for trial in shown):
        shown[0] = history.trials[best]
    title = Text(_title(experiment), style="bold", no_wrap=True, overflow="ellipsis")
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", title_style="")
    for column in ("TRIAL", "STATE", "PARAMETERS", "LATEST", "BEST", *([] if narrow else ["TIME"])):
        number_column = column in ("LATEST", "BEST", "TIME")
        loose = column == "PARAMETERS"
        table.add_column(
            column,
            justify="right" if number_column else "left",
            no_wrap=not loose,  # the loose column gives way first
        )
    for trial in shown:
        ran = (trial.finished or time.time()) - trial.started if trial.started is not None else None
        cells = [
            Text(f"{trial.name} *" if trial.number == best else trial.name),
            Text(trial.state.value, style=STYLES[trial.state]),
            Text(parameters(trial), no_wrap=True, overflow="ellipsis"),
            Text(latest(objective, trial)),
            Text(number(history.value(trial))),
            Text(duration(ran) if ran is not None else ""),
        ]
        table.add_row(*(cells[:-1] if narrow else cells))
    return table


def progress_line(experiment: Experiment, history: History, *, narrow: bool) -> RenderableType:
    """How far it is, what is best, how long it may take."""
    done, limit = len(history.finished), experiment.budget.max_trials
    best = experiment.status.best_value
    facts = [f"{done}/{limit} done" if limit is not None else f"{done} done"]
    if left := time_left(experiment, history):
        facts.append(f"about {duration(left)} left")
    if history.active:
        facts.append(f"{len(history.active)} active")
    if best is not None:
        facts.append(f"best {experiment.spec.objective.metric} {number(best)}")
    text = Text(", ".join(facts), no_wrap=True, overflow="ellipsis")
    if limit is None:
        return text
    line = Table.grid(padding=(0, 1))
    bar = 10 if narrow else 24
    line.add_column(width=bar, no_wrap=True)
    line.add_column()
    line.add_row(ProgressBar(total=limit, completed=done, width=bar), text)
    return line


def time_left(experiment: Experiment, history: History) -> float | None:
    """Seconds until ``maxTrialCount`` at the pace of the last trials, None if that cannot be told."""
    done, limit = len(history.finished), experiment.budget.max_trials
    recent = [t.finished - t.started for t in history.finished[-20:] if t.finished and t.started]
    if limit is None or not recent or not history.active:
        return None
    return (limit - done) * sum(recent) / len(recent) / experiment.budget.parallel


def _last_failure(history: History) -> str:
    """The newest failure among the last trials, in a line."""
    for trial in reversed(history.finished[-MOST_ROWS:]):
        if trial.state in FAILURES:
            return f"{trial.name} {trial.state.value}: {trial.reason}".replace("\n", " ")
    return ""


def _title(experiment: Experiment) -> str:
    spec, budget = experiment.spec, experiment.budget
    limit = count(budget.max_trials, "trial") if budget.max_trials is not None else "no limit of trials"
    aim = targets_text(spec.objective)
    return f"experiment {experiment.key.name}: {spec.algorithm.name}, {aim}, {limit}, {budget.parallel} in parallel"
