"""``katib run`` and ``katib resume``: an experiment in the foreground, from its YAML or its name to its best trial."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import click

from katib.cli.main import FAILED, INTERRUPTED, OK, TIME_OUT
from katib.cli.output import print_object
from katib.cli.report import best_report, end_line
from katib.cli.screen import Screen, make_screen
from katib.cli.workshop import known_names, namespace_option, open_workshop, output_option, store_option
from katib.compose import Options, Workshop, default_home, suggestion_process
from katib.core.errors import NotFoundError, Problem, SpecError
from katib.core.experiment import Budget, Desired, Experiment
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.engine.controller import Controller
from katib.resources.load import LoadedExperiment, load_experiment
from katib.resources.projection import experiment_resource

BUDGET_FIELDS = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")


@dataclass(frozen=True, slots=True)
class Flags:
    """The options that ``run`` and ``resume`` share."""

    output: str
    suggestion: str
    timeout: float | None


def _shared_options(command: Any) -> Any:
    for option in (
        click.option(
            "--runner",
            default="local",
            show_default=True,
            metavar="local|process|inline",
            help="What runs trials: commands on this machine, or a Python function in workers or right here",
        ),
        store_option,
        output_option("table", "json", "yaml"),
        click.option(
            "--suggestion",
            default="",
            metavar="HOST:PORT|process",
            help="Use a suggestion service; 'process' starts one for this run [default: algorithms in this process]",
        ),
        click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Stop after this time, exit 4"),
    ):
        command = option(command)
    return command


@click.command(short_help="Run an Experiment YAML in the foreground, or go on with it")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--parallel", type=click.IntRange(min=1), help="Trials at a time, instead of parallelTrialCount")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the search [default: drawn at creation, then kept]")
@_shared_options
def run(file: Path, parallel: int | None, seed: int | None, runner: str, store: str, **flags: Any) -> int:
    """Run the Experiment in FILE to its best trial.

    Running the same file again goes on where it stopped, or says that it is complete. Ctrl-C once lets running trials
    finish; twice ends them, and they run again on resume.
    """
    loaded = load_experiment(file, known=known_names())
    if parallel is not None or seed is not None:
        loaded = _override(loaded, parallel, seed)
    with open_workshop(store, Options(default_home(), runner=runner)) as workshop:
        return _foreground(workshop, Flags(**flags), lambda: _create_or_find(workshop, loaded))


@click.command(short_help="Go on with an experiment that was stopped or interrupted")
@click.argument("name")
@namespace_option
@_shared_options
def resume(name: str, namespace: str, runner: str, store: str, **flags: Any) -> int:
    """Go on with the stored experiment NAME."""
    with open_workshop(store, Options(default_home(), runner=runner)) as workshop:
        key = Key(namespace, name)
        return _foreground(workshop, Flags(**flags), lambda: lifecycle.want(workshop.store, key, Desired.RUN))


def _override(loaded: LoadedExperiment, parallel: int | None, seed: int | None) -> LoadedExperiment:
    spec = loaded.spec
    if parallel is not None:
        limit = spec.budget.max_trials
        spec = replace(spec, budget=replace(spec.budget, parallel=min(parallel, limit or parallel)))
    return replace(loaded, spec=replace(spec, seed=seed if seed is not None else spec.seed))


def _create_or_find(workshop: Workshop, loaded: LoadedExperiment) -> Experiment:
    """The stored experiment of the file's name if its spec is the same, else a new one. Raises SpecError."""
    spec = loaded.spec
    try:
        stored = workshop.store.get(spec.key)
    except NotFoundError:
        workshop.check(spec)
        return lifecycle.create(workshop.store, spec, loaded.document)
    if path := _difference(_frozen_part(stored.document), _frozen_part(loaded.document), "spec"):
        message = (
            f"experiment {spec.key.name!r} exists with another value here; change metadata.name, "
            f"or remove the old one: katib delete {spec.key.name}"
        )
        raise SpecError([Problem(path, message)])
    return lifecycle.edit(
        workshop.store, spec.key, lambda old: replace(old, desired=Desired.RUN, budget=_merged(old, spec.budget))
    )


def _merged(stored: Experiment, wanted: Budget) -> Budget:
    """The file's budget: what ``katib run`` was given last holds."""
    return wanted if wanted != stored.spec.budget else stored.budget


def _frozen_part(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.get("spec", {}).items() if name not in BUDGET_FIELDS}


def _difference(old: Any, new: Any, path: str) -> str:
    """Path of the first place where two trees differ, empty if they are equal."""
    if old == new:
        return ""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in [*old, *(n for n in new if n not in old)]:
            if found := _difference(old.get(name), new.get(name), f"{path}.{name}"):
                return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for i, (a, b) in enumerate(zip(old, new, strict=True)):
            if found := _difference(a, b, f"{path}[{i}]"):
                return found
    return path


def _foreground(workshop: Workshop, flags: Flags, prepare: Any) -> int:
    """Run to the end with a live view, then report. Returns the exit status."""
    with ExitStack() as stack:
        if flags.suggestion == "process":
            address = stack.enter_context(suggestion_process())
            workshop.options = replace(workshop.options, suggestion=address)
        elif flags.suggestion:
            workshop.options = replace(workshop.options, suggestion=flags.suggestion)
        experiment = prepare()
        screen = stack.enter_context(make_screen(experiment, quiet=flags.output != "table"))
        controller = workshop.controller()
        stack.callback(controller.close)
        signals = stack.enter_context(_signals(screen))
        timed_out = _loop(controller, experiment.key, screen, signals, flags.timeout)
    return _conclude(workshop, experiment.key, flags.output, signals, timed_out=timed_out)


@dataclass(slots=True)
class Signals:
    """How often the user asked to leave."""

    count: int = 0


@contextmanager
def _signals(screen: Screen) -> Iterator[Signals]:
    """Count SIGINT and SIGTERM; from the second on also break into an objective that runs in this thread."""
    signals = Signals()

    def handle(number: int, frame: FrameType | None) -> None:
        signals.count += 1
        if signals.count == 1:
            screen.say("letting running trials finish; press Ctrl-C again to end them now")
        else:
            raise KeyboardInterrupt

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _loop(controller: Controller, key: Key, screen: Screen, signals: Signals, timeout: float | None) -> bool:
    """Reconcile until there is nothing left to do. Returns whether the time was up."""
    deadline = time.monotonic() + timeout if timeout is not None else None
    timed_out = False
    while True:
        try:
            delay = controller.reconcile(key)
            if view := controller.view(key):
                screen.show(*view)
            if delay is None:
                return timed_out
            controller.wait(key, delay)
            if signals.count == 1:
                controller.drain()
            if deadline is not None and time.monotonic() > deadline and not timed_out:
                timed_out = True
                controller.interrupt()
        except KeyboardInterrupt:
            controller.interrupt()


def _conclude(workshop: Workshop, key: Key, output: str, signals: Signals, *, timed_out: bool) -> int:
    experiment = workshop.store.get(key)
    verdict = experiment.status.verdict
    if output != "table":
        print_object(experiment_resource(experiment, workshop.store.trials(key)), output)
    else:
        click.echo(end_line(experiment, interrupted=bool(signals.count), timed_out=timed_out))
        click.echo(best_report(workshop, experiment), nl=False)
    if verdict is not None:
        return OK if verdict.succeeded else FAILED
    if timed_out:
        return TIME_OUT
    return INTERRUPTED if signals.count else OK
