"""All that is special about MySQL and MariaDB: connections, what their errors mean, and the lock around the schema."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

import pymysql
from pymysql.constants import CR, ER
from sqlalchemy import Connection, event

from katib.core.errors import ConflictError, KatibError, PermanentError, UnavailableError
from katib.storage.database import Database
from katib.storage.servers import IDLE_TIMEOUT, LOCK_TIMEOUT, name_of, server_engine, server_url

READ_TIMEOUT = (
    LOCK_TIMEOUT + 30
)  # seconds without an answer after which the server counts as lost; more than the wait for a lock
SCHEMA_TIMEOUT = 60  # seconds that a process waits for another one that makes the tables

_CONNECT = {
    "charset": "utf8mb4",
    "connect_timeout": 10,  # seconds
    "read_timeout": READ_TIMEOUT,
    "write_timeout": READ_TIMEOUT,
    "program_name": "katib",
}
# Strict: what does not fit is an error, never cut off. Quotes and backslashes mean what the driver takes them to mean.
_MODE = "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION"
_NUMBERS: dict[int, type[KatibError]] = {
    ER.ACCESS_DENIED_ERROR: PermanentError,
    ER.DBACCESS_DENIED_ERROR: PermanentError,
    ER.BAD_DB_ERROR: PermanentError,
    ER.TABLEACCESS_DENIED_ERROR: PermanentError,
    ER.COLUMNACCESS_DENIED_ERROR: PermanentError,
    ER.SPECIFIC_ACCESS_DENIED_ERROR: PermanentError,
    ER.NOT_SUPPORTED_AUTH_MODE: PermanentError,
    1698: PermanentError,  # access denied: the account may not log in with a password
    CR.CR_AUTH_PLUGIN_CANNOT_LOAD: PermanentError,
    ER.LOCK_DEADLOCK: ConflictError,
    ER.CHECKREAD: ConflictError,  # the row has changed since the snapshot
    ER.LOCK_WAIT_TIMEOUT: UnavailableError,
}


class MysqlDatabase(Database):
    """A database of a MySQL or MariaDB server, through PyMySQL."""

    begin_read = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
    # The snapshot of what it reads is made by the first plain read, which comes after the lock.
    begin_write = "START TRANSACTION READ WRITE"
    transactional_ddl = False

    @contextmanager
    def schema_lock(self, connection: Connection) -> Iterator[None]:
        """A lock of the session by name; each statement that changes tables is a transaction of its own here."""
        name = f"katib_schema_{crc32(str(self.engine.url.database).encode()):08x}"
        if connection.exec_driver_sql(f"SELECT GET_LOCK('{name}', {SCHEMA_TIMEOUT})").scalar() != 1:
            raise UnavailableError(f"database {self.name}: another process has been changing the tables for long")
        try:
            yield
        finally:
            connection.exec_driver_sql(f"SELECT RELEASE_LOCK('{name}')")

    def kind_of_error(self, cause: BaseException) -> type[KatibError] | None:
        """By the server's number where that says more than the class."""
        if isinstance(cause, pymysql.Error) and cause.args and cause.args[0] in _NUMBERS:
            return _NUMBERS[cause.args[0]]
        return super().kind_of_error(cause)

    def words_of_error(self, cause: BaseException) -> str:
        """The server's words and its number."""
        if isinstance(cause, pymysql.Error) and len(cause.args) > 1:
            number, words = cause.args[:2]
            return f"{' '.join(str(words).split())} ({number})"
        return super().words_of_error(cause) or "the connection was lost"


def open_database(url: str, *, durable: bool) -> Database:
    """The database behind ``mysql://…`` or ``mariadb://…``. How durable a commit is, the server's
    ``innodb_flush_log_at_trx_commit`` says."""
    address = server_url(url, "mysql+pymysql")
    engine = server_engine(address, _CONNECT)

    @event.listens_for(engine, "connect")
    def prepare(connection: pymysql.Connection, _record: object) -> None:
        mariadb = "mariadb" in str(connection.get_server_info()).lower()  # type: ignore[no-untyped-call]
        idle = "idle_transaction_timeout" if mariadb else "wait_timeout"  # MySQL has none for transactions alone
        with connection.cursor() as cursor:
            cursor.execute(
                f"SET SESSION sql_mode = '{_MODE}', innodb_lock_wait_timeout = {LOCK_TIMEOUT}, {idle} = {IDLE_TIMEOUT}"
            )
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")

    return MysqlDatabase(engine, name_of(address, url.partition("://")[0].partition("+")[0]))
