"""All that is special about SQLite: how a file is opened, and copied before it is changed."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import PoolProxiedConnection

from katib.core.errors import CorruptRecordError, KatibError, NotFoundError, SpecError
from katib.storage.database import Database

BUSY_TIMEOUT = 60.0  # seconds that a statement waits while another process writes
NOT_TEXT = "Could not decode"  # how the driver words a damaged text, as an OperationalError

_PRAGMAS = (
    "cache_size=-32768",  # KiB
    "wal_autocheckpoint=4000",  # pages: fewer, larger moves from the log into the file
    "journal_size_limit=67108864",  # bytes that a log keeps on disk once it was moved
    "cell_size_check=ON",  # notice damaged pages early
)


class SqliteDatabase(Database):
    """A database file. Each thread keeps a connection of its own, which costs less than a pool."""

    begin_read = "BEGIN"
    begin_write = "BEGIN IMMEDIATE"  # the write lock first: one that reads and then writes could not wait for it
    upgrades_itself = True

    def __init__(self, engine: Engine) -> None:
        """engine: of the file."""
        super().__init__(engine, str(engine.url.database))
        self._mine = threading.local()
        self._open: WeakSet[PoolProxiedConnection] = WeakSet()  # a thread that ends drops its own

    @contextmanager
    def schema_lock(self, connection: Connection) -> Iterator[None]:
        """The transaction itself is the lock."""
        connection.exec_driver_sql(self.begin_write)
        yield

    def must_exist(self) -> None:
        """Opening makes the file."""
        if not Path(self.name).exists():
            raise NotFoundError(f"there is no file {self.name}")

    def back_up(self, suffix: str) -> None:
        """Copy the file, committed work in its log included, beside itself; written aside and renamed."""
        path = Path(self.name)
        target = path.with_name(path.name + suffix)
        aside = target.with_name(target.name + ".part")
        aside.unlink(missing_ok=True)
        _make_private(aside)
        with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT)) as source, closing(sqlite3.connect(aside)) as copy:
            source.backup(copy)
        os.replace(aside, target)

    def kind_of_error(self, cause: BaseException) -> type[KatibError] | None:
        """A plain DatabaseError is a malformed file; UnicodeDecodeError is about the words of a damaged schema."""
        if NOT_TEXT in str(cause):
            return CorruptRecordError
        damaged = isinstance(cause, sqlite3.DatabaseError | UnicodeDecodeError)
        return super().kind_of_error(cause) or (CorruptRecordError if damaged else None)

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in list(self._open):
            connection.invalidate()
        self._mine = threading.local()
        super().close()

    def _connection(self) -> PoolProxiedConnection:
        try:
            connection: PoolProxiedConnection = self._mine.connection
        except AttributeError:
            connection = self._mine.connection = super()._connection()
            self._open.add(connection)
        return connection

    def _give_back(self, connection: PoolProxiedConnection) -> None:
        """The thread keeps it, unless it was closed."""
        if not connection.is_valid:
            del self._mine.connection


def open_database(url: str, *, durable: bool) -> Database:
    """The database file behind ``sqlite:///path``; the first connection makes it with its folder if missing."""
    path = _path(url)
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        connect_args={"timeout": BUSY_TIMEOUT, "isolation_level": None},  # None: transactions begin when we say so
        max_overflow=-1,  # one for each thread that asks
        pool_reset_on_return=None,  # transactions are ended by Database
    )
    _prepare_connections(engine, "FULL" if durable else "NORMAL")
    return SqliteDatabase(engine)


def _path(url: str) -> Path:
    """What follows ``sqlite:///``, as it stands: no character of a path means anything else here."""
    _, _, path = url.partition(":///")
    if path in ("", ":memory:"):
        raise SpecError(f"store: {url!r} names no file; expected sqlite:///path/to/katib.db, or memory://")
    return Path(path)


def _prepare_connections(engine: Engine, synchronous: str) -> None:
    @event.listens_for(engine, "do_connect")
    def make_file(*_arguments: object) -> None:
        path = Path(str(engine.url.database))
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(path)

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        _write_ahead(connection)
        for pragma in (f"synchronous={synchronous}", *_PRAGMAS):
            connection.execute(f"PRAGMA {pragma}")


def _make_private(path: Path) -> None:
    """Make the empty file, for its owner alone: an experiment may carry passwords in the environment of its trials.

    SQLite gives the files beside it the same mode, and says itself what is wrong with a file that cannot be made. One
    that is there is never opened: to close it would drop the locks that other threads have on it.
    """
    if path.exists():
        return
    with suppress(OSError):
        descriptor, aside = mkstemp(dir=path.parent, prefix=f".{path.name}.")
        os.close(descriptor)
        try:
            os.link(aside, path)
        finally:
            os.unlink(aside)


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
