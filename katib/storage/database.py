"""Transactions and statements on any SQL database: the only place that touches a driver.

Statements are built in SQLAlchemy Core, compiled once, and then run on the driver's own cursor: through Core's
``execute`` each would cost ten times as much, and a commit of the store runs six. Errors of the driver are turned into
the project's here, by one table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, NamedTuple
from weakref import WeakSet

from sqlalchemy import Engine
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import Executable

from katib.core.errors import ConflictError, CorruptRecordError, KatibError, UnavailableError
from katib.storage.statements import BUMP, LOCK

# Names of the classes of a driver's errors (PEP 249), most special first -> ours. A plain DatabaseError of SQLite is a
# malformed file. Programming errors are bugs and stay what they are.
ERRORS: Mapping[str, type[KatibError]] = {
    "IntegrityError": ConflictError,
    "OperationalError": UnavailableError,
    "InternalError": UnavailableError,
    "DatabaseError": CorruptRecordError,
    "UnicodeDecodeError": CorruptRecordError,  # in the words of an error about a damaged schema
}
NOT_TEXT = "Could not decode"  # how SQLite's driver words a damaged text, as an OperationalError


class Statement(NamedTuple):
    """A compiled statement. names: its parameters in order where they go by place, None where they go by name."""

    text: str
    names: tuple[str, ...] | None
    constants: Mapping[str, Any]

    def arguments(self, values: Mapping[str, Any]) -> Any:
        """``values`` as the driver wants them."""
        if self.constants:
            values = {**self.constants, **values}
        return values if self.names is None else [values[name] for name in self.names]


@cache
def compiled(statement: Executable, dialect: Dialect) -> Statement:
    """``statement`` in the words of ``dialect``."""
    result = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
    constants = {name: value for name, value in result.params.items() if value is not None}
    return Statement(str(result), tuple(result.positiontup) if result.positional else None, constants)


class Session:
    """Statements of one transaction."""

    def __init__(self, cursor: Any, dialect: Dialect) -> None:
        self._cursor = cursor
        self._dialect = dialect

    def all(self, statement: Executable, **values: Any) -> list[tuple[Any, ...]]:
        """Every row."""
        self._run(statement, values)
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    def first(self, statement: Executable, **values: Any) -> tuple[Any, ...] | None:
        """The first row, None if there is none."""
        self._run(statement, values)
        row: tuple[Any, ...] | None = self._cursor.fetchone()
        return row

    def run(self, statement: Executable, **values: Any) -> int:
        """How many rows it changed."""
        self._run(statement, values)
        return int(self._cursor.rowcount)

    def run_many(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """The same statement for each row."""
        prepared = compiled(statement, self._dialect)
        self._cursor.executemany(prepared.text, [prepared.arguments(row) for row in rows])

    def _run(self, statement: Executable, values: Mapping[str, Any]) -> None:
        prepared = compiled(statement, self._dialect)
        self._cursor.execute(prepared.text, prepared.arguments(values))


class Database:
    """Short transactions, each thread on a connection of its own that it keeps.

    begin_read, begin_write: what starts a snapshot and a transaction that will write. Writers of this process queue at
    a lock, because a database file makes those that meet sleep and try again.
    """

    def __init__(self, engine: Engine, begin_read: str, begin_write: str) -> None:
        self.engine = engine
        self.begin_read = begin_read
        self.begin_write = begin_write
        self._writing = threading.Lock()
        self._mine = threading.local()
        self._open: WeakSet[PoolProxiedConnection] = WeakSet()  # a thread that ends drops its own

    def read(self) -> AbstractContextManager[Session]:
        """One snapshot: all statements see the same whole commits."""
        return self._transaction(self.begin_read)

    @contextmanager
    def write(self, *, bump: bool = True) -> Iterator[Session]:
        """Everything or nothing, one writer at a time in the whole database. bump: take the next revision."""
        with self._writing, self._transaction(self.begin_write) as session:
            session.run(BUMP if bump else LOCK)
            yield session

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in list(self._open):
            connection.invalidate()
        self._mine = threading.local()
        self.engine.dispose()

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Session]:
        with translated_errors():
            connection = self._connection()
            try:
                cursor = connection.cursor()
                cursor.execute(begin)
                yield Session(cursor, self.engine.dialect)
                connection.commit()
            except BaseException:
                connection.rollback()
                raise

    def _connection(self) -> PoolProxiedConnection:
        try:
            connection: PoolProxiedConnection = self._mine.connection
        except AttributeError:
            connection = self._mine.connection = self.engine.raw_connection()
            self._open.add(connection)
        return connection


@contextmanager
def translated_errors() -> Iterator[None]:
    """Errors of the driver, and SQLAlchemy's around them, as the project's; see ``ERRORS``."""
    try:
        yield
    except KatibError:
        raise
    except Exception as error:
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        names = {kind.__name__ for kind in type(cause).__mro__}
        ours = next((ours for name, ours in ERRORS.items() if name in names), None)
        if ours is None:
            raise
        if NOT_TEXT in str(cause):
            ours = CorruptRecordError
        raise ours(f"database: {cause}") from error
