"""From a URL to a store: what is made, refused, migrated, and what is loaded for it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from katib.core.errors import (
    CorruptRecordError,
    KatibError,
    PermanentError,
    SpecError,
    UnavailableError,
    UnknownNameError,
)
from katib.storage import migrate, open_store, version
from katib.storage.schema import VERSION, VERSION_TABLE, metadata
from tests.contracts.store_contract import KEY, create

NEXT = f"{int(VERSION) + 1:04d}"


@pytest.mark.parametrize(
    ("url", "error", "words"),
    [
        pytest.param("katib.db", SpecError, "sqlite:///path", id="no-url"),
        pytest.param("sqlite://", SpecError, "names no file", id="no-path"),
        pytest.param("sqlite:///:memory:", SpecError, "memory://", id="sqlite-in-memory"),
        pytest.param("sqlit:///katib.db", UnknownNameError, "did you mean 'sqlite'", id="misspelt"),
        pytest.param("sqlite:///{folder}", UnavailableError, "unable to open", id="folder"),
    ],
)
def test_a_url_that_cannot_be_opened_is_refused(tmp_path: Path, url: str, error: type[KatibError], words: str) -> None:
    with pytest.raises(error, match=words):
        open_store(url.format(folder=tmp_path))


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("remember the milk\n" * 100)
    with pytest.raises(CorruptRecordError, match="not a database"):
        open_store(f"sqlite:///{file}")
    assert file.read_text() == "remember the milk\n" * 100


def test_the_folder_is_made(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "b%20c" / "katib.db"
    store, _ = open_store(f"sqlite:///{file}")
    create(store)
    store.close()
    assert file.exists()


@pytest.mark.parametrize(("durable", "synchronous"), [(False, 1), (True, 2)], ids=["normal", "full"])
def test_connections_are_set_up(tmp_path: Path, durable: bool, synchronous: int) -> None:
    store, _ = open_store(f"sqlite:///{tmp_path}/katib.db", durable=durable)
    with store._database.engine.connect() as connection:
        got = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
        assert got == {"journal_mode": "wal", "synchronous": synchronous}
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() >= 30_000
    store.close()


def test_what_was_stored_is_there_after_opening_again(tmp_path: Path) -> None:
    store, leases = open_store(f"sqlite:///{tmp_path}/katib.db")
    stored = create(store)
    fence = leases.acquire(KEY, "afar:1:1.0", ttl=0.0).fence
    store.close()
    store, leases = open_store(f"sqlite:///{tmp_path}/katib.db")
    assert store.get(KEY) == stored
    assert leases.acquire(KEY, "afar:2:1.0", ttl=0.0).fence == fence + 1
    store.close()
    assert not (tmp_path / "katib.db-wal").exists()  # the last to close moves the log into the file


@pytest.mark.parametrize(
    ("url", "absent"),
    [
        pytest.param("memory://", {"sqlalchemy", "alembic"}, id="memory"),
        pytest.param("sqlite:///{folder}/katib.db", {"alembic"}, id="up-to-date"),
    ],
)
def test_only_what_is_needed_is_loaded(tmp_path: Path, url: str, absent: set[str]) -> None:
    url = url.format(folder=tmp_path)
    open_store(url).store.close()
    script = (
        "import sys; from katib.storage import open_store; open_store(sys.argv[1]).store.close(); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True).stdout
    assert not absent & set(loaded.split())


def test_migrations_lead_to_the_tables_that_the_code_uses(tmp_path: Path) -> None:
    open_store(f"sqlite:///{tmp_path}/katib.db").store.close()
    engine = create_engine(f"sqlite:///{tmp_path}/katib.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == VERSION
    engine.dispose()


def test_the_version_of_the_code_is_that_of_the_newest_migration() -> None:
    assert ScriptDirectory(str(migrate.SCRIPTS)).get_current_head() == VERSION


def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        stores = list(pool.map(lambda _: open_store(f"sqlite:///{tmp_path}/katib.db").store, range(8)))
    create(stores[0])
    assert {store.get(KEY).uid for store in stores} == {"uid-1"}
    for store in stores:
        store.close()


@pytest.mark.parametrize("found", [NEXT, "9999", "1a2b3c"])
def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path, found: str) -> None:
    open_store(f"sqlite:///{tmp_path}/katib.db").store.close()
    set_version(tmp_path / "katib.db", found)
    before = (tmp_path / "katib.db").read_bytes()
    with pytest.raises(PermanentError, match=f"version {found}.*newer version"):
        open_store(f"sqlite:///{tmp_path}/katib.db")
    assert (tmp_path / "katib.db").read_bytes() == before


def test_an_older_database_is_copied_and_brought_up_to_date(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = open_store(f"sqlite:///{tmp_path}/katib.db")
    stored = create(store)
    next_version(tmp_path / "scripts", monkeypatch)
    newer, _ = open_store(f"sqlite:///{tmp_path}/katib.db")
    assert newer.get(KEY) == stored
    with closing(sqlite3.connect(tmp_path / "katib.db")) as connection:
        assert connection.execute("SELECT * FROM added").fetchall() == []
    newer.close()
    store.close()
    monkeypatch.undo()
    with pytest.raises(PermanentError, match=f"version {NEXT}"):
        open_store(f"sqlite:///{tmp_path}/katib.db")
    old, _ = open_store(f"sqlite:///{tmp_path}/katib.db.version-{VERSION}.bak")
    assert old.get(KEY) == stored
    old.close()


def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(f"sqlite:///{tmp_path}/katib.db").store.close()
    next_version(tmp_path / "scripts", monkeypatch, failing=True)
    with pytest.raises(RuntimeError, match="half way"):
        open_store(f"sqlite:///{tmp_path}/katib.db")
    monkeypatch.undo()
    store, _ = open_store(f"sqlite:///{tmp_path}/katib.db")
    create(store)
    store.close()


def set_version(file: Path, found: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = ?", (found,))


def next_version(folder: Path, monkeypatch: pytest.MonkeyPatch, failing: bool = False) -> None:
    """Make the code one version newer, by a migration that adds a table."""
    versions = folder / "versions"
    versions.mkdir(parents=True)
    for script in [migrate.SCRIPTS / "env.py", *migrate.SCRIPTS.glob("versions/0*.py")]:
        (folder / script.relative_to(migrate.SCRIPTS)).write_text(script.read_text())
    (versions / f"{NEXT}_added.py").write_text(
        "from alembic import op\n"
        f"revision, down_revision = '{NEXT}', '{VERSION}'\n"
        "def upgrade():\n"
        "    op.execute('CREATE TABLE added (id INTEGER)')\n" + ("    raise RuntimeError('half way')\n" * failing)
    )
    monkeypatch.setattr(migrate, "SCRIPTS", folder)
    for module in (migrate, version):
        monkeypatch.setattr(module, "VERSION", NEXT)
