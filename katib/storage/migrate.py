"""Runs the Alembic migrations. A module of its own because loading Alembic takes longer than opening a store."""

from __future__ import annotations

import time
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, Integer, MetaData, Table, inspect, select, update

from katib.core.errors import LeaseHeldError, PermanentError
from katib.storage import document_tables, observation_log_tables  # noqa: F401  they are among metadata's
from katib.storage.database import Database
from katib.storage.findings import Migrated
from katib.storage.leases import is_gone
from katib.storage.rules import NOBODY
from katib.storage.schema import MAKING_TABLE, VERSION, VERSION_TABLE, leases, metadata
from katib.storage.version import stored_version

SCRIPTS = Path(__file__).parent / "migrations"
_MAKING = Table(MAKING_TABLE, MetaData(), Column("id", Integer))


def migrate(database: Database) -> Migrated:
    """Bring the tables to ``VERSION``; processes that come together wait for the first.

    Older tables are copied first where that is for us to do, and only touched while nobody runs an experiment; whoever
    ran one is fenced off then, so that no older program can write into newer tables. Raises LeaseHeldError, and
    PermanentError if the tables are of a newer version or somebody else's.
    """
    with database.translated_errors(), database.engine.connect() as connection, database.schema_lock(connection):
        current = stored_version(connection)
        if current == VERSION:
            return Migrated(database.name, current, VERSION)
        if current is None:
            _make_room(connection, database)
        else:
            _refuse_while_in_use(connection, current)
            database.back_up(f".version-{current}.bak")
        command.upgrade(alembic_config(connection, database.transactional_ddl), "head")
        if current is None:
            _MAKING.drop(connection, checkfirst=True)
        else:
            connection.execute(update(leases).values(holder=NOBODY, fence=leases.c.fence + 1, expires=0.0))
        connection.commit()
        return Migrated(database.name, current, VERSION)


def alembic_config(connection: Connection, transactional_ddl: bool = True) -> Config:
    """Settings of Alembic for one open connection."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["transactional_ddl"] = transactional_ddl
    return config


def _make_room(connection: Connection, database: Database) -> None:
    """Refuse a database in which somebody else has tables of our names. Where making them is not one transaction, note
    that it has begun, and remove what a process left that died while it did."""
    there = set(inspect(connection).get_table_names())
    if MAKING_TABLE in there:
        metadata.drop_all(connection)
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {VERSION_TABLE}")
    elif taken := sorted(there & set(metadata.tables)):
        raise PermanentError(
            f"database {database.name}: somebody else has made tables of these names: {', '.join(taken)}; "
            "give katib a database of its own"
        )
    elif not database.transactional_ddl:
        _MAKING.create(connection)


def _refuse_while_in_use(connection: Connection, current: str) -> None:
    """An older program that runs an experiment would go on writing as it knows how."""
    held = select(leases.c.namespace, leases.c.name, leases.c.holder).where(
        leases.c.holder != NOBODY, leases.c.expires > time.time()
    )
    for namespace, name, holder in connection.execute(held):
        if not is_gone(holder):
            raise LeaseHeldError(
                f"the tables have version {current} and cannot be brought to {VERSION} while experiment "
                f"{namespace}/{name} is run by {holder}: wait for its end, or stop it"
            )
