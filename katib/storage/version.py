"""Whether a database has the tables that this code needs. Up to date is the common case, and costs one small read:
Alembic is loaded only when there is something to change."""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text

from katib.core.errors import PermanentError
from katib.core.naming import load
from katib.storage.database import Database, translated_errors
from katib.storage.schema import VERSION, VERSION_TABLE

_MIGRATE = "katib.storage.migrate:migrate"


def ensure_schema(database: Database) -> None:
    """Bring the tables up to date. Raises PermanentError if a newer version of this program made them."""
    with translated_errors():
        with database.engine.connect() as connection:
            current = stored_version(connection)
        if current != VERSION:
            load("migration", _MIGRATE, {})(database)


def stored_version(connection: Connection) -> str | None:
    """The version of the tables, None if there are none. Raises PermanentError if it is not of the past."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    version = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()  # noqa: S608
    if version is not None and not (version.isdigit() and version <= VERSION):
        raise PermanentError(
            f"the database has version {version} of the tables, this program knows versions up to {VERSION}: "
            "a newer version of it made them"
        )
    return None if version is None else str(version)
