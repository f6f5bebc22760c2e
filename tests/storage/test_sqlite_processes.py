"""Several processes on one SQLite file: who waits for whom, and how long."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from katib.core.errors import UnavailableError
from katib.storage import open_store, sqlite
from tests.contracts.store_contract import KEY, add_trials, create

HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.readline()
connection.execute("COMMIT")
"""


@contextmanager
def holding(file: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the write lock until its input ends."""
    command = [sys.executable, "-c", HOLD, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        try:
            yield holder
        finally:
            holder.stdin.close()


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/katib.db"


def test_a_writer_waits_for_another_process(url: str, tmp_path: Path) -> None:
    store, _ = open_store(url)
    create(store)
    with holding(tmp_path / "katib.db") as holder:
        assert store.get(KEY).revision == 1  # readers do not wait
        writer = threading.Thread(target=add_trials, args=(store, 0))
        writer.start()
        writer.join(0.5)
        assert writer.is_alive()
        assert store.trials(KEY) == []
        holder.stdin.close()
        writer.join()
    assert [trial.number for trial in store.trials(KEY)] == [0]
    store.close()


def test_a_writer_that_waits_too_long_may_try_again(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.1)
    store, leases = open_store(url)
    create(store)
    with holding(tmp_path / "katib.db"):
        with pytest.raises(UnavailableError, match="locked"):
            add_trials(store, 0)
        with pytest.raises(UnavailableError, match="locked"):
            leases.acquire(KEY, "afar:1:1.0", ttl=1.0)
    add_trials(store, 0)
    store.close()
