"""What the tests let other processes do to a store; run by ``multiprocessing`` with the method ``spawn``."""

from __future__ import annotations

import itertools
from dataclasses import replace
from multiprocessing.connection import Connection

from katib.core.changes import Changes, TrialChange
from katib.core.errors import ConflictError
from katib.core.experiment import Budget, ExperimentStatus
from katib.core.trial import Key, TrialState
from katib.storage import open_store
from tests.contracts.store_contract import create, measured, trial


def open_and_create(url: str, name: str) -> None:
    """Open what may be an empty database, and store an experiment."""
    store, _ = open_store(url)
    create(store, Key("team", name))
    store.close()


def spend(url: str, key: Key, rounds: int) -> None:
    """Raise the budget of ``key`` by one, ``rounds`` times, by compare-and-set."""
    store, _ = open_store(url)
    for _ in range(rounds):
        while True:
            read = store.get(key)
            raised = replace(read, budget=Budget(read.budget.parallel + 1))
            try:
                store.commit(Changes(key, raised), expected=read.generation)
                break
            except ConflictError:
                continue
    store.close()


def add_one_by_one(url: str, key: Key, count: int, told: Connection) -> None:
    """Commit ``count`` trials, and tell the revisions."""
    store, _ = open_store(url)
    revisions = []
    for number in range(count):
        change = TrialChange(trial(number, key.name))
        revisions.append(store.commit(Changes(key, trials=(change,))).revision)
    told.send(revisions)
    store.close()


def record_for_ever(url: str, key: Key, told: Connection) -> None:
    """Commit a trial with two measurements and the status that counts it, again and again; tell each that is in."""
    store, _ = open_store(url)
    for number in itertools.count(len(store.trials(key))):
        status = ExperimentStatus({TrialState.PENDING: number + 1})
        store.commit(Changes(key, status=status, trials=(measured(trial(number), 0.5, 0.4),)))
        told.send(number + 1)
