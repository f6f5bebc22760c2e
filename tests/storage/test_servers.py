"""What only database servers do: refuse us, go away, come back, and have others wait in them."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from katib.core.changes import Changes
from katib.core.errors import ConflictError, KatibError, PermanentError, SpecError, UnavailableError
from katib.core.experiment import ExperimentStatus
from katib.core.ports import Store
from katib.core.trial import Key
from katib.storage import check_store, open_store
from katib.storage.names import names_like
from katib.storage.servers import CONNECTIONS
from katib.storage.sql import SqlStore
from katib.storage.statements import REVISION
from tests.contracts.store_contract import KEY, add_trials, create
from tests.database_servers import SERVERS, SharedServers

everywhere = pytest.mark.parametrize("store_url", SERVERS, indirect=True)
on_each = pytest.mark.parametrize("kind", SERVERS)
CONNECTED = {
    "postgres": "SELECT pid FROM pg_stat_activity WHERE datname = '{database}'",
    "mariadb": "SELECT id FROM information_schema.processlist WHERE db = '{database}'",
}
END = {"postgres": "SELECT pg_terminate_backend({id})", "mariadb": "KILL {id}"}
DEADLOCK = {
    "postgres": "DO $$ BEGIN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END $$",
    "mariadb": "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'deadlock'",
}


@on_each
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        pytest.param(
            {"password": "wrong"}, PermanentError, "password authentication failed|Access denied", id="password"
        ),
        pytest.param({"user": "nobody_we_know"}, PermanentError, "nobody_we_know", id="user"),
        pytest.param({"database": "no_such_database"}, PermanentError, "no_such_database", id="database"),
        pytest.param({"port": 1}, UnavailableError, "refused", id="nobody listens"),
    ],
)
def test_a_refusal_says_what_was_refused(
    servers: SharedServers, kind: str, change: dict[str, str | int], error: type[KatibError], words: str
) -> None:
    server = servers.get(kind)
    wanted = {"database": "postgres" if kind == "postgres" else "mysql"} | change
    port = wanted.pop("port", server.port)
    url = server.url(**wanted).replace(str(server.port), str(port))
    with pytest.raises(error, match=words) as caught:
        open_store(url)
    assert type(caught.value) is error
    assert "not a secret" not in str(caught.value)
    assert "database " in str(caught.value)


@everywhere
def test_a_password_may_be_kept_in_a_file(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    before, after = store_url.split("katib:not%20a%20secret@")
    if store_url.startswith("postgres"):
        file.write_text("*:*:*:katib:not a secret\n")
        monkeypatch.setenv("PGPASSFILE", str(file))
        url = f"{before}katib@{after}"
    else:
        file.write_text("[client]\nuser = katib\npassword = not a secret\n")
        url = f"{before}{after}?read_default_file={file}"
    file.chmod(0o600)
    store, _ = open_store(url)
    create(store)
    store.close()


@everywhere
def test_rights_on_rows_are_enough_once_there_are_tables(servers: SharedServers, store_url: str) -> None:
    open_store(store_url).store.close()
    guest = guest_of(servers, store_url, "SELECT, INSERT, UPDATE, DELETE")
    store, _ = open_store(guest)
    create(store)
    add_trials(store, 0)
    store.commit(Changes(KEY, delete=True))
    store.close()


@everywhere
def test_no_right_to_make_tables_is_named(servers: SharedServers, store_url: str) -> None:
    guest = guest_of(servers, store_url, "SELECT")
    with pytest.raises(PermanentError, match=r"permission denied for schema|CREATE command denied"):
        open_store(guest)


@everywhere
def test_a_shell_that_completes_names_makes_no_tables(store_url: str) -> None:
    assert names_like(store_url, "team", "") == ([], [])
    with pytest.raises(PermanentError, match="has no tables"):
        check_store(store_url)
    store, _ = open_store(store_url)
    create(store)
    store.close()
    assert names_like(store_url, KEY.namespace, KEY.name[:2]) == ([KEY.name], [])


@everywhere
def test_a_name_that_is_too_long_is_refused(store_url: str) -> None:
    store, _ = open_store(store_url)
    with pytest.raises(SpecError, match=r"too long"):
        create(store, Key("team", "n" * 254))
    create(store, Key("team", "n" * 253))
    store.close()


@everywhere
def test_a_connection_that_ended_while_it_rested_is_replaced(servers: SharedServers, store_url: str) -> None:
    store, leases = open_store(store_url)
    create(store)
    end_connections(servers, store_url)
    add_trials(store, 0)  # a writer
    end_connections(servers, store_url)
    assert len(store.trials(KEY)) == 1  # a reader
    end_connections(servers, store_url)
    assert leases.acquire(KEY, "afar:1:1.0", ttl=1.0).fence == 1
    store.close()


@everywhere
def test_a_connection_that_ends_in_a_commit_leaves_nothing_of_it(servers: SharedServers, store_url: str) -> None:
    store, _ = open_store(store_url)
    create(store)
    with pytest.raises(UnavailableError):
        meanwhile(store, lambda: end_connections(servers, store_url))
    add_trials(store, 0)
    assert store.get(KEY).revision == 2
    store.close()


@everywhere
def test_what_a_deadlock_rolled_back_is_a_conflict(store_url: str) -> None:
    store, _ = open_store(store_url)
    create(store)
    kind = "postgres" if store_url.startswith("postgres") else "mariadb"
    with pytest.raises(ConflictError, match="deadlock"), store._database.write() as session:
        session._cursor.execute(DEADLOCK[kind])
    assert store.changes(1) == []
    store.close()


@everywhere
def test_a_writer_that_is_paused_loses_its_transaction_and_others_go_on(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten(monkeypatch, "IDLE_TIMEOUT", 1)
    paused, _ = open_store(store_url)
    create(paused)
    other, _ = open_store(store_url)
    with pytest.raises(UnavailableError):
        meanwhile(paused, lambda: add_trials(other, 0))  # waits until the server has ended the paused one
    assert [trial.number for trial in paused.trials(KEY)] == [0]
    assert paused.get(KEY).revision == 2
    paused.close()
    other.close()


@everywhere
def test_a_writer_that_waits_too_long_may_try_again(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shorten(monkeypatch, "LOCK_TIMEOUT", 1)
    store, leases = open_store(store_url)
    create(store)
    other, _ = open_store(store_url)
    with other._database.write(bump=False):
        store.get(KEY)  # readers do not wait
        with pytest.raises(UnavailableError, match=r"lock timeout|Lock wait timeout"):
            add_trials(store, 0)
        with pytest.raises(UnavailableError, match=r"lock timeout|Lock wait timeout"):
            leases.acquire(KEY, "afar:1:1.0", ttl=1.0)
    add_trials(store, 0)
    store.close()
    other.close()


@everywhere
def test_many_threads_share_few_connections(servers: SharedServers, store_url: str) -> None:
    store, _ = open_store(store_url)
    create(store)
    seen: list[int] = []

    def work(number: int) -> None:
        for i in range(5):
            add_trials(store, 5 * number + i)
            store.trials(KEY)
            seen.append(len(connections(servers, store_url)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.trials(KEY)) == 160
    assert 1 <= max(seen) <= CONNECTIONS
    store.close()
    assert check_store(store_url).damages == ()


@on_each
def test_a_server_that_was_killed_comes_back_with_every_commit_that_was_answered(kind: str) -> None:
    from benchmarks.servers import installed

    with installed(kind) as installation:
        with installation.started() as server:
            url, port = server.new_database(), server.port
            store, _ = open_store(url)
            create(store)
            answered = kill_while_writing(store, lambda: os.kill(server.pid, signal.SIGKILL))
        with pytest.raises(UnavailableError):
            store.commit(Changes(KEY, status=ExperimentStatus()))
        with started_again(lambda: installation.started(port)):
            trials = store.trials(KEY)
            assert [trial.number for trial in trials] in (list(range(answered)), list(range(answered + 1)))
            store.commit(Changes(KEY, status=ExperimentStatus()))
            assert store.get(KEY).revision == len(trials) + 2
            store.close()
            assert check_store(url).damages == ()


def guest_of(servers: SharedServers, url: str, rights: str) -> str:
    """The URL for another user of the same database, who has these rights on tables and none to make any."""
    kind = "postgres" if url.startswith("postgres") else "mariadb"
    server, database = servers.get(kind), url.rpartition("/")[2]
    guest = f"guest_{database}"
    if kind == "postgres":
        server.execute(f"CREATE ROLE {guest} LOGIN PASSWORD 'guest'")
        server.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC", database)
        server.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {guest}", database)
    else:
        server.execute(f"CREATE USER {guest}@'127.0.0.1' IDENTIFIED BY 'guest'")
        server.execute(f"GRANT {rights} ON {database}.* TO {guest}@'127.0.0.1'")
    return server.url(database, guest, "guest")


def meanwhile(store: SqlStore, others: Callable[[], None]) -> None:
    """A transaction that has taken a revision when others do something, and goes on after that."""
    with store._database.write() as session:
        others()
        session.all(REVISION)


def kill_while_writing(store: Store, kill: Callable[[], None]) -> int:
    """Commit trials until the server is gone; how many of them were answered."""
    threading.Timer(0.5, kill).start()
    number = 0
    while True:
        try:
            add_trials(store, number)
        except UnavailableError:
            return number
        number += 1


@contextmanager
def started_again(start: Callable[[], object]) -> Iterator[None]:
    """A server whose former processes may need a moment to notice their end."""
    deadline = time.monotonic() + 30
    while True:
        try:
            running = start()
            running.__enter__()
            break
        except RuntimeError:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    try:
        yield
    finally:
        running.__exit__(None, None, None)


def connections(servers: SharedServers, url: str) -> list[int]:
    """The server's numbers of the connections to a database."""
    kind = "postgres" if url.startswith("postgres") else "mariadb"
    return [id for (id,) in servers.get(kind).execute(CONNECTED[kind].format(database=url.rpartition("/")[2]))]


def end_connections(servers: SharedServers, url: str) -> None:
    """Have the server end them, and wait until they are gone."""
    kind = "postgres" if url.startswith("postgres") else "mariadb"
    for id in connections(servers, url):
        servers.get(kind).execute(END[kind].format(id=id))
    deadline = time.monotonic() + 10
    while connections(servers, url) and time.monotonic() < deadline:
        time.sleep(0.02)


def shorten(monkeypatch: pytest.MonkeyPatch, name: str, seconds: int) -> None:
    """Change a time-out, wherever it is used."""
    from katib.storage import mysql, postgresql

    for module in (mysql, postgresql):
        monkeypatch.setattr(module, name, seconds)
