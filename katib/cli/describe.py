"""``katib describe`` and ``katib best``: one experiment or trial for people. Reads the counts and the newest trials
only, so it is as quick with 100,000 trials as with ten."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import click

from katib.best_trial import as_document, as_markdown, as_text, read_best_trial, rerun_command, why_none
from katib.cli.columns import space_note
from katib.cli.exits import NOT_FOUND, OK
from katib.cli.output import TablePrinter, age, count, duration, number, parameters, print_object
from katib.cli.report import best_report, end_line, go_on_with, parameter_rows
from katib.cli.solutions import constraints_text, targets_text, violation_text
from katib.cli.workshop import (
    find_experiment,
    find_trial,
    namespace_option,
    open_workshop,
    output_option,
    split_name,
    store_option,
)
from katib.compose import Workshop
from katib.core.changes import Event
from katib.core.errors import NotFoundError
from katib.core.experiment import Component, Experiment, Limits
from katib.core.history import History
from katib.core.ports import Store
from katib.core.transfer import Relevance
from katib.core.trial import AttemptId, Key, Trial
from katib.core.warm_start import Source
from katib.engine import lifecycle
from katib.resources.durations import duration_text
from katib.resources.projection import condition_of
from trial_runners.attempt_folder import AttemptFolder

NEWEST = 10
FIRST_LOOK = 200  # of the commit order, from its end; further back if too few trials are found there
TRIAL_EVENTS = 1000  # newest events of an experiment that a trial's are looked for in


@click.command(short_help="Show an experiment or a trial in detail")
@click.argument("words", nargs=-1, required=True, metavar="[KIND] NAME")
@namespace_option
@store_option
def describe(words: tuple[str, ...], namespace: str, store: str) -> int:
    """Show the experiment (or trial) NAME: what it is, how it stands, what happened to it."""
    kind, name = split_name(words)
    with open_workshop(store) as workshop:
        if kind != "trial":
            try:
                return _experiment(workshop, find_experiment(workshop.store, Key(namespace, name)))
            except NotFoundError:
                if kind or not _is_trial(workshop.store, namespace, name):
                    raise
        return _trial(workshop, *find_trial(workshop.store, namespace, name))


@click.command(short_help="Show the best trial, and the command that runs it again")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME")
@namespace_option
@output_option("text", "json", "yaml", "markdown", default="text")
@store_option
def best(words: tuple[str, ...], namespace: str, output: str, store: str) -> int:
    """Show the best trial of the experiment NAME so far: parameters, metrics, seeds, files, and the command that runs
    it again; with repeats the mean and its 95 % interval.

    Exit status 3 if there is none yet.
    """
    kind, name = split_name(words, default="experiment")
    if kind != "experiment":
        raise click.UsageError(f"experiments have a best trial, got {kind} {name!r}")
    with open_workshop(store) as workshop:
        experiment = find_experiment(workshop.store, Key(namespace, name))
        report = read_best_trial(workshop.store, workshop.trials_folder, experiment)
    if report is None:
        click.echo(f"no best trial: {why_none(experiment)}", err=True)
        return NOT_FOUND
    if output in ("json", "yaml"):
        print_object(as_document(report), output)
    else:
        click.echo(as_text(report) if output == "text" else as_markdown(report))
    return OK


def _is_trial(store: Store, namespace: str, name: str) -> bool:
    try:
        find_trial(store, namespace, name)
    except NotFoundError:
        return False
    return True


def _experiment(workshop: Workshop, experiment: Experiment) -> int:
    spec, status, budget = experiment.spec, experiment.status, experiment.budget
    condition, _ = condition_of(experiment)
    failures = "any number" if budget.max_failed is None else str(budget.max_failed)
    limit = count(budget.max_trials, "trial") if budget.max_trials is not None else "no limit of trials"
    _fields(
        ("Name", experiment.key.name),
        ("Namespace", experiment.key.namespace),
        ("Labels", " ".join(f"{name}={value}" for name, value in spec.labels.items())),
        ("Age", age(experiment.created)),
        ("Status", f"{condition}{f': {status.message}' if status.message else ''}"),
        ("Waiting", status.waiting),
        ("Objective", targets_text(spec.objective)),
        ("Constraints", constraints_text(spec)),
        ("Repeats", f"{spec.objective.repeats} runs of all parameters" if spec.objective.repeats > 1 else ""),
        ("Algorithm", _component(spec.algorithm)),
        ("Early stopping", _component(spec.stopper) if spec.stopper else ""),
        ("Seed", str(spec.seed)),
        ("Search space", f"changed {count(spec.space.revision, 'time')}" if spec.space.revision else ""),
        ("Budget", f"{limit}, {budget.parallel} in parallel, {failures} may fail"),
        ("Limits", _limits(spec.limits)),
        ("Learns from", _sources(workshop.store, experiment)),
        ("Trials", ", ".join(f"{count} {state.value}" for state, count in status.counts.items() if count) or "none"),
    )
    if status.verdict is None and status.stopped:
        click.echo(f"\n{end_line(experiment)}")
    elif lifecycle.may_restart(experiment):
        click.echo(f"\nit may have more trials now; {go_on_with(experiment)}")
    click.echo(f"\n{best_report(workshop, experiment)}")
    _newest(experiment, _newest_trials(workshop.store, experiment))
    _events(workshop.store.events(experiment.key, limit=NEWEST))
    return OK


def _sources(store: Store, experiment: Experiment) -> str:
    """The former experiments, and how far the trials so far bear them out."""
    spec = experiment.spec
    if not spec.sources:
        return ""
    history = History(spec.space, spec.objective, store.trials(experiment.key), sources=spec.sources)
    judged = dict(zip((f.source.key for f in history.prior.sources), history.prior.relevances(history), strict=True))
    return ", ".join(_source(source, judged.get(source.key)) for source in spec.sources)


def _source(source: Source, judged: Relevance | None) -> str:
    if judged is None:
        said = "none in this space"
    elif judged.trials < 2:
        said = "relevance not known yet"
    else:
        said = f"relevance {judged.tau:.2f}{', dropped' if judged.refuted else ''}"
    return f"{source.key.name} ({len(source.trials)} of {source.finished} trials; {said})"


def _newest_trials(store: Store, experiment: Experiment) -> list[Trial]:
    """The last trials in order of number, among those whose records changed last."""
    wanted, window = min(NEWEST, sum(experiment.status.counts.values())), FIRST_LOOK
    while True:
        since = max(0, experiment.seq - window)
        recent = store.trials(experiment.key, since=since)
        if len(recent) >= wanted or since == 0:
            return sorted(recent, key=lambda trial: trial.number)[-NEWEST:]
        window *= 8


def _newest(experiment: Experiment, trials: Sequence[Trial]) -> None:
    if trials:
        click.echo("\nNewest trials:")
        objective = experiment.spec.objective
        rows = [(t, number(objective.value(t.observation)), t.reason or violation_text(objective, t)) for t in trials]
        TablePrinter().print([(f"  {t.name}", t.state.value, value, parameters(t), note) for t, value, note in rows])


def _trial(workshop: Workshop, experiment: Experiment, trial: Trial) -> int:
    ran = "" if trial.started is None else duration((trial.finished or time.time()) - trial.started)
    folder = AttemptFolder.of(workshop.trials_folder, AttemptId(experiment.key, trial.name, trial.attempt)).path
    _fields(
        ("Name", trial.name),
        ("Namespace", experiment.key.namespace),
        ("Experiment", experiment.key.name),
        ("Number", str(trial.number)),
        ("Status", ": ".join(filter(None, (trial.state.value, trial.reason)))),
        ("Constraints", violation_text(experiment.spec.objective, trial)),
        ("Failure class", trial.failure.value if trial.failure else ""),
        ("Attempt", str(trial.attempt)),
        ("Continues", "" if trial.parent is None else f"trial number {trial.parent}"),
        ("Age", age(trial.created)),
        ("Ran for", ran),
        ("Labels", " ".join(f"{name}={value}" for name, value in trial.labels.items())),
        ("Search space", space_note(experiment, trial)),
        ("Files", str(folder) if folder.is_dir() else ""),
    )
    click.echo("\nParameters:")
    TablePrinter().print([(f"  {name}", value) for name, value in parameter_rows(experiment, trial)])
    click.echo("\nMetrics:")
    TablePrinter().print([("  NAME", "MIN", "MAX", "LATEST", "REPORTS"), *_metrics(trial)])
    if trial.message:
        click.echo("\nLast output:")
        click.echo("\n".join(f"  {line}" for line in trial.message.splitlines()))
    if command := rerun_command(experiment, trial):
        click.echo(f"\nRun it again:\n  {command}")
    _events(e for e in workshop.store.events(experiment.key, limit=TRIAL_EVENTS) if e.trial == trial.name)
    return OK


def _metrics(trial: Trial) -> list[tuple[str, ...]]:
    return [
        (f"  {metric}", number(s.minimum), number(s.maximum), number(s.latest) or s.latest_text, str(s.count))
        for metric, s in trial.observation.items()
    ]


def _fields(*fields: tuple[str, str]) -> None:
    for name, value in fields:
        if value:
            click.echo(f"{name + ':':<16} {value}")


def _events(events: Iterable[Event]) -> None:
    rows = [(f"  {age(e.time)}", e.type, e.reason, " ".join(filter(None, (e.trial, e.message)))) for e in events]
    if rows:
        click.echo("\nEvents:")
        TablePrinter().print([("  AGE", "TYPE", "REASON", "MESSAGE"), *rows])


def _limits(limits: Limits) -> str:
    named = (
        ("maxDuration", limits.experiment),
        ("maxTrialDuration", limits.trial),
        ("noMetricTimeout", limits.silence),
    )
    return ", ".join(f"{name} {duration_text(time)}" for name, time in named if time is not None)


def _component(component: Component) -> str:
    settings = " ".join(f"{name}={value}" for name, value in component.settings.items())
    return f"{component.name} ({settings})" if settings else component.name
