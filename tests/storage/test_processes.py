"""Several processes on one database: races, the change feed, and processes that are killed while they write."""

from __future__ import annotations

import multiprocessing
import random
import time
from multiprocessing.connection import Connection

import pytest

from katib.core.changes import Changes
from katib.core.ports import Store
from katib.core.trial import Key, TrialState
from katib.storage import check_store, open_store
from tests.contracts.store_contract import KEY, create
from tests.database_servers import SERVERS
from tests.storage.store_processes import add_one_by_one, record_for_ever, spend

spawn = multiprocessing.get_context("spawn")

everywhere = pytest.mark.parametrize("store_url", ["sqlite", *SERVERS], indirect=True)


@everywhere
def test_no_compare_and_set_of_two_processes_is_lost(store_url: str) -> None:
    store, _ = open_store(store_url)
    before = create(store)
    processes = [spawn.Process(target=spend, args=(store_url, KEY, 50)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    after = store.get(KEY)
    store.close()
    assert [process.exitcode for process in processes] == [0, 0]
    assert after.budget.parallel == before.budget.parallel + 100
    assert after.generation == before.generation + 100


@everywhere
def test_a_reader_of_the_feed_misses_no_revision_of_other_processes(store_url: str) -> None:
    store, _ = open_store(store_url)
    writers = []
    for name in ("left", "right"):
        create(store, Key("team", name))
        here, there = spawn.Pipe()
        writers.append((here, spawn.Process(target=add_one_by_one, args=(store_url, Key("team", name), 100, there))))
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


def assert_whole(store: Store, acknowledged: int) -> None:
    """Only whole commits of ``record_for_ever``, all that were acknowledged, each number given out once."""
    with store._database.write(bump=False):
        pass  # what a server had been told to commit is committed by now
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
    assert check_store(url).damages == ()


def last_told(pipe: Connection) -> int:
    told = 0
    try:
        while pipe.poll(0):
            told = pipe.recv()
    except (EOFError, OSError):
        pass
    return told


@everywhere
def test_a_killed_writer_leaves_whole_commits(store_url: str) -> None:
    kill_at_random(store_url, rounds=2)


@pytest.mark.slow
@everywhere
def test_many_killed_writers_leave_whole_commits(store_url: str) -> None:
    kill_at_random(store_url, rounds=12)


@everywhere
def test_a_killed_writer_that_was_alone_leaves_whole_commits(store_url: str) -> None:
    store, _ = open_store(store_url)
    create(store)
    store.close()
    here, there = spawn.Pipe()
    process = spawn.Process(target=record_for_ever, args=(store_url, KEY, there))
    process.start()
    there.close()
    assert here.poll(60)
    time.sleep(0.1)
    process.kill()
    process.join(60)
    store, _ = open_store(store_url)  # the first to open the file since: the log is replayed
    assert_whole(store, acknowledged=last_told(here))
    store.commit(Changes(KEY, delete=True))
    store.close()
