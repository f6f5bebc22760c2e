"""Names that begin with given letters, for a shell that completes a word: quick, so SQLite is asked without the
database library, and reading only. What cannot be read has no names."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from typing import NamedTuple
from urllib.parse import quote

from katib.core.errors import KatibError
from katib.core.trial import Key
from katib.storage.opening import has_tables, open_store

MOST = 200  # names of each kind; nobody reads more
_BEYOND = "\U0010ffff"


class Names(NamedTuple):
    """Names in order of the alphabet."""

    experiments: list[str]
    trials: list[str]


def names_like(url: str, namespace: str, prefix: str) -> Names:
    """The first names of experiments and trials of a namespace that begin with ``prefix``."""
    try:
        if url.startswith("sqlite:///"):
            return _in_sqlite(url.removeprefix("sqlite:///"), namespace, prefix)
        return _in_store(url, namespace, prefix)
    except (sqlite3.Error, KatibError, OSError):
        return Names([], [])


def _in_sqlite(path: str, namespace: str, prefix: str) -> Names:
    between = "WHERE namespace = ? AND name >= ? AND name < ? ORDER BY name LIMIT ?"
    place = (namespace, prefix, prefix + _BEYOND, MOST)
    with closing(sqlite3.connect(f"file:{quote(path)}?mode=rw", uri=True, timeout=1.0)) as connection:
        connection.execute("PRAGMA query_only = ON")
        tables = ("experiments", "trials")  # as the schema has them, each with an index by namespace and name
        found = [[row[0] for row in connection.execute(f"SELECT name FROM {t} {between}", place)] for t in tables]  # noqa: S608
    return Names(*found)


def _in_store(url: str, namespace: str, prefix: str) -> Names:
    if not has_tables(url):  # to open the store would make them
        return Names([], [])
    with closing(open_store(url).store) as store:
        experiments = [experiment.key.name for experiment in store.list(namespace).items]
        likely = (name for name in experiments if prefix.startswith(f"{name}-"))
        trials = (t.name for name in likely for t in store.numbered(Key(namespace, name), 0, MOST))
        return Names(_first(experiments, prefix), _first(trials, prefix))


def _first(names: Iterable[str], prefix: str) -> list[str]:
    return sorted(islice((name for name in names if name.startswith(prefix)), MOST))
