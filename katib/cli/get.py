"""``katib get``: lists of experiments, trials and suggestions, once or as they change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from katib.cli.columns import Columns, Item
from katib.cli.exits import OK
from katib.cli.output import TablePrinter, print_object, print_table
from katib.cli.workshop import (
    every_experiment,
    find_experiment,
    find_trial,
    kind_of,
    namespace_option,
    newest_revision,
    open_workshop,
    output_option,
    store_option,
)
from katib.core.changes import Touched
from katib.core.errors import NotFoundError
from katib.core.experiment import Experiment
from katib.core.ports import Store
from katib.core.trial import Key, Trial
from katib.resources.projection import (
    experiment_resource,
    list_resource,
    resource_name,
    suggestion_resource,
    trial_resource,
)

WATCH_SECONDS = 3600.0


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

    @property
    def columns(self) -> Columns:
        """What a table shows."""
        return Columns(self.kind, wide=self.output == "wide", namespaces=self.all_namespaces)


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

    For trials, NAME is an experiment (all its trials) or a trial. KIND/NAME works too, and so do kubectl's other
    spellings of a kind.
    """
    kind, _, inline_name = kind.partition("/")
    query = Query(kind_of(kind), name or inline_name or None, **flags)
    if query.all_namespaces and query.name:
        raise click.UsageError("a NAME cannot be looked up across all namespaces; use -n NAMESPACE")
    with open_workshop(query.store) as workshop:
        store = workshop.store
        since = newest_revision(store) if query.watch else 0
        items = _find(store, query)
        if query.watch:
            _watch(store, query, items, since)
        else:
            _print(store, query, items)
    return OK


def _find(store: Store, query: Query) -> list[Item]:
    """What was asked for. Raises NotFoundError if a name was given and nothing has it."""
    if query.kind != "trial":
        experiments = [find_experiment(store, query.key)] if query.name else list(every_experiment(store, query.scope))
        return [(experiment, None) for experiment in experiments]
    if query.name is None:
        return [(e, t) for e in every_experiment(store, query.scope) for t in _by_number(store, e)]
    try:
        experiment = store.get(query.key)
    except NotFoundError:
        return [find_trial(store, query.namespace, query.name)]
    return [(experiment, trial) for trial in _by_number(store, experiment)]


def _by_number(store: Store, experiment: Experiment) -> list[Trial]:
    return sorted(store.trials(experiment.key), key=lambda trial: trial.number)


def _print(store: Store, query: Query, items: Sequence[Item]) -> None:
    if query.output in ("json", "yaml"):
        resources = [_resource(store, query.kind, item) for item in items]
        kind = query.kind.capitalize()
        print_object(resources[0] if _is_single(query, items) else list_resource(kind, resources), query.output)
    elif query.output == "name":
        for item in items:
            click.echo(_name(query, item))
    elif not items:
        where = "any namespace" if query.all_namespaces else f"namespace {query.namespace!r}"
        place = f"experiment {query.name!r}" if query.name else where
        click.echo(f"no {query.kind}s found in {place}", err=True)
    else:
        columns = query.columns
        print_table(columns.header, [columns.row(item) for item in items])


def _is_single(query: Query, items: Sequence[Item]) -> bool:
    """Whether the answer is one object rather than a List of them."""
    if query.name is None:
        return False
    return query.kind != "trial" or any(trial is not None and trial.name == query.name for _, trial in items)


def _resource(store: Store, kind: str, item: Item) -> dict[str, Any]:
    experiment, trial = item
    if trial is not None:
        return trial_resource(experiment, trial)
    trials = _by_number(store, experiment)
    return (experiment_resource if kind == "experiment" else suggestion_resource)(experiment, trials)


def _name(query: Query, item: Item) -> str:
    experiment, trial = item
    return resource_name(query.kind, trial.name if trial else experiment.key.name)


def _watch(store: Store, query: Query, items: Sequence[Item], since: int) -> None:
    """Print the objects, and then each one again whenever it changes, until interrupted."""
    rows = _ChangedRows(query.columns)
    while True:
        if query.output in ("table", "wide"):
            rows.print(items)
        else:
            for item in items:
                _print_alone(store, query, item)
        touched = store.changes(since, timeout=WATCH_SECONDS)
        since = max((each.revision for each in touched), default=since)
        items = [item for each in touched for item in _touched(store, query, each)]


class _ChangedRows:
    """Prints the rows of a watch: those whose cells, but for the age, are not as they were printed last."""

    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._table = TablePrinter()
        self._header = [columns.header]
        self._shown: dict[tuple[Key, str], tuple[str, ...]] = {}

    def print(self, items: Sequence[Item]) -> None:
        """Print what is new of ``items``, the header first."""
        rows = []
        for experiment, trial in items:
            row = self._columns.row((experiment, trial))
            place, cells = (experiment.key, trial.name if trial else ""), self._columns.without_age(row)
            if self._shown.get(place) != cells:
                self._shown[place] = cells
                rows.append(row)
        self._table.print([*self._header, *rows])
        self._header = []


def _print_alone(store: Store, query: Query, item: Item) -> None:
    if query.output == "name":
        click.echo(_name(query, item))
    else:
        if query.output == "yaml":
            click.echo("---")
        print_object(_resource(store, query.kind, item), query.output)


def _touched(store: Store, query: Query, touched: Touched) -> list[Item]:
    """The object of a change that was asked for; none if it is another one, or gone."""
    if touched.deleted or touched.document or query.scope not in (None, touched.key.namespace):
        return []
    if bool(touched.trial) != (query.kind == "trial"):
        return []
    if query.name is not None and query.name not in (touched.key.name, touched.trial):
        return []
    try:
        return [(store.get(touched.key), store.trial(touched.key, touched.trial) if touched.trial else None)]
    except NotFoundError:
        return []
