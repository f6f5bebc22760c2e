"""``katib describe`` and ``katib best``: one experiment or trial for people. Reads the counts and the newest trials
only, so it is as quick with 100,000 trials as with ten."""

from __future__ import annotations

import time
from collections.abc import Iterable

import click

from katib.cli.main import NOT_FOUND, OK
from katib.cli.output import age, duration, number, parameters, print_object
from katib.cli.report import attempt_folder, best_report, end_line, rerun_command
from katib.cli.workshop import (
    KINDS,
    experiment_of,
    namespace_option,
    open_workshop,
    output_option,
    split_name,
    store_option,
)
from katib.compose import Workshop
from katib.core.changes import Event
from katib.core.errors import NotFoundError
from katib.core.experiment import Component, Experiment
from katib.core.trial import Key, Trial
from katib.resources.projection import condition_of, trial_resource

NEWEST = 10
RECENT_SEQS = 200  # enough commit order to hold the newest trials


@click.command(short_help="Show an experiment or a trial in detail")
@click.argument("words", nargs=-1, required=True, metavar="[KIND] NAME")
@namespace_option
@store_option
def describe(words: tuple[str, ...], namespace: str, store: str) -> int:
    """Show the experiment (or trial) NAME: what it is, how it stands, what happened to it."""
    kind, name = split_name(words, KINDS, default="")
    with open_workshop(store) as workshop:
        if kind != "trial":
            try:
                return _experiment(workshop, workshop.store.get(Key(namespace, name)))
            except NotFoundError:
                if kind:
                    raise
        key = experiment_of(name, namespace)
        return _trial(workshop, workshop.store.get(key), workshop.store.trial(key, name))


@click.command(short_help="Show the best trial, and the command that runs it again")
@click.argument("name")
@namespace_option
@output_option("table", "json", "yaml")
@store_option
def best(name: str, namespace: str, output: str, store: str) -> int:
    """Show the best trial of the experiment NAME so far. Exit status 3 if there is none yet."""
    with open_workshop(store) as workshop:
        experiment = workshop.store.get(Key(namespace, name))
        if output == "table":
            click.echo(best_report(workshop, experiment), nl=False)
        elif experiment.status.best is not None:
            trial = workshop.store.trial(experiment.key, experiment.status.best_name)
            print_object(trial_resource(experiment, trial), output)
        return OK if experiment.status.best is not None else NOT_FOUND


def _experiment(workshop: Workshop, experiment: Experiment) -> int:
    spec, status, budget = experiment.spec, experiment.status, experiment.budget
    condition, _ = condition_of(experiment)
    goal = f", goal {spec.objective.goal:g}" if spec.objective.goal is not None else ""
    _fields(
        ("Name", experiment.key.name),
        ("Namespace", experiment.key.namespace),
        ("Age", age(experiment.created)),
        ("Status", f"{condition}{f': {status.message}' if status.message else ''}"),
        ("Waiting", status.waiting),
        ("Objective", f"{spec.objective.direction.value} {spec.objective.metric}{goal}"),
        ("Algorithm", _component(spec.algorithm)),
        ("Early stopping", _component(spec.stopper) if spec.stopper else ""),
        ("Seed", str(spec.seed)),
        ("Budget", f"{budget.max_trials or 'no limit of'} trials, {budget.parallel} in parallel, "
                   f"{'any number' if budget.max_failed is None else budget.max_failed} may fail"),
        ("Trials", ", ".join(f"{count} {state.value}" for state, count in status.counts.items() if count) or "none"),
    )  # fmt: skip
    if status.verdict is None:
        click.echo(end_line(experiment).strip() if status.stopped else "")
    click.echo(best_report(workshop, experiment))
    recent = workshop.store.trials(experiment.key, since=max(0, experiment.seq - RECENT_SEQS))
    click.echo("Newest trials:")
    for trial in sorted(recent, key=lambda t: t.number)[-NEWEST:]:
        value = number(spec.objective.value(trial.observation))
        click.echo(f"  {trial.name}  {trial.state.value:<12} {value:>10}  {parameters(trial)}  {trial.reason}".rstrip())
    _events(workshop.store.events(experiment.key, limit=NEWEST))
    return OK


def _trial(workshop: Workshop, experiment: Experiment, trial: Trial) -> int:
    ran = None
    if trial.started is not None:
        ran = (trial.finished or time.time()) - trial.started
    parent = "" if trial.parent is None else f"trial number {trial.parent}"
    _fields(
        ("Name", trial.name),
        ("Experiment", experiment.key.name),
        ("Number", str(trial.number)),
        ("Status", f"{trial.state.value}{f': {trial.reason}' if trial.reason else ''}"),
        ("Failure class", trial.failure.value if trial.failure else ""),
        ("Attempt", str(trial.attempt)),
        ("Continues", parent),
        ("Age", age(trial.created)),
        ("Ran for", duration(ran) if ran is not None else ""),
        ("Parameters", parameters(trial)),
        ("Labels", " ".join(f"{name}={value}" for name, value in trial.labels.items())),
        ("Files", str(attempt_folder(workshop, experiment, trial))),
        ("Run again", rerun_command(experiment, trial)),
    )
    click.echo("Metrics:")
    for metric, summary in trial.observation.items():
        texts = (number(summary.minimum), number(summary.maximum), number(summary.latest) or summary.latest_text)
        click.echo(f"  {metric}: min {texts[0]}, max {texts[1]}, latest {texts[2]}, {summary.count} reports")
    if trial.message:
        click.echo("Last output:")
        click.echo("\n".join(f"  {line}" for line in trial.message.splitlines()))
    _events(event for event in workshop.store.events(experiment.key, limit=1000) if event.trial == trial.name)
    return OK


def _fields(*fields: tuple[str, str]) -> None:
    for name, value in fields:
        if value:
            click.echo(f"{name + ':':<16} {value}")


def _events(events: Iterable[Event]) -> None:
    lines = [f"  {age(e.time):>6}  {e.type:<8} {e.reason}  {e.trial}  {e.message}".rstrip() for e in events]
    if lines:
        click.echo("Events:")
        click.echo("\n".join(lines))


def _component(component: Component) -> str:
    settings = " ".join(f"{name}={value}" for name, value in component.settings.items())
    return f"{component.name} ({settings})" if settings else component.name
