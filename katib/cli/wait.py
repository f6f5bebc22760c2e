"""``katib wait``: until experiments or trials are in a condition, as ``kubectl wait``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import click

from katib.cli.exits import FAILED, OK, TIME_OUT
from katib.cli.output import print_object
from katib.cli.values import Duration
from katib.cli.workshop import (
    find_experiment,
    find_trial,
    namespace_option,
    newest_revision,
    open_workshop,
    output_option,
    split_names,
    store_option,
)
from katib.core.errors import NotFoundError, nearest_hint
from katib.core.experiment import Experiment
from katib.core.ports import Store
from katib.core.trial import Key, Trial, TrialState
from katib.engine import lifecycle
from katib.resources.projection import experiment_resource, resource_name, trial_resource
from katib.resources.status_conditions import experiment_conditions, trial_conditions

LOOK_SECONDS = 1.0  # between two looks where nothing is known to have changed
EXPERIMENT_CONDITIONS = ("Created", "Running", "Restarting", "Succeeded", "Failed", "Stopped")
TRIAL_CONDITIONS = ("Created", *(state.value for state in TrialState if state is not TrialState.PENDING))
COMPLETE = "Complete"
CONDITIONS = tuple(dict.fromkeys((*EXPERIMENT_CONDITIONS, *TRIAL_CONDITIONS, COMPLETE)))
DELETED, CREATED = "delete", "create"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is waited for: that a thing is gone or there, or that ``condition`` holds (or does not: ``holds``)."""

    text: str
    condition: str = ""
    holds: bool = True


class For(click.ParamType):  # type: ignore[type-arg]
    """``condition=TYPE[=true|false]``, ``complete``, ``create`` or ``delete``; in any case, as kubectl takes them."""

    name = "for"

    def convert(self, value: str | Wish, param: click.Parameter | None, ctx: click.Context | None) -> Wish:
        """The wish."""
        if isinstance(value, Wish):
            return value
        word, _, rest = value.partition("=")
        if not rest and word.lower() in (DELETED, CREATED):
            return Wish(word.lower())
        if not rest and word.lower() == COMPLETE.lower():
            return Wish(value, COMPLETE)
        name, _, status = rest.partition("=")
        known = {condition.lower(): condition for condition in CONDITIONS}
        if word.lower() != "condition" or status.lower() not in ("", "true", "false"):
            self.fail(f"got {value!r}, expected condition=TYPE, complete, create or delete", param, ctx)
        if name.lower() not in known:
            hint = nearest_hint(name, CONDITIONS)
            self.fail(f"unknown condition {name!r}{hint}; known: {', '.join(CONDITIONS)}", param, ctx)
        return Wish(value, known[name.lower()], status.lower() != "false")


@dataclass(frozen=True, slots=True)
class Thing:
    """An experiment, or one of its trials, as it is now; neither if it is not there."""

    kind: str
    name: str
    experiment: Experiment | None = None
    trial: Trial | None = None

    @property
    def known_as(self) -> str:
        """Its name as kubectl prints it."""
        return resource_name(self.kind, self.name)


