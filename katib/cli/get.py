"""``katib get``: lists of experiments, trials and suggestions, once or as they change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from katib.cli.main import OK
from katib.cli.output import age, latest, number, parameters, print_object, print_table
from katib.cli.workshop import KINDS, experiment_of, namespace_option, open_workshop, output_option, store_option
from katib.core.changes import Touched
from katib.core.errors import NotFoundError
from katib.core.experiment import Experiment
from katib.core.ports import Store
from katib.core.trial import Key, Trial
from katib.engine.plan import Tally
from katib.resources.projection import (
    condition_of,
    experiment_resource,
    list_resource,
    resource_name,
    suggestion_resource,
    trial_resource,
)

WATCH_SECONDS = 3600.0
TRUE = "True"  # Katib's tables show an object's newest condition, which is always one that holds
HEADERS = {
    "experiment": ("NAME", "TYPE", "STATUS", "AGE"),
    "trial": ("NAME", "TYPE", "STATUS", "AGE"),
    "suggestion": ("NAME", "TYPE", "STATUS", "REQUESTED", "ASSIGNED", "AGE"),
}
WIDE = {
    "experiment": ("TRIALS", "FAILED", "BEST", "OBJECTIVE", "ALGORITHM"),
    "trial": ("LATEST", "VALUE", "ATTEMPT", "PARAMETERS", "REASON"),
    "suggestion": ("ALGORITHM",),
}
Item = tuple[Experiment, Trial | None]


@dataclass(frozen=True, slots=True)
class Query:
    """What was asked for, and how it is to be shown."""

    kind: str
    name: str | None
    namespace: str
    all_namespaces: bool
    output: str
    watch: bool
    store: str

    @property
    def scope(self) -> str | None:
        """The namespace to look in, None for all."""
        return None if self.all_namespaces else self.namespace

    @property
    def key(self) -> Key:
        """The key of the experiment that has the name asked for."""
        return Key(self.namespace, self.name or "")


@click.command(short_help="List experiments, trials or suggestions")
@click.argument("kind", metavar="experiments|trials|suggestions")
@click.argument("name", required=False)
@namespace_option
@click.option("-A", "--all-namespaces", is_flag=True, help="Every namespace")
@output_option("table", "wide", "json", "yaml", "name")
@click.option("-w", "--watch", is_flag=True, help="Go on, and print what changes")
@store_option
def get(kind: str, name: str | None, **flags: Any) -> int:
    """List objects, or show one.

    For trials, NAME is an experiment (all its trials) or a trial. KIND/NAME works too.
    """
    kind, _, inline_name = kind.partition("/")
    singular = KINDS.get(kind.lower())
    if singular is None:
        raise click.UsageError(f"got {kind!r}, expected one of experiments, trials, suggestions")
    query = Query(singular, name or inline_name or None, **flags)
    with open_workshop(query.store) as workshop:
        items = _find(workshop.store, query)
        _print(workshop.store, query, items, single=_is_single(query, items))
        if query.watch:
            _watch(workshop.store, query)
    return OK


def _is_single(query: Query, items: Sequence[Item]) -> bool:
    """Whether the answer is one object rather than a List of them."""
    if query.name is None:
        return False
    return query.kind != "trial" or (len(items) == 1 and items[0][1] is not None and items[0][1].name == query.name)


def _find(store: Store, query: Query) -> list[Item]:
    """What was asked for. Raises NotFoundError if a name was given and nothing has it."""
    if query.kind != "trial":
        experiments = [store.get(query.key)] if query.name else list(_all(store, query.scope))
        return [(experiment, None) for experiment in experiments]
    if query.name is None:
        return [(e, t) for e in _all(store, query.scope) for t in _by_number(store, e)]
    try:
        experiment = store.get(query.key)
    except NotFoundError:
        key = experiment_of(query.name, query.namespace)
        return [(store.get(key), store.trial(key, query.name))]
    return [(experiment, trial) for trial in _by_number(store, experiment)]


def _all(store: Store, namespace: str | None) -> Iterator[Experiment]:
    cont = ""
    while True:
        page = store.list(namespace, cont=cont)
        yield from page.items
        if not (cont := page.cont):
            return


def _by_number(store: Store, experiment: Experiment) -> list[Trial]:
    return sorted(store.trials(experiment.key), key=lambda trial: trial.number)


def _print(store: Store, query: Query, items: Sequence[Item], *, single: bool) -> None:
    kind = query.kind
    if query.output == "name":
        for experiment, trial in items:
            click.echo(resource_name(kind, trial.name if trial else experiment.key.name))
    elif query.output in ("json", "yaml"):
        resources = [_resource(store, kind, item) for item in items]
        print_object(resources[0] if single else list_resource(kind, resources), query.output)
    elif not items:
        click.echo(f"no {kind}s found", err=True)
    else:
        wide = query.output == "wide"
        print_table(HEADERS[kind] + (WIDE[kind] if wide else ()), [_row(kind, item, wide=wide) for item in items])


def _resource(store: Store, kind: str, item: Item) -> dict[str, Any]:
    experiment, trial = item
    if trial is not None:
        return trial_resource(experiment, trial)
    trials = _by_number(store, experiment)
    return (experiment_resource if kind == "experiment" else suggestion_resource)(experiment, trials)


def _row(kind: str, item: Item, *, wide: bool) -> list[str]:
    experiment, trial = item
    if trial is not None:
        return _trial_row(experiment, trial, wide=wide)
    condition, _ = condition_of(experiment)
    name, old = experiment.key.name, age(experiment.created)
    counts = experiment.status.counts
    if kind == "suggestion":
        total = str(sum(counts.values()))
        return [name, condition, TRUE, total, total, old, *([experiment.spec.algorithm.name] if wide else [])]
    row = [name, condition, TRUE, old]
    if wide:
        limit = experiment.budget.max_trials
        tally = Tally(counts)
        row += [
            f"{tally.completed}/{limit}" if limit is not None else str(tally.completed),
            str(tally.failed),
            number(experiment.status.best_value),
            f"{experiment.spec.objective.direction.value} {experiment.spec.objective.metric}",
            experiment.spec.algorithm.name,
        ]
    return row


def _trial_row(experiment: Experiment, trial: Trial, *, wide: bool) -> list[str]:
    objective = experiment.spec.objective
    row = [trial.name, trial.state.value, TRUE, age(trial.created)]
    if wide:
        row += [
            number(latest(objective, trial)),
            number(objective.value(trial.observation)),
            str(trial.attempt),
            parameters(trial),
            trial.reason,
        ]
    return row


def _watch(store: Store, query: Query) -> None:
    """Print a row for each change, until interrupted."""
    since = max((touched.revision for touched in store.changes(0)), default=0)
    while True:
        for touched in store.changes(since, timeout=WATCH_SECONDS):
            since = touched.revision
            if touched.deleted or not _concerns(query, touched):
                continue
            experiment = store.get(touched.key)
            item = (experiment, store.trial(touched.key, touched.trial) if touched.trial else None)
            if query.output in ("table", "wide"):
                click.echo("   ".join(_row(query.kind, item, wide=query.output == "wide")))
            else:
                _print(store, query, [item], single=True)


def _concerns(query: Query, touched: Touched) -> bool:
    if query.scope is not None and touched.key.namespace != query.scope:
        return False
    if bool(touched.trial) != (query.kind == "trial"):
        return False
    return query.name is None or query.name in (touched.key.name, touched.trial)
