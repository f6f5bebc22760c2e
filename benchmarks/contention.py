"""Whether counts stay exact when many want the same: ``python -m benchmarks.contention [--store sqlite|postgres|
mariadb|URL ...] [--trials 1000]``.

64 threads ask and tell through one owner; then eight processes compete for the lease of one experiment, while its owner
is killed (``kill -9``) or paused again and again. ``postgres`` and ``mariadb`` start a server of their own.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import katib
from benchmarks import contention_processes
from benchmarks.contention_owner import SPACE, Role
from benchmarks.contention_processes import Scenario
from benchmarks.table import Row, show, write
from katib.core.naming import load
from katib.core.trial import Trial, TrialState

SERVERS = ("postgres", "mariadb")


@dataclass(slots=True)
class Tally:
    """What the client threads saw. told: numbers and names. seconds: that each pair of ask and tell took."""

    told: list[tuple[int, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)


def _client(optimizer: katib.Optimizer, tally: Tally) -> None:
    try:
        while True:
            began = time.perf_counter()
            trial = optimizer.ask()
            if trial is None:
                return
            optimizer.tell(trial, trial.parameters["x"])
            tally.seconds.append(time.perf_counter() - began)
            tally.told.append((trial.number, trial.name))
    except BaseException as error:
        tally.errors.append(error)


def threads(store: str, trials: int, clients: int) -> tuple[Tally, tuple[Trial, ...], float]:
    """``clients`` threads on one optimizer: what they saw, what the store has, and the seconds from start to end."""
    tally = Tally()
    name = f"threads-{uuid.uuid4().hex[:8]}"
    budget = {"max_trials": trials, "parallel": clients}
    with katib.Optimizer(SPACE, store=store, name=name, algorithm="random", seed=1, **budget) as optimizer:
        began = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            for _ in range(clients):
                pool.submit(_client, optimizer, tally)
        seconds = time.perf_counter() - began
        return tally, optimizer.trials, seconds


def thread_rows(store: str, trials: int, clients: int) -> list[Row]:
    """The table of one owner with many threads."""
    tally, records, seconds = threads(store, trials, clients)
    milliseconds = sorted(1e3 * each for each in tally.seconds)
    rows = [
        Row("throughput", trials / seconds, "trials/s"),
        Row("ask and tell, median", statistics.median(milliseconds), "ms"),
        Row("ask and tell, 99 of 100 take less than", milliseconds[int(0.99 * (len(milliseconds) - 1))], "ms"),
    ]
    counts = Counter(trial.state for trial in records)
    met = {
        "errors": (len(tally.errors), 0, "errors"),
        "trials": (len(records), trials, "trials"),
        "different numbers": (len({trial.number for trial in records} & set(range(trials))), trials, "numbers"),
        "different names": (len({trial.name for trial in records}), trials, "names"),
        "finished": (counts[TrialState.SUCCEEDED], trials, "trials"),
        "told": (len(tally.told), trials, "tells"),
        "different trials told": (len(set(tally.told)), trials, "trials"),
        "reports stored": (sum(trial.measured for trial in records), trials, "reports"),
    }
    return rows + [
        Row(case, value, unit, f"= {target}", value == target) for case, (value, target, unit) in met.items()
    ]


def process_rows(store: str, trials: int, scenario: Scenario) -> list[Row]:
    """The table of processes that compete."""
    with tempfile.TemporaryDirectory() as folder:
        role = Role(store, f"processes-{uuid.uuid4().hex[:8]}", "", 0, trials)
        found = contention_processes.compete(Path(folder), role, scenario)
    return contention_processes.rows_of(found, role, scenario)


@contextlib.contextmanager
def opened(store: str) -> Iterator[str]:
    """The URL for what ``--store`` says."""
    with contextlib.ExitStack() as stack:
        if store == "sqlite":
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            yield f"sqlite:///{folder}/katib.db"
        elif store in SERVERS:
            running = load("benchmark", "benchmarks.servers:running", {})  # needs the drivers
            yield stack.enter_context(running(store, durable=True)).new_database()
        else:
            yield store


def measure(store: str, options: argparse.Namespace) -> list[Row]:
    """Both tables of one store."""
    kind = store.partition(":")[0]  # no password in a table
    scenario = Scenario(options.processes, options.kills, options.pauses, options.seed)
    with opened(store) as url:
        one = thread_rows(url, options.trials, 1)[:3]
        many = thread_rows(url, options.trials, options.threads)
        processes = process_rows(url, options.trials, scenario)
    titles = {"1 thread": one, f"{options.threads} threads": many, f"{options.processes} processes": processes}
    return [replace(row, case=f"{kind}, {title}: {row.case}") for title, rows in titles.items() for row in rows]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", action="append", help="sqlite, postgres, mariadb or a URL; may be repeated")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/contention.json"))
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=64)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--pauses", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rows = [row for store in options.store or ["sqlite"] for row in measure(store, options)]
    show(rows)
    write(rows, options.out)
    if not all(row.met is not False for row in rows):
        sys.exit("a count is not exact")


if __name__ == "__main__":
    main()
