"""Runs the Alembic migrations. A module of its own because loading Alembic takes longer than opening a store."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from katib.storage import sqlite
from katib.storage.database import Database
from katib.storage.schema import VERSION
from katib.storage.version import stored_version

SCRIPTS = Path(__file__).parent / "migrations"


def migrate(database: Database) -> None:
    """Bring the tables to ``VERSION`` in one transaction; processes that come together wait for the first.

    A SQLite file with an older version is copied beside itself first.
    """
    with database.engine.connect() as connection:
        connection.exec_driver_sql(database.begin_write)
        current = stored_version(connection)
        if current == VERSION:
            return
        if current is not None:
            sqlite.back_up(database.engine, f".version-{current}.bak")
        command.upgrade(alembic_config(connection), "head")
        connection.commit()


def alembic_config(connection: Connection) -> Config:
    """Settings of Alembic for one open connection."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
