"""Whether a database has the tables that this code needs. Up to date is the common case, and costs one small read:
Alembic is loaded only when there is something to change."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from katib.core.errors import PermanentError
from katib.core.naming import load
from katib.storage.database import Database
from katib.storage.schema import MAKING_TABLE, VERSION, VERSION_TABLE

_MIGRATE = "katib.storage.migrate:migrate"


def ensure_schema(database: Database) -> None:
    """Make the tables if there are none, and bring older ones up to date where nobody else can be using them.

    Raises PermanentError if a newer version of this program made them, or an older one on a server.
    """
    with database.translated_errors():
        with database.engine.connect() as connection:
            current = stored_version(connection)
        if current not in (None, VERSION) and not database.upgrades_itself:
            raise PermanentError(
                f"database {database.name} has version {current} of the tables, this program needs {VERSION}: "
                "end every katib that uses it, back it up, then run: katib store migrate"
            )
        if current != VERSION:
            load("migration", _MIGRATE, {})(database)


def is_current(database: Database) -> bool:
    """Whether its tables are there and of this version. Raises PermanentError if they are of a newer one."""
    with database.translated_errors(), database.engine.connect() as connection:
        return stored_version(connection) == VERSION


def stored_version(connection: Connection) -> str | None:
    """The version of the tables, None if there are none. Raises PermanentError if it is not of the past."""
    there = inspect(connection).get_table_names()
    if VERSION_TABLE not in there or MAKING_TABLE in there:
        return None
    version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    if version is not None and not (version.isdigit() and version <= VERSION):
        raise PermanentError(
            f"the database has version {version} of the tables, this program knows versions up to {VERSION}: "
            "a newer version of it made them"
        )
    return None if version is None else str(version)
