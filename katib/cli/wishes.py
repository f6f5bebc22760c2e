"""``katib stop`` and ``katib delete``: write the wish for the experiment's owner; if none lives, carry it out here."""

from __future__ import annotations

import time

import click

from katib.cli.exits import OK, TIME_OUT
from katib.cli.workshop import find_experiment, namespace_option, open_workshop, split_name, store_option
from katib.compose import Workshop
from katib.core.errors import LeaseHeldError, NotFoundError
from katib.core.experiment import Desired
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.resources.projection import resource_name

POLL_SECONDS = 0.1

timeout_option = click.option(
    "--timeout", type=click.FloatRange(min=0), default=60.0, show_default=True, metavar="SECONDS", help="Exit 4 then"
)


@click.command(short_help="Stop an experiment; it can be resumed")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME")
@namespace_option
@timeout_option
@store_option
def stop(words: tuple[str, ...], namespace: str, timeout: float, store: str) -> int:
    """End the running trials of an experiment and start no more.

    They run again when it is resumed, each as its next attempt.
    """
    key = _key(words, namespace, "stopped")
    with open_workshop(store) as workshop:
        verdict = find_experiment(workshop.store, key).status.verdict
        if verdict is not None:
            click.echo(f"{resource_name('experiment', key.name)} has ended before ({verdict.value})")
            return OK
        return _wish(workshop, key, Desired.STOP, timeout)


@click.command(short_help="Delete an experiment with its trials, metrics and files")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME")
@namespace_option
@timeout_option
@store_option
def delete(words: tuple[str, ...], namespace: str, timeout: float, store: str) -> int:
    """Stop an experiment and remove all that is stored of it."""
    key = _key(words, namespace, "deleted")
    with open_workshop(store) as workshop:
        find_experiment(workshop.store, key)
        return _wish(workshop, key, Desired.DELETE, timeout)


def _key(words: tuple[str, ...], namespace: str, done: str) -> Key:
    kind, name = split_name(words, default="experiment")
    if kind != "experiment":
        raise click.UsageError(f"only experiments can be {done}, got {kind} {name!r}")
    return Key(namespace, name)


def _wish(workshop: Workshop, key: Key, desired: Desired, timeout: float) -> int:
    lifecycle.want(workshop.store, key, desired)
    done = _carry_out(workshop, key, desired, time.monotonic() + timeout)
    verb = {Desired.STOP: "stopped", Desired.DELETE: "deleted"}[desired]
    click.echo(f"{resource_name('experiment', key.name)} {verb if done else f'is being {verb}'}")
    return OK if done else TIME_OUT


def _carry_out(workshop: Workshop, key: Key, desired: Desired, deadline: float) -> bool:
    """Wait until the owner has done it, or do it here if there is no owner. Returns whether it is done."""
    while not _is_done(workshop, key, desired):
        if time.monotonic() > deadline:
            return False
        controller = workshop.controller()
        try:
            controller.run(key)
        except LeaseHeldError:
            time.sleep(POLL_SECONDS)
        except NotFoundError:
            return True
        finally:
            controller.close()
    return True


def _is_done(workshop: Workshop, key: Key, desired: Desired) -> bool:
    try:
        experiment = workshop.store.get(key)
    except NotFoundError:
        return True
    return desired is Desired.STOP and (experiment.status.stopped or experiment.status.verdict is not None)
