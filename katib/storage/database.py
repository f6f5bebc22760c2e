"""Transactions and statements on any SQL database: the only place that touches a driver.

Statements are built in SQLAlchemy Core, compiled once, and then run on the driver's own cursor: through Core's
``execute`` each would cost ten times as much, and a commit of the store runs six. Errors of the driver are turned into
the project's here, by one table. What one kind of database does its own way is a subclass in a module of its own.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, ClassVar, NamedTuple

from sqlalchemy import Connection, Engine
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql import Executable

from katib.core.errors import ConflictError, KatibError, SpecError, UnavailableError
from katib.storage.statements import BUMP, LOCK

# Names of the classes of a driver's errors (PEP 249) and of the pool's, most special first -> ours. Programming errors
# are bugs and stay what they are.
ERRORS: Mapping[str, type[KatibError]] = {
    "IntegrityError": ConflictError,
    "DataError": SpecError,  # a name that is too long, or of characters that the database does not take
    "OperationalError": UnavailableError,
    "InternalError": UnavailableError,
    "InterfaceError": UnavailableError,
    "TimeoutError": UnavailableError,  # no connection of the pool became free
}


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
        return list(self._cursor.fetchall())

    def first(self, statement: Executable, **values: Any) -> tuple[Any, ...] | None:
        """The first row, None if there is none."""
        self._run(statement, values)
        row: tuple[Any, ...] | None = self._cursor.fetchone()
        return row

    def run(self, statement: Executable, **values: Any) -> int:
        """How many rows it found to change."""
        self._run(statement, values)
        return int(self._cursor.rowcount)

    def run_many(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """The same statement for each row."""
        prepared = compiled(statement, self._dialect)
        self._cursor.executemany(prepared.text, [prepared.arguments(row) for row in rows])

    def _run(self, statement: Executable, values: Mapping[str, Any]) -> None:
        prepared = compiled(statement, self._dialect)
        self._cursor.execute(prepared.text, prepared.arguments(values))


class Database(ABC):
    """Short transactions on pooled connections. Writers of this process queue at a lock: all of them would wait for the
    row of ``meta`` anyway, and so they wait without holding a connection."""

    #: What starts a snapshot: all statements see the same whole commits.
    begin_read: ClassVar[str]
    #: What starts a transaction that will write.
    begin_write: ClassVar[str]
    #: Whether a migration is one transaction too, so that one that fails leaves nothing.
    transactional_ddl: ClassVar[bool] = True
    #: Whether opening brings older tables up to date. Not where programs of other machines may be using them.
    upgrades_itself: ClassVar[bool] = False

    def __init__(self, engine: Engine, name: str) -> None:
        """name: what errors call it; holds no password."""
        self.engine = engine
        self.name = name
        self._writing = threading.Lock()

    @abstractmethod
    def schema_lock(self, connection: Connection) -> AbstractContextManager[None]:
        """One at a time may change the tables: the others wait. Begins the transaction where there can be one."""

    def must_exist(self) -> None:  # noqa: B027  a server says so itself
        """Raise NotFoundError where opening would make a database that is not there."""

    def back_up(self, suffix: str) -> None:  # noqa: B027  a server's administrator does this, not we
        """Copy everything beside itself before the tables change, where that is for us to do."""

    def kind_of_error(self, cause: BaseException) -> type[KatibError] | None:
        """Ours for one of the driver's; None if it is no matter of the database."""
        names = {kind.__name__ for kind in type(cause).__mro__}
        return next((ours for name, ours in ERRORS.items() if name in names), None)

    def words_of_error(self, cause: BaseException) -> str:
        """What the driver said, on one line."""
        return " ".join(str(cause).split())

    def read(self) -> AbstractContextManager[Session]:
        """One snapshot: all statements see the same whole commits."""
        return self._transaction(self.begin_read)

    @contextmanager
    def write(self, *, bump: bool = True) -> Iterator[Session]:
        """Everything or nothing, one writer at a time in the whole database. bump: take the next revision."""
        with self._writing, self._transaction(self.begin_write) as session:
            if bump:
                session.run(BUMP)
            else:
                session.first(LOCK)
            yield session

    def close(self) -> None:
        """Close the connections of all threads."""
        self.engine.dispose()

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Errors of the driver, and SQLAlchemy's around them, as the project's."""
        try:
            yield
        except KatibError:
            raise
        except Exception as error:
            cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
            ours = self.kind_of_error(cause)
            if ours is None:
                raise
            raise ours(f"database {self.name}: {self.words_of_error(cause)}") from error

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Session]:
        with self.translated_errors():
            connection, cursor = self._begin(begin)
            try:
                yield Session(cursor, self.engine.dialect)
                connection.commit()
            except BaseException:
                _roll_back(connection)
                raise
            finally:
                self._give_back(connection)

    def _begin(self, begin: str) -> tuple[PoolProxiedConnection, Any]:
        """A connection in a new transaction. One that died while it rested (the server restarted, or ended what was
        idle) has been asked for nothing yet, so another takes its place."""
        connection = self._connection()
        try:
            cursor = connection.cursor()
            cursor.execute(begin)
        except BaseException as error:
            lost = self._is_lost(connection, error)
            if lost:
                connection.invalidate()
            else:
                _roll_back(connection)
            self._give_back(connection)
            if not lost:
                raise
            self.engine.dispose()  # its neighbours have died with it
            connection = self._connection()
            cursor = connection.cursor()
            cursor.execute(begin)
        return connection, cursor

    def _is_lost(self, connection: PoolProxiedConnection, error: BaseException) -> bool:
        """Whether the connection, rather than the statement, has failed."""
        dialect = self.engine.dialect
        return isinstance(error, dialect.loaded_dbapi.Error) and dialect.is_disconnect(
            error, connection.dbapi_connection, None
        )

    def _connection(self) -> PoolProxiedConnection:
        """One that no other thread has."""
        return self.engine.raw_connection()

    def _give_back(self, connection: PoolProxiedConnection) -> None:
        """Its transaction has ended."""
        connection.close()


def _roll_back(connection: PoolProxiedConnection) -> None:
    """Undo what was done. A connection that cannot is closed, which undoes it too."""
    try:
        connection.rollback()
    except Exception:
        connection.invalidate()
