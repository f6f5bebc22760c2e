"""``katib retry``: failed trials run again, each as its next attempt."""

from __future__ import annotations

import time

import click

from katib.cli.exits import OK, TIME_OUT
from katib.cli.report import go_on_with
from katib.cli.values import Duration
from katib.cli.workshop import find_trial, namespace_option, open_workshop, split_names, store_option
from katib.compose import Workshop
from katib.core.errors import LeaseHeldError, PermanentError
from katib.core.experiment import Experiment
from katib.core.trial import Trial
from katib.engine import lifecycle
from katib.resources.projection import resource_name

POLL_SECONDS = 0.1


@click.command(short_help="Run failed trials again, each as its next attempt")
@click.argument("words", nargs=-1, required=True, metavar="[trial] NAME...")
@namespace_option
@click.option(
    "--timeout",
    type=Duration(),
    default="60s",
    show_default=True,
    metavar="DURATION",
    help="Exit 4 if no attempt by then",
)
@store_option
def retry(words: tuple[str, ...], namespace: str, timeout: float, store: str) -> int:
    """Run the trial NAME again: one that failed, was lost, or gave no metric.

    It stays the same trial, with the next attempt number, and counts as before it ended: once. If the experiment runs,
    its owner starts the trial when there is room; else the trial waits for katib resume. After its end an experiment
    takes retries only if it may go on: it ended by maxTrialCount and its resumePolicy is LongRunning or FromVolume.

    \b
    Examples:
      katib retry my-experiment-x7k2m9qf
      katib get trials my-experiment -o wide | grep Failed
    """
    named = split_names(words, default="trial")
    for kind, name in named:
        if kind != "trial":
            raise click.UsageError(f"only trials can be retried, got {kind} {name!r}")
    deadline = time.monotonic() + timeout
    with open_workshop(store) as workshop:
        found = [find_trial(workshop.store, namespace, name) for _, name in named]
        before = [lifecycle.retry(workshop.store, experiment.key, trial.name) for experiment, trial in found]
        for (experiment, _), trial in zip(found, before, strict=True):
            if not _report(workshop, experiment, trial, deadline):
                return TIME_OUT
    return OK


def _report(workshop: Workshop, experiment: Experiment, ended: Trial, deadline: float) -> bool:
    """Wait for the next attempt and say how it stands. Returns whether it came before the deadline."""
    name, key = resource_name("trial", ended.name), experiment.key
    ours = _take(workshop, experiment, ended, deadline)
    trial = workshop.store.trial(key, ended.name)
    if trial.attempt == ended.attempt:
        if ours:
            raise PermanentError(f"trial {ended.name!r} cannot be retried: its experiment has ended meanwhile")
        click.echo(f"{name} is being retried")
        return False
    click.echo(f"{name} retried (attempt {trial.attempt})")
    if ours:
        click.echo(f"nothing runs the experiment now; {go_on_with(experiment)}")
    return True


def _take(workshop: Workshop, experiment: Experiment, ended: Trial, deadline: float) -> bool:
    """Wait until the owner has taken the wish, or record it here if there is no owner. Returns whether it was here."""
    controller = workshop.controller()
    while workshop.store.trial(experiment.key, ended.name).attempt == ended.attempt and time.monotonic() <= deadline:
        try:
            controller.take_retries(experiment.key)
            return True
        except LeaseHeldError:
            time.sleep(POLL_SECONDS)
    return False
