"""All that is special about SQLite: how a file is opened, and copied before it is changed."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Engine, create_engine, event

from katib.core.errors import SpecError
from katib.storage.database import Database

BUSY_TIMEOUT = 60.0  # seconds that a statement waits while another process writes
BEGIN_READ = "BEGIN"
BEGIN_WRITE = "BEGIN IMMEDIATE"  # the write lock first: a transaction that reads and then writes could not wait for it

_PRAGMAS = (
    "cache_size=-32768",  # KiB
    "wal_autocheckpoint=4000",  # pages: fewer, larger moves from the log into the file
    "journal_size_limit=67108864",  # bytes that a log keeps on disk once it was moved
    "cell_size_check=ON",  # notice damaged pages early
)


def open_database(url: str, *, durable: bool) -> Database:
    """The database file behind ``sqlite:///path``, made with its folder if missing."""
    path = _path(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None},  # None: transactions begin when we say so
        max_overflow=-1,  # one for each thread that asks
        pool_reset_on_return=None,  # transactions are ended by Database
    )
    _prepare_connections(engine, "FULL" if durable else "NORMAL")
    return Database(engine, BEGIN_READ, BEGIN_WRITE)


def back_up(engine: Engine, suffix: str) -> Path:
    """Copy the file, committed work in its log included, beside itself; written aside and renamed."""
    path = Path(str(engine.url.database))
    target = path.with_name(path.name + suffix)
    aside = target.with_name(target.name + ".part")
    aside.unlink(missing_ok=True)
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as source, closing(sqlite3.connect(aside)) as copy:
        source.backup(copy)
    os.replace(aside, target)
    return target


def _path(url: str) -> Path:
    """What follows ``sqlite:///``, as it stands: no character of a path means anything else here."""
    _, _, path = url.partition(":///")
    if path in ("", ":memory:"):
        raise SpecError(f"store: {url!r} names no file; expected sqlite:///path/to/katib.db, or memory://")
    return Path(path)


def _prepare_connections(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        _write_ahead(connection)
        for pragma in (f"synchronous={synchronous}", *_PRAGMAS):
            connection.execute(f"PRAGMA {pragma}")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch the file to a write-ahead log. SQLite does not wait for others here, so this does."""
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
