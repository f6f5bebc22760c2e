"""Experiments and trials by their names; what is not there is answered with the nearest name that is."""

from __future__ import annotations

from collections.abc import Iterator

from katib.core.errors import NotFoundError, nearest_hint
from katib.core.experiment import Experiment
from katib.core.ports import Store
from katib.core.texts import in_namespace
from katib.core.trial import Key, Trial

HINTED = 1000  # names that a misspelt one is compared with


def every_experiment(store: Store, namespace: str | None = None) -> Iterator[Experiment]:
    """All experiments of a namespace, None for any, page by page."""
    cont = ""
    while True:
        page = store.list(namespace, cont=cont)
        yield from page.items
        if not (cont := page.cont):
            return


def find_experiment(store: Store, key: Key) -> Experiment:
    """The experiment. Raises NotFoundError with the nearest name that there is."""
    try:
        return store.get(key)
    except NotFoundError:
        names = [experiment.key.name for experiment in store.list(key.namespace).items]
        hint = nearest_hint(key.name, names)
        raise NotFoundError(f"no experiment {key.name!r} in namespace {key.namespace!r}{hint}") from None


def find_trial(store: Store, namespace: str, name: str) -> tuple[Experiment, Trial]:
    """The trial and its experiment, by the trial's name: ``<experiment>-<8 characters>``. Raises NotFoundError."""
    key = Key(namespace, name.rpartition("-")[0])
    try:
        return store.get(key), store.trial(key, name)
    except NotFoundError:
        raise NotFoundError(f"no trial {name!r} in namespace {namespace!r}{_hint(store, namespace, name)}") from None


def _hint(store: Store, namespace: str, name: str) -> str:
    experiments = [experiment.key.name for experiment in store.list(namespace).items]
    if name in experiments:
        return f"; it is an experiment, see: katib get trials {name}{in_namespace(namespace)}"
    parent = name.rpartition("-")[0]
    trials = [trial.name for trial in store.trials(Key(namespace, parent))] if parent in experiments else []
    return nearest_hint(name, trials[:HINTED] or experiments)
