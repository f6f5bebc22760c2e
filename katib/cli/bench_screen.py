"""What ``katib bench run`` shows while it runs: a bar on a terminal, a line for each run elsewhere."""

from __future__ import annotations

import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from benchmarks.search.campaign import Ended, Task
from katib.cli.output import count, duration, number

SHORT = 10.0  # seconds below which tenths are shown


class Board(Protocol):
    """Where a campaign shows itself."""

    def show(self, ended: Ended) -> None:
        """Show that a run has ended."""
        ...


@contextmanager
def make_board(tasks: Sequence[Task], total: int, jobs: int) -> Iterator[Board]:
    """The board that fits where standard output goes. total: runs of the whole campaign, ``tasks`` those to do."""
    console, forecast = Console(), Forecast(tasks, jobs)
    if not (console.is_terminal and not console.is_dumb_terminal and sys.stdout.isatty()):
        click.echo(f"{count(len(tasks), 'run')} to do, {total - len(tasks)} done before")
        yield Lines(total - len(tasks), total, forecast)
        return
    columns = (BarColumn(24), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        yield Bar(progress, total - len(tasks), total, forecast)


class Forecast:
    """How long it may still take: runs of an algorithm take as long as those before, others as long as any."""

    def __init__(self, tasks: Sequence[Task], jobs: int) -> None:
        self._jobs = jobs
        self._left: dict[str, int] = defaultdict(int)
        self._took: dict[str, list[float]] = defaultdict(list)
        for task in tasks:
            self._left[task.algorithm] += 1

    def add(self, ended: Ended) -> None:
        """Learn from a run."""
        self._left[ended.task.algorithm] -= 1
        self._took[ended.task.algorithm].append(ended.seconds)

    @property
    def seconds(self) -> float:
        """Until the last run has ended; 0 before the first one has."""
        everything = [seconds for took in self._took.values() for seconds in took]
        mean = sum(everything) / max(len(everything), 1)
        means = {name: sum(took) / len(took) for name, took in self._took.items()}
        return sum(left * means.get(name, mean) for name, left in self._left.items()) / self._jobs


class Lines:
    """One line for each run."""

    def __init__(self, done: int, total: int, forecast: Forecast) -> None:
        self._done, self._total, self._forecast = done, total, forecast

    def show(self, ended: Ended) -> None:
        """Print it."""
        self._done += 1
        self._forecast.add(ended)
        left = f", about {duration(self._forecast.seconds)} left" if self._done < self._total else ""
        click.echo(f"{time.strftime('%H:%M:%S')} [{self._done}/{self._total}] {line(ended)}{left}")


class Bar:
    """A bar that is redrawn in place; errors stay above it."""

    def __init__(self, progress: Progress, done: int, total: int, forecast: Forecast) -> None:
        self._progress, self._forecast = progress, forecast
        self._bar = progress.add_task("", total=total, completed=done)

    def show(self, ended: Ended) -> None:
        """Draw it."""
        self._forecast.add(ended)
        if ended.error:
            self._progress.console.print(line(ended), style="yellow", markup=False, highlight=False)
        text = f"about {duration(self._forecast.seconds)} left, {ended.task.problem} {ended.task.algorithm}"
        self._progress.update(self._bar, advance=1, description=text)


def line(ended: Ended) -> str:
    """A run in a line."""
    task = ended.task
    found = f", best loss {number(ended.loss)}" if ended.loss is not None else ""
    result = f"error: {ended.error}" if ended.error else f"{count(ended.trials, 'trial')}{found}"
    took = f"{ended.seconds:.1f}s" if ended.seconds < SHORT else duration(ended.seconds)
    return f"{task.problem} {task.algorithm} seed {task.conditions.seed}: {result} in {took}"


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Being told to end (SIGTERM) is the same as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
