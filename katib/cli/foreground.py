"""An experiment in the foreground: the loop around the controller, a view of it, and how the user leaves it.

SIGINT or SIGTERM once lets running trials finish and starts none; twice ends them, and they run again on resume. Both
leave the experiment stopped in the store, as ``katib stop`` does.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from types import FrameType

import click

from katib.cli.exits import FAILED, INTERRUPTED, OK, TIME_OUT
from katib.cli.output import print_object
from katib.cli.report import best_report, end_line
from katib.cli.screen import Screen, make_screen
from katib.cli.submit import is_over
from katib.compose import Workshop, suggestion_process
from katib.core.errors import LeaseHeldError, NotFoundError
from katib.core.experiment import Desired, Experiment
from katib.core.ports import Store
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.engine.controller import Controller
from katib.resources.projection import experiment_resource
from suggestion_service.security import ClientSecurity


@dataclass(frozen=True, slots=True)
class Flags:
    """How to run and report. suggestion: HOST:PORT of a service, ``process`` to start one, empty for none. timeout:
    seconds, None for no limit."""

    output: str
    suggestion: str
    timeout: float | None


@dataclass(slots=True)
class Run:
    """What happens to one run. signals: how often the user asked to leave. in_wait: whether a signal may break in."""

    signals: int = 0
    in_wait: bool = False
    timed_out: bool = False

    @property
    def left(self) -> bool:
        """Whether the user or the clock ended it."""
        return self.signals > 0 or self.timed_out


def run_in_foreground(workshop: Workshop, flags: Flags, prepare: Callable[[], Experiment]) -> int:
    """Run the experiment that ``prepare`` gives to its end with a live view, then report. Returns the exit status."""
    run = Run()
    with ExitStack() as stack:
        workshop.options = replace(workshop.options, suggestion=flags.suggestion)
        if flags.suggestion == "process":
            address = stack.enter_context(suggestion_process())
            workshop.options = replace(workshop.options, suggestion=address, suggestion_security=ClientSecurity())
        experiment = prepare()
        key = experiment.key
        if is_over(experiment):
            return _conclude(workshop, experiment, flags.output, run)
        screen = stack.enter_context(make_screen(experiment, quiet=flags.output != "table"))
        controller = workshop.controller()
        stack.callback(controller.close)
        stack.enter_context(_counted_signals(run, screen))
        _loop(controller, workshop.store, key, screen, run, flags.timeout)
        if run.left:
            _rest(controller, workshop.store, key)
    try:
        experiment = workshop.store.get(key)
    except NotFoundError:
        click.echo(f"experiment {key.name} was deleted while it ran", err=True)
        return FAILED
    return _conclude(workshop, experiment, flags.output, run)


@contextmanager
def _counted_signals(run: Run, screen: Screen) -> Iterator[None]:
    """Count SIGINT and SIGTERM. From the second on they also break into an objective that runs in this thread."""

    def handle(number: int, frame: FrameType | None) -> None:
        run.signals += 1
        if run.signals == 1:
            screen.say("letting running trials finish; Ctrl-C again ends them now (they run again on resume)")
        elif run.in_wait:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _loop(controller: Controller, store: Store, key: Key, screen: Screen, run: Run, timeout: float | None) -> None:
    """Reconcile until there is nothing left to do."""
    deadline = time.monotonic() + timeout if timeout is not None else None
    history = None
    while (delay := controller.reconcile(key)) is not None:
        if view := controller.view(key):
            experiment, history = view
            screen.show(experiment, history)
        _wait(controller, key, delay, run)
        if deadline is not None and time.monotonic() > deadline:
            run.timed_out = True
        if run.signals > 1 or run.timed_out:
            controller.interrupt()
        elif run.signals == 1:
            controller.drain()
    if history is not None:
        with suppress(NotFoundError):
            screen.show(store.get(key), history)


def _wait(controller: Controller, key: Key, delay: float, run: Run) -> None:
    run.in_wait = True
    try:
        if run.signals < 2:
            controller.wait(key, delay)
    except KeyboardInterrupt:
        run.signals = max(run.signals, 2)
    finally:
        run.in_wait = False


def _rest(controller: Controller, store: Store, key: Key) -> None:
    """Record that an experiment which was left before its end is stopped: nobody is to take it for running."""
    with suppress(NotFoundError, LeaseHeldError):
        if store.get(key).status.verdict is None:
            lifecycle.want(store, key, Desired.STOP)
            controller.run(key)


def _conclude(workshop: Workshop, experiment: Experiment, output: str, run: Run) -> int:
    """Report, and say how it went."""
    if output == "table":
        why = "ran out of time" if run.timed_out else "was interrupted" if run.signals else "was stopped"
        click.echo(f"\n{end_line(experiment, why)}")
        click.echo(best_report(workshop, experiment))
    else:
        print_object(experiment_resource(experiment, workshop.store.trials(experiment.key)), output)
    verdict = experiment.status.verdict
    if verdict is not None:
        return OK if verdict.succeeded else FAILED
    return TIME_OUT if run.timed_out else INTERRUPTED
