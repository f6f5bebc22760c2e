"""From a URL to a store: what is made, refused, migrated, and what is loaded for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from katib.core.errors import (
    CorruptRecordError,
    KatibError,
    SpecError,
    UnavailableError,
    UnknownNameError,
)
from katib.storage import migrate, open_store
from katib.storage.schema import VERSION
from tests.contracts.store_contract import KEY, create


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


def test_what_is_made_is_for_its_owner_alone(tmp_path: Path) -> None:
    """An experiment may carry passwords in the environment of its trials."""
    file = tmp_path / "katib" / "katib.db"
    store, _ = open_store(f"sqlite:///{file}")
    create(store)
    store._database.back_up(".bak")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (file.parent, *file.parent.iterdir())}
    store.close()
    assert modes.pop("katib") == 0o700
    assert {"katib.db", "katib.db-wal", "katib.db.bak"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_the_mode_of_a_file_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / "katib.db"
    file.touch(0o660)
    file.chmod(0o660)
    store, _ = open_store(f"sqlite:///{file}")
    create(store)
    store.close()
    assert file.stat().st_mode & 0o777 == 0o660


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


def test_the_version_of_the_code_is_that_of_the_newest_migration() -> None:
    assert ScriptDirectory(str(migrate.SCRIPTS)).get_current_head() == VERSION
