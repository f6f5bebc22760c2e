"""Counts stay exact when many want the same: threads on one optimizer, and processes that compete for its experiment
while owners are killed and paused. ``benchmarks/contention.py`` does the same at full size."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import contention_processes
from benchmarks.contention import thread_rows
from benchmarks.contention_owner import Role
from benchmarks.contention_processes import Scenario
from tests.database_servers import SERVERS

pytestmark = pytest.mark.parametrize("store_url", ["sqlite", *SERVERS], indirect=True)


def missed(rows):
    return {row.case: row.value for row in rows if row.met is False}


def test_many_threads_on_one_owner(store_url: str) -> None:
    rows = thread_rows(store_url, trials=150, clients=32)
    assert missed(rows) == {}
    assert sum(row.met is True for row in rows) == 8


@pytest.mark.slow
def test_processes_that_compete(store_url: str, tmp_path: Path) -> None:
    role = Role(store_url, "compete", "", 0, trials=120, clients=4, lease=1.5)
    scenario = Scenario(processes=3, kills=2, pauses=1)
    found = contention_processes.compete(tmp_path, role, scenario)
    rows = contention_processes.rows_of(found, role, scenario)
    assert missed(rows) == {}
    assert sum(row.met is True for row in rows) == 10
