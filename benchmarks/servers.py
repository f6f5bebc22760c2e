"""Real database servers for tests and benchmarks, from the programs that the system's packages bring.

Each has a data folder of its own and a free port of the loopback interface, runs as a user without rights (their
programs refuse root), and is stopped by its pid. ``python -m benchmarks.servers postgres mariadb`` runs them until its
input ends, and prints an address for ``--store`` each.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg
import pymysql

HOST, USER, PASSWORD = "127.0.0.1", "katib", "not a secret"
PATIENCE = 60.0  # seconds for a start or an end
_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin")
_counter = itertools.count()


@dataclass(frozen=True)
class Server:
    """A running server. kind: postgres or mariadb."""

    kind: str
    port: int
    pid: int

    def new_database(self) -> str:
        """The URL of a new, empty database."""
        name = f"d{os.getpid()}_{next(_counter)}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove the database, whoever is connected to it."""
        force = " WITH (FORCE)" if self.kind == "postgres" else ""
        self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]}{force}")

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        """The address of a database of this server."""
        kind = {"postgres": "postgresql", "mariadb": "mariadb"}[self.kind]
        return f"{kind}://{user}:{password.replace(' ', '%20')}@{HOST}:{self.port}/{database}"

    def execute(self, statement: str, database: str = "") -> list[tuple[Any, ...]]:
        """Run a statement as the server's administrator; its rows, if it has any."""
        if self.kind == "postgres":
            address = self.url(database or "postgres")
            with psycopg.connect(address, autocommit=True) as postgres:
                cursor = postgres.execute(statement.encode())
                return cursor.fetchall() if cursor.description else []
        connection = pymysql.connect(
            host=HOST, port=self.port, user=USER, password=PASSWORD, database=database or None, autocommit=True
        )
        with contextlib.closing(connection), connection.cursor() as rows:
            rows.execute(statement)
            return list(rows.fetchall())


def program(name: str) -> str | None:
    """Where a server's program is: Debian keeps those of PostgreSQL away from ``$PATH``."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    folders = [os.environ.get("PATH", os.defpath), *map(str, reversed(versions)), *_FOLDERS]
    return shutil.which(name, path=os.pathsep.join(folders))


def is_installed(kind: str) -> bool:
    """Whether a server of this kind can be started."""
    return program({"postgres": "initdb", "mariadb": "mariadbd"}[kind]) is not None


@dataclass(frozen=True)
class Installation:
    """A server's data folder, before and between its runs. durable: commits survive the loss of power, as is a server's
    default; without it those of a server that was killed do, which is quicker."""

    kind: str
    folder: Path
    account: dict[str, Any]
    durable: bool

    @contextlib.contextmanager
    def started(self, port: int = 0) -> Iterator[Server]:
        """The running server. port: 0 for any that is free."""
        port = port or _free_port()
        serve = {"postgres": _serve_postgres, "mariadb": _serve_mariadb}[self.kind]
        words = [str(word) for word in serve(self.folder, port, self.durable)]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                words, cwd=self.folder, stdout=log, stderr=log, start_new_session=True, **self.account
            )
        try:
            yield _wait_for(Server(self.kind, port, process.pid), process, self.folder / "log")
        finally:
            process.send_signal(signal.SIGINT if self.kind == "postgres" else signal.SIGTERM)  # waits for no client
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextlib.contextmanager
def installed(kind: str, *, durable: bool = False) -> Iterator[Installation]:
    """A new data folder, removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"katib-{kind}-"))
    account = _account({"postgres": "postgres", "mariadb": "mysql"}[kind])
    if account:
        os.chown(folder, account["user"], account["group"])
    try:
        {"postgres": _make_postgres, "mariadb": _make_mariadb}[kind](folder, account)
        yield Installation(kind, folder, account, durable)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def running(kind: str, *, durable: bool = False) -> Iterator[Server]:
    """A server of that kind, postgres or mariadb, with a new data folder."""
    with installed(kind, durable=durable) as installation, installation.started() as server:
        yield server


def _account(name: str) -> dict[str, Any]:
    """What makes a process run without rights: nothing, unless this one is root's."""
    if os.geteuid() != 0:
        return {}
    for candidate in (name, "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(candidate)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError(f"database servers refuse to run as root, and there is no user {name}")


def _make_postgres(folder: Path, account: dict[str, Any]) -> None:
    password = folder / "password"
    password.write_text(PASSWORD)
    password.chmod(0o644)  # the folder itself is closed to others
    command = [program("initdb"), "-D", folder / "data", "-U", USER, "-A", "scram-sha-256", "--pwfile", password]
    _call([*command, "-E", "UTF8", "--locale", "C", "--no-sync"], folder, account)


def _serve_postgres(folder: Path, port: int, durable: bool) -> list[Any]:
    settings = {"listen_addresses": HOST, "max_connections": "300"} | ({} if durable else {"fsync": "off"})
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return [program("postgres"), "-D", folder / "data", "-p", str(port), "-k", folder, *options]


def _make_mariadb(folder: Path, account: dict[str, Any]) -> None:
    start = folder / "start.sql"
    start.write_text(
        f"CREATE USER IF NOT EXISTS '{USER}'@'{HOST}' IDENTIFIED BY '{PASSWORD}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'{HOST}' WITH GRANT OPTION;\n"
    )
    start.chmod(0o644)
    command = [program("mariadb-install-db"), "--no-defaults", f"--datadir={folder / 'data'}", "--skip-test-db"]
    _call([*command, "--auth-root-authentication-method=normal"], folder, account)


def _serve_mariadb(folder: Path, port: int, durable: bool) -> list[Any]:
    where = [f"--datadir={folder / 'data'}", f"--port={port}", f"--socket={folder / 'socket'}"]
    flush = [] if durable else ["--innodb-flush-log-at-trx-commit=2"]
    limits = ["--max-connections=300", "--skip-name-resolve", f"--init-file={folder / 'start.sql'}"]
    return [program("mariadbd"), "--no-defaults", *where, f"--bind-address={HOST}", *flush, *limits]


def _call(command: Sequence[Any], folder: Path, account: dict[str, Any]) -> None:
    words = [*map(str, command)]
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, check=False, timeout=2 * PATIENCE, **account
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]}: exit status {done.returncode}\n{done.stdout}{done.stderr}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(server: Server, process: subprocess.Popen[bytes], log: Path) -> Server:
    """The same server, as soon as it answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            server.execute("SELECT 1")
            return server
        except (psycopg.OperationalError, pymysql.OperationalError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server.kind} does not start: {error}\n{log.read_text()[-4000:]}") from error
            time.sleep(0.1)


def main(kinds: Sequence[str]) -> None:
    """Run servers until standard input ends; prints each as a line of JSON."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with contextlib.ExitStack() as stack:
        for kind in kinds:
            server = stack.enter_context(running(kind))
            print(json.dumps(asdict(server) | {"store": server.new_database()}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:] or ["postgres", "mariadb"])
