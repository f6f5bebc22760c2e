"""``katib stop`` and ``katib delete``: write the wish for the experiment's owner; if none lives, carry it out here."""

from __future__ import annotations

import time

import click

from katib.cli.main import OK, TIME_OUT
from katib.cli.workshop import KINDS, namespace_option, open_workshop, split_name, store_option
from katib.compose import Workshop
from katib.core.errors import LeaseHeldError, NotFoundError
from katib.core.experiment import Desired
from katib.core.trial import Key
from katib.engine import lifecycle

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
    """End the running trials of an experiment and start no more. They run again when it is resumed."""
    return _wish(words, namespace, timeout, store, Desired.STOP)


@click.command(short_help="Delete an experiment with its trials, metrics and files")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME")
@namespace_option
@timeout_option
@store_option
def delete(words: tuple[str, ...], namespace: str, timeout: float, store: str) -> int:
    """Stop an experiment and remove all that is stored of it."""
    return _wish(words, namespace, timeout, store, Desired.DELETE)


def _wish(words: tuple[str, ...], namespace: str, timeout: float, store: str, desired: Desired) -> int:
    kind, name = split_name(words, KINDS, default="experiment")
    if kind != "experiment":
        raise click.UsageError(f"only experiments can be asked to {desired.value.lower()}, got {kind} {name!r}")
    with open_workshop(store) as workshop:
        key = Key(namespace, name)
        lifecycle.want(workshop.store, key, desired)
        done = _carry_out(workshop, key, desired, time.monotonic() + timeout)
    verb = {Desired.STOP: "stopped", Desired.DELETE: "deleted"}[desired]
    click.echo(f"experiment.kubeflow.org/{name} {verb if done else f'is being {verb}'}")
    return OK if done else TIME_OUT


def _carry_out(workshop: Workshop, key: Key, desired: Desired, deadline: float) -> bool:
    """Wait until the owner has done it, or do it here if there is no owner. Returns whether it is done."""
    while not _is_done(workshop, key, desired):
        controller = workshop.controller()
        try:
            controller.run(key)
        except LeaseHeldError:
            time.sleep(POLL_SECONDS)
        except NotFoundError:
            return True
        finally:
            controller.close()
        if time.monotonic() > deadline:
            return _is_done(workshop, key, desired)
    return True


def _is_done(workshop: Workshop, key: Key, desired: Desired) -> bool:
    try:
        experiment = workshop.store.get(key)
    except NotFoundError:
        return True
    return desired is Desired.STOP and (experiment.status.stopped or experiment.status.verdict is not None)
