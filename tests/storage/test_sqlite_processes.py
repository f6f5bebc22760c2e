"""Several processes on one SQLite file: who waits for whom, and how long."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from katib.core.errors import UnavailableError
from katib.storage import open_store, sqlite
from tests.contracts.store_contract import KEY, add_trials, create

HOLD = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
connection.execute("COMMIT")
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/katib.db"


def test_a_writer_waits_for_another_process(url: str, tmp_path: Path) -> None:
    store, _ = open_store(url)
    create(store)
    command = [sys.executable, "-c", HOLD, str(tmp_path / "katib.db"), "2.0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        start = time.monotonic()
        store.get(KEY)
        assert time.monotonic() - start < 1.0  # readers do not wait
        add_trials(store, 0)
        assert time.monotonic() - start > 1.0
    store.close()


def test_a_writer_that_waits_too_long_may_try_again(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT", 0.1)
    store, leases = open_store(url)
    create(store)
    command = [sys.executable, "-c", HOLD, str(tmp_path / "katib.db"), "60"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(UnavailableError, match="locked"):
            add_trials(store, 0)
        with pytest.raises(UnavailableError, match="locked"):
            leases.acquire(KEY, "afar:1:1.0", ttl=1.0)
        holder.kill()
    add_trials(store, 0)
    store.close()
