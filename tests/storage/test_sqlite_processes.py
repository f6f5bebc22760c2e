"""Several processes on one SQLite file: races, the change feed, and processes that are killed while they write."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from katib.core.changes import Changes
from katib.core.errors import UnavailableError
from katib.core.ports import Store
from katib.core.trial import Key, TrialState
from katib.storage import open_store, sqlite
from tests.contracts.store_contract import KEY, add_trials, create
from tests.storage.store_processes import add_one_by_one, record_for_ever, spend

spawn = multiprocessing.get_context("spawn")

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


def test_no_compare_and_set_of_two_processes_is_lost(url: str) -> None:
    store, _ = open_store(url)
    before = create(store)
    processes = [spawn.Process(target=spend, args=(url, KEY, 50)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    after = store.get(KEY)
    store.close()
    assert [process.exitcode for process in processes] == [0, 0]
    assert after.budget.parallel == before.budget.parallel + 100
    assert after.generation == before.generation + 100


def test_a_reader_of_the_feed_misses_no_revision_of_other_processes(url: str) -> None:
    store, _ = open_store(url)
    writers = []
    for name in ("left", "right"):
        create(store, Key("team", name))
        here, there = spawn.Pipe()
        writers.append((here, spawn.Process(target=add_one_by_one, args=(url, Key("team", name), 100, there))))
    since = 2
    for _, process in writers:
        process.start()
    seen = []
    deadline = time.monotonic() + 60
    while len(seen) < 200 and time.monotonic() < deadline:
        lines = store.changes(since, timeout=1.0)
        revisions = [line.revision for line in lines]
        assert revisions == sorted(revisions)
        assert all(revision > since for revision in revisions)
        seen += [line.revision for line in lines if line.trial]
        since = max([since, *revisions])
    written = sorted(revision for pipe, _ in writers for revision in pipe.recv())
    for _, process in writers:
        process.join(60)
    store.close()
    assert seen == written == list(range(3, 203))


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


def assert_whole(store: Store, acknowledged: int) -> None:
    """Only whole commits of ``record_for_ever``, all that were acknowledged, each number given out once."""
    experiment, trials, curve = store.get(KEY), store.trials(KEY), store.curve(KEY)
    count = experiment.status.counts.get(TrialState.PENDING, 0)
    assert [trial.number for trial in trials] == list(range(count))
    assert count >= acknowledged
    seqs = [trial.seq for trial in trials] + [recorded.seq for _, recorded in curve]
    assert sorted(seqs) == list(range(1, experiment.seq + 1))
    assert experiment.seq == 3 * count
    assert {line.revision for line in store.changes(0) if line.trial} == set(range(2, count + 2))
    assert experiment.revision == count + 1


def kill_at_random(url: str, rounds: int) -> None:
    store, _ = open_store(url)
    create(store)
    moments = random.Random(7)
    for _ in range(rounds):
        here, there = spawn.Pipe()
        process = spawn.Process(target=record_for_ever, args=(url, KEY, there))
        process.start()
        there.close()
        assert here.poll(60)
        time.sleep(moments.uniform(0, 0.15))
        process.kill()
        process.join(60)
        assert_whole(store, acknowledged=last_told(here))
        again, _ = open_store(url)
        assert_whole(again, acknowledged=0)
        again.close()
    store.close()


def last_told(pipe: Connection) -> int:
    told = 0
    try:
        while pipe.poll(0):
            told = pipe.recv()
    except (EOFError, OSError):
        pass
    return told


def test_a_killed_writer_leaves_whole_commits(url: str) -> None:
    kill_at_random(url, rounds=2)


@pytest.mark.slow
def test_many_killed_writers_leave_whole_commits(url: str) -> None:
    kill_at_random(url, rounds=12)


def test_a_killed_writer_that_was_alone_leaves_whole_commits(url: str) -> None:
    store, _ = open_store(url)
    create(store)
    store.close()
    here, there = spawn.Pipe()
    process = spawn.Process(target=record_for_ever, args=(url, KEY, there))
    process.start()
    there.close()
    assert here.poll(60)
    time.sleep(0.1)
    process.kill()
    process.join(60)
    store, _ = open_store(url)  # the first to open the file since: the log is replayed
    assert_whole(store, acknowledged=last_told(here))
    store.commit(Changes(KEY, delete=True))
    store.close()
