"""From a URL to a store and its leases. The kinds are looked up by name, so that no library is loaded but what the URL
needs, and ``memory://`` loads no database library at all."""

from __future__ import annotations

from contextlib import closing
from typing import Any, NamedTuple

from katib.core.errors import SpecError
from katib.core.naming import load
from katib.core.ports import Leases
from katib.core.store_ports import LoggedStore
from katib.storage.findings import Migrated, Report

_POSTGRESQL = "katib.storage.postgresql:open_database"
_MYSQL = "katib.storage.mysql:open_database"
KINDS = {
    "memory": "katib.storage.memory:open_memory",
    "sqlite": "katib.storage.sqlite:open_database",
    "postgresql": _POSTGRESQL,
    "postgres": _POSTGRESQL,
    "postgresql+psycopg": _POSTGRESQL,
    "mysql": _MYSQL,
    "mysql+pymysql": _MYSQL,
    "mariadb": _MYSQL,
    "mariadb+pymysql": _MYSQL,
}
_STORE = "katib.storage.sql:open_sql"
_MIGRATE = "katib.storage.migrate:migrate"
_IS_CURRENT = "katib.storage.version:is_current"
_CHECK = "katib.storage.check:check"


class Opened(NamedTuple):
    """A store and the leases of the same database. ``store.close()`` gives back what both hold."""

    store: LoggedStore
    leases: Leases


def open_store(url: str, *, durable: bool = False) -> Opened:
    """Open ``sqlite:///relative/path``, ``sqlite:////absolute/path`` (made if missing), ``memory://`` (always empty),
    ``postgresql://USER:PASSWORD@HOST/DATABASE`` or ``mysql://…``, ``mariadb://…``. Tables are made if there are none.

    durable: a commit that has returned survives the loss of power (SQLite ``synchronous=FULL``); without it, the death
    of the process (``NORMAL``: the loss of power may take the last commits, whole ones). A server's own settings decide
    there. Raises SpecError or UnknownNameError on a bad URL, MissingExtraError if the driver is not installed,
    PermanentError if the server refuses us or another version of this program made the tables, CorruptRecordError if
    the file is no database, UnavailableError if it cannot be opened or reached.
    """
    if _kind(url) == "memory":
        return Opened(*load("kind of store", "memory", KINDS)(url, durable=durable))
    return Opened(*load("store", _STORE, {})(_open_database(url, durable=durable)))


def migrate_store(url: str) -> Migrated:
    """Bring the tables to this program's version. Raises as ``open_store``, LeaseHeldError while experiments run."""
    with closing(_open_database(url)) as database:
        migrated: Migrated = load("migration", _MIGRATE, {})(database)
        return migrated


def has_tables(url: str) -> bool:
    """Whether the database has this version's tables; makes none. Raises as ``open_store``."""
    with closing(_open_database(url)) as database:
        is_current: bool = load("version", _IS_CURRENT, {})(database)
        return is_current


def check_store(url: str) -> Report:
    """Read every record, and name those that are damaged. Raises as ``open_store``; changes nothing."""
    with closing(_open_database(url)) as database:
        report: Report = load("check", _CHECK, {})(database)
        return report


def _open_database(url: str, *, durable: bool = False) -> Any:
    """A ``katib.storage.database.Database``, whose class is loaded with it."""
    if _kind(url) == "memory":
        raise SpecError(f"store: {url} is always new and empty; there is nothing to migrate or check")
    return load("kind of store", _kind(url), KINDS)(url, durable=durable)


def _kind(url: str) -> str:
    kind, separator, _ = url.partition("://")
    if not separator:
        got = "a text with '@'" if "@" in url else repr(url)  # there may be a password in it
        raise SpecError(
            f"store: got {got}, expected a URL such as sqlite:///path/to/katib.db, memory:// or "
            "postgresql://USER:PASSWORD@HOST/DATABASE"
        )
    return kind
