"""All that is special about PostgreSQL: connections, what its errors mean, and its lock around the schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy import Connection, event

from katib.core.errors import ConflictError, KatibError, PermanentError
from katib.storage.database import Database
from katib.storage.servers import IDLE_TIMEOUT, LOCK_TIMEOUT, name_of, server_engine, server_url

SCHEMA_LOCK = 0x6B61746962  # the number of our advisory lock: "katib"

_CONNECT = {
    "application_name": "katib",
    "client_encoding": "utf8",
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds
}
# SQLSTATE, or its class -> ours; what is not here goes by the class of the error.
_STATES: dict[str, type[KatibError]] = {
    "40": ConflictError,  # serialisation failures and deadlocks: all was rolled back
    "28": PermanentError,  # wrong user or password
    "3D": PermanentError,  # no such database
    "3F": PermanentError,  # no such schema
    "42501": PermanentError,  # no right to do this
}
# A refused connection carries no SQLSTATE, only the server's words.
_REFUSALS = ("password authentication failed", "does not exist", "no pg_hba.conf entry", "permission denied",
             "no password supplied", "authentication failed")  # fmt: skip


class PostgresqlDatabase(Database):
    """A database of a PostgreSQL server, through psycopg 3."""

    begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
    begin_write = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

    @contextmanager
    def schema_lock(self, connection: Connection) -> Iterator[None]:
        """One transaction, which waits for an advisory lock first."""
        connection.exec_driver_sql(self.begin_write)
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SCHEMA_LOCK})")
        yield

    def kind_of_error(self, cause: BaseException) -> type[KatibError] | None:
        """By SQLSTATE where there is one."""
        if isinstance(cause, psycopg.Error):
            state = cause.sqlstate or ""
            found = _STATES.get(state) or _STATES.get(state[:2])
            if found is not None:
                return found
            if not state and any(words in str(cause) for words in _REFUSALS):
                return PermanentError
        return super().kind_of_error(cause)


def open_database(url: str, *, durable: bool) -> Database:
    """The database behind ``postgresql://…``. How durable a commit is, the server's ``synchronous_commit`` says."""
    address = server_url(url, "postgresql+psycopg")
    engine = server_engine(address, _CONNECT)

    @event.listens_for(engine, "connect")
    def prepare(connection: psycopg.Connection, _record: object) -> None:
        connection.execute(
            f"SET lock_timeout = '{LOCK_TIMEOUT}s'; SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}s'"
        )

    return PostgresqlDatabase(engine, name_of(address, "postgresql"))