@click.command(short_help="Wait until experiments or trials are in a condition")
@click.argument("words", nargs=-1, required=True, metavar="[KIND] NAME...")
@click.option(
    "--for",
    "wish",
    type=For(),
    required=True,
    metavar="condition=TYPE[=false]|complete|create|delete",
    help=f"TYPE is one of {', '.join(CONDITIONS)}",
)
@click.option(
    "--timeout",
    type=Duration(endless=True),
    default="60s",
    show_default=True,
    metavar="DURATION",
    help="Exit 4 then; 0 looks once, a negative one waits as long as it takes",
)
@namespace_option
@output_option("table", "json", "yaml", "name")
@store_option
def wait(words: tuple[str, ...], wish: Wish, timeout: float | None, namespace: str, output: str, store: str) -> int:
    """Wait until each NAME is as asked: an experiment, or a trial (trial/NAME).

    Complete means: has ended, whichever way. Exit status 1, at once, if an end makes the condition impossible (waiting
    for Succeeded, and it failed); 3 if something named does not exist; 4 when time is up.

    \b
    Examples:
      katib wait my-experiment --for=condition=Succeeded --timeout 10m
      katib wait my-experiment other-experiment --for=complete --timeout=-1s
      katib wait trial/my-experiment-x7k2m9qf --for=condition=Running
      katib wait my-experiment --for=delete
    """
    named = split_names(words)
    deadline = None if timeout is None else time.monotonic() + timeout
    with open_workshop(store) as workshop:
        since = newest_revision(workshop.store)
        for kind, name in named:
            thing = _await(workshop.store, _Place(namespace, kind, name), wish, deadline, since)
            status = _report(thing, wish, output)
            if status != OK:
                return status
    return OK


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a thing is looked for. kind: empty if the name alone must tell."""

    namespace: str
    kind: str
    name: str


def _await(store: Store, place: _Place, wish: Wish, deadline: float | None, since: int) -> Thing:
    """The thing as soon as its wish holds or cannot hold any more, or time is up."""
    while True:
        thing = _look(store, place, wish)
        left = LOOK_SECONDS if deadline is None else deadline - time.monotonic()
        if _holds(thing, wish) or _is_impossible(thing, wish) or left <= 0:
            return thing
        touched = store.changes(since, timeout=min(LOOK_SECONDS, left))
        since = max((each.revision for each in touched), default=since)


def _look(store: Store, place: _Place, wish: Wish) -> Thing:
    """Raises NotFoundError if it is not there, and its being there or not is not what is waited for."""
    missing: list[NotFoundError] = []
    if place.kind != "trial":
        try:
            return Thing("experiment", place.name, find_experiment(store, Key(place.namespace, place.name)))
        except NotFoundError as error:
            missing.append(error)
    if place.kind != "experiment":
        try:
            return Thing("trial", place.name, *find_trial(store, place.namespace, place.name))
        except NotFoundError as error:
            missing.append(error)
    if wish.condition:
        raise missing[0]
    return Thing(place.kind or "experiment", place.name)


def _conditions(thing: Thing) -> Iterator[str]:
    """What is true of a thing."""
    if thing.experiment is None:
        return
    found = trial_conditions(thing.trial) if thing.trial else experiment_conditions(thing.experiment)
    yield from (condition["type"] for condition in found if condition["status"] == "True")
    if _has_ended(thing):
        yield COMPLETE
    elif thing.trial is None and thing.experiment.status.stopped:
        yield "Stopped"


def _has_ended(thing: Thing) -> bool:
    if thing.trial is not None:
        return thing.trial.state.finished
    return thing.experiment is not None and thing.experiment.status.verdict is not None


def _holds(thing: Thing, wish: Wish) -> bool:
    if wish.text in (DELETED, CREATED):
        return (thing.experiment is None) is (wish.text == DELETED)
    return (wish.condition in _conditions(thing)) is wish.holds


def _is_impossible(thing: Thing, wish: Wish) -> bool:
    """Whether the thing has ended otherwise, for good."""
    may_go_on = thing.trial is None and thing.experiment is not None and lifecycle.may_restart(thing.experiment)
    return bool(wish.condition) and _has_ended(thing) and not may_go_on


def _report(thing: Thing, wish: Wish, output: str) -> int:
    if not _holds(thing, wish):
        if _is_impossible(thing, wish):
            end = thing.trial.state.value if thing.trial else thing.experiment.status.verdict.value  # type: ignore[union-attr]
            click.echo(f"error: {thing.known_as} has ended ({end}); {wish.text} cannot come true any more", err=True)
            return FAILED
        click.echo(f"error: timed out waiting for {wish.text} on {thing.known_as}", err=True)
        return TIME_OUT
    if output == "name" or (output != "table" and thing.experiment is None):
        click.echo(thing.known_as)
    elif output != "table" and thing.experiment is not None:
        resource = (
            trial_resource(thing.experiment, thing.trial) if thing.trial else experiment_resource(thing.experiment)
        )
        print_object(resource, output)
    else:
        met = {DELETED: "deleted", CREATED: "created"}.get(wish.text, "condition met")
        click.echo(f"{thing.known_as} {met}")
    return OK
