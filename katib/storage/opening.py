"""From a URL to a store and its leases. The kinds are looked up by name, so ``memory://`` loads no database library."""

from __future__ import annotations

from typing import NamedTuple

from katib.core.errors import SpecError
from katib.core.naming import load
from katib.core.ports import Leases, LoggedStore

KINDS = {
    "sqlite": "katib.storage.sql:open_sqlite",
    "memory": "katib.storage.memory:open_memory",
}


class Opened(NamedTuple):
    """A store and the leases of the same database. ``store.close()`` gives back what both hold."""

    store: LoggedStore
    leases: Leases


def open_store(url: str, *, durable: bool = False) -> Opened:
    """Open ``sqlite:///relative/path``, ``sqlite:////absolute/path`` (made if missing) or ``memory://`` (always empty).

    durable: a commit that has returned survives the loss of power (SQLite ``synchronous=FULL``); without it, the death
    of the process (``NORMAL``: the loss of power may take the last commits, whole ones). Raises SpecError or
    UnknownNameError on a bad URL, PermanentError if a newer version of this program wrote the database,
    CorruptRecordError if the file is no database, UnavailableError if it cannot be opened.
    """
    kind, separator, _ = url.partition("://")
    if not separator:
        raise SpecError(f"store: got {url!r}, expected a URL such as sqlite:///path/to/katib.db or memory://")
    store, leases = load("kind of store", kind, KINDS)(url, durable=durable)
    return Opened(store, leases)
