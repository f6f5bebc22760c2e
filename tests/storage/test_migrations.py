"""The tables of every kind of database: made once, brought up to date, refused when they are not ours to change."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from katib.core.changes import Changes
from katib.core.errors import FencedError, LeaseHeldError, PermanentError
from katib.core.experiment import ExperimentStatus
from katib.storage import check, check_store, migrate, migrate_store, open_store, version
from katib.storage.opening import _open_database
from katib.storage.schema import MAKING_TABLE, VERSION, VERSION_TABLE, metadata
from tests.contracts.store_contract import KEY, create
from tests.database_servers import SERVERS
from tests.storage.store_processes import open_and_create

spawn = multiprocessing.get_context("spawn")
everywhere = pytest.mark.parametrize("store_url", ["sqlite", *SERVERS], indirect=True)
on_servers = pytest.mark.parametrize("store_url", SERVERS, indirect=True)
NEXT = f"{int(VERSION) + 1:04d}"


@everywhere
def test_migrations_lead_to_the_tables_that_the_code_uses(store_url: str) -> None:
    open_store(store_url).store.close()
    with connected(store_url) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == VERSION
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, VERSION_TABLE}


@everywhere
def test_many_threads_may_open_a_new_database_at_once(store_url: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: open_store(store_url).store, range(8)))
    create(stores[0])
    assert {store.get(KEY).uid for store in stores} == {"uid-1"}
    for store in stores:
        store.close()


@everywhere
def test_many_processes_may_open_a_new_database_at_once(store_url: str) -> None:
    processes = [spawn.Process(target=open_and_create, args=(store_url, f"study-{i}")) for i in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert check_store(store_url).rows["experiments"] == 3
    assert check_store(store_url).damages == ()


@everywhere
@pytest.mark.parametrize("found", [NEXT, "9999", "1a2b3c"])
def test_a_newer_version_is_refused_and_left_alone(store_url: str, found: str) -> None:
    open_store(store_url).store.close()
    with connected(store_url) as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '{found}'")
    for refused in (open_store, migrate_store, check_store):
        with pytest.raises(PermanentError, match=f"version {found}.*newer version"):
            refused(store_url)
    with connected(store_url) as connection:
        assert connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar() == found


def test_an_older_file_is_copied_and_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path}/katib.db"
    store, _ = open_store(url)
    stored = create(store)
    next_version(tmp_path / "scripts", monkeypatch)
    newer, _ = open_store(url)
    assert newer.get(KEY) == stored
    with connected(url) as connection:
        assert connection.exec_driver_sql("SELECT * FROM added").fetchall() == []
    newer.close()
    store.close()
    monkeypatch.undo()
    with pytest.raises(PermanentError, match=f"version {NEXT}"):
        open_store(url)
    old, _ = open_store(f"{url}.version-{VERSION}.bak")
    assert old.get(KEY) == stored
    old.close()


@on_servers
def test_older_tables_of_a_server_wait_for_the_command(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = open_store(store_url)
    stored = create(old)
    next_version(tmp_path / "scripts", monkeypatch)
    for refused in (open_store, check_store):
        with pytest.raises(PermanentError, match=f"version {VERSION}"):
            refused(store_url)
    assert migrate_store(store_url)[1:] == (VERSION, NEXT)
    assert migrate_store(store_url)[1:] == (NEXT, NEXT)
    newer, _ = open_store(store_url)
    assert newer.get(KEY) == stored
    newer.close()
    old.close()


@everywhere
def test_tables_are_not_changed_under_an_owner_and_a_former_one_is_fenced_off(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, leases = open_store(store_url)
    create(old)
    lease = leases.acquire(KEY, "afar:1:1.0", ttl=60.0)
    next_version(tmp_path / "scripts", monkeypatch)
    with pytest.raises(LeaseHeldError, match=r"team/study is run by afar:1:1\.0"):
        migrate_store(store_url)
    old.commit(Changes(KEY, status=ExperimentStatus(message="still mine")), fence=lease.fence)
    leases.renew(lease, ttl=0.0)  # silent for so long that it counts as gone
    migrate_store(store_url)
    with pytest.raises(FencedError):
        old.commit(Changes(KEY, status=ExperimentStatus()), fence=lease.fence)
    with pytest.raises(FencedError):
        leases.renew(lease, ttl=60.0)
    assert old.get(KEY).status.message == "still mine"
    old.close()


@everywhere
def test_a_migration_that_fails_leaves_the_version(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(store_url).store.close()
    next_version(tmp_path / "scripts", monkeypatch, failing=True)
    with pytest.raises(RuntimeError, match="half way"):
        migrate_store(store_url)
    monkeypatch.undo()
    store, _ = open_store(store_url)
    create(store)
    store.close()
    with connected(store_url) as connection:
        rolled_back = "added" not in inspect(connection).get_table_names()
    assert rolled_back is not store_url.startswith("mariadb")  # as docs/storage.md says


@everywhere
def test_what_a_broken_off_creation_left_is_made_anew(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    next_version(tmp_path / "scripts", monkeypatch, failing=True)
    with pytest.raises(RuntimeError, match="half way"):
        open_store(store_url)
    with connected(store_url) as connection:
        left = inspect(connection).get_table_names()
        assert bool(left) is store_url.startswith("mariadb")
        if "added" in left:
            connection.exec_driver_sql("DROP TABLE added")  # no table of ours, so it would be left alone
    monkeypatch.undo()
    store, _ = open_store(store_url)
    create(store)
    store.close()
    assert check_store(store_url).damages == ()
    with connected(store_url) as connection:
        assert MAKING_TABLE not in inspect(connection).get_table_names()


@everywhere
def test_tables_of_somebody_else_are_left_alone(store_url: str) -> None:
    with connected(store_url) as connection:
        connection.exec_driver_sql("CREATE TABLE events (id INTEGER)")
        connection.exec_driver_sql("INSERT INTO events VALUES (7)")
        connection.commit()
    for refused in (open_store, migrate_store):
        with pytest.raises(PermanentError, match=r"somebody else.*: events;"):
            refused(store_url)
    with connected(store_url) as connection:
        assert connection.exec_driver_sql("SELECT id FROM events").fetchall() == [(7,)]
        assert inspect(connection).get_table_names() == ["events"]


@pytest.mark.parametrize("command", [migrate_store, check_store])
def test_a_store_in_memory_needs_no_care(command: object) -> None:
    with pytest.raises(PermanentError, match="nothing to migrate or check"):
        command("memory://")


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A connection in which each statement is a transaction."""
    with closing(_open_database(url)) as database, database.engine.connect() as connection:
        yield connection
        connection.commit()


def next_version(folder: Path, monkeypatch: pytest.MonkeyPatch, failing: bool = False) -> None:
    """Make the code one version newer, by a migration that adds a table."""
    shutil.copytree(migrate.SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"{NEXT}_added.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision = '{NEXT}', '{VERSION}'\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE added (id INTEGER)')\n" + ("    raise RuntimeError('half way')\n" * failing)
    )
    monkeypatch.setattr(migrate, "SCRIPTS", folder)
    for module in (migrate, version, check):
        monkeypatch.setattr(module, "VERSION", NEXT)
