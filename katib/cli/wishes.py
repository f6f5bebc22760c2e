"""``katib stop`` and ``katib delete``: write the wish for the experiment's owner; if none lives, carry it out here."""

from __future__ import annotations

import time
from contextlib import suppress

import click

from katib.cli.exits import OK, TIME_OUT
from katib.cli.values import Duration
from katib.cli.workshop import find_experiment, namespace_option, open_workshop, split_experiments, store_option
from katib.compose import Workshop
from katib.core.errors import NotFoundError
from katib.core.experiment import Desired
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.resources.projection import resource_name
from katib.wishes import carry_out

timeout_option = click.option(
    "--timeout",
    type=Duration(),
    default="60s",
    show_default=True,
    metavar="DURATION",
    help="Exit 4 if it is not done by then; it will be all the same",
)


@click.command(short_help="Stop experiments; they can be resumed")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME...")
@namespace_option
@timeout_option
@store_option
def stop(words: tuple[str, ...], namespace: str, timeout: float, store: str) -> int:
    """End the running trials of an experiment and start no more.

    They run again when it is resumed, each as its next attempt.

    \b
    Examples:
      katib stop my-experiment
      katib stop my-experiment other-experiment --timeout 5m
    """
    keys = split_experiments(words, namespace, "stopped")
    with open_workshop(store) as workshop:
        running = []
        for experiment in [find_experiment(workshop.store, key) for key in keys]:
            if (verdict := experiment.status.verdict) is None:
                running.append(experiment.key)
            else:
                name = resource_name("experiment", experiment.key.name)
                click.echo(f"{name} has ended before ({verdict.value})")
        return _wish(workshop, running, Desired.STOP, timeout)


@click.command(short_help="Delete experiments with their trials, metrics and files")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME...")
@namespace_option
@click.option("--ignore-not-found", is_flag=True, help="That an experiment does not exist is no error")
@timeout_option
@store_option
def delete(words: tuple[str, ...], namespace: str, ignore_not_found: bool, timeout: float, store: str) -> int:
    """Stop an experiment and remove all that is stored of it.

    \b
    Examples:
      katib delete my-experiment
      katib delete experiment/my-experiment other-experiment --ignore-not-found
    """
    keys = split_experiments(words, namespace, "deleted")
    with open_workshop(store) as workshop:
        found = []
        for key in keys:
            with suppress(*(NotFoundError,) if ignore_not_found else ()):
                found.append(find_experiment(workshop.store, key).key)
        return _wish(workshop, found, Desired.DELETE, timeout)


def _wish(workshop: Workshop, keys: list[Key], desired: Desired, timeout: float) -> int:
    """Write the wish for all, then see each one carried out."""
    deadline, status = time.monotonic() + timeout, OK
    for key in keys:
        lifecycle.want(workshop.store, key, desired)
    verb = {Desired.STOP: "stopped", Desired.DELETE: "deleted"}[desired]
    for key in keys:
        done = carry_out(workshop, key, desired, deadline)
        click.echo(f"{resource_name('experiment', key.name)} {verb if done else f'is being {verb}'}")
        status = status if done else TIME_OUT
    return status
