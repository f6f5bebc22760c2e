"""How quick ``katib serve`` is beside the experiments that it runs: ``python -m benchmarks.serve [--seconds 60]
[--rate 200] [--watches 50] [--trials 10000] [--out FILE]``.

First a load of reads and writes with open watches, while experiments run whose trials report once a second; then lists
of many trials. Server and clients are processes of one machine that talk over the loopback; the clients are niced.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.http_connection import Connection
from benchmarks.serve_place import ENGINE, POOL, Server, document, fill, path, serving
from benchmarks.table import Row, show, write

EXPERIMENTS = 50  # in a list
RUNNING = 4  # experiments, of two trials each
READS, WRITES = ("get", "list"), ("patch", "create", "delete")
REPEATS = 5

_REPORTS = "i=0; while [ $i -lt 600 ]; do echo loss=$i; i=$((i+1)); sleep 1; done"


def load_rows(rate: float, seconds: float, watches: int) -> Iterator[Row]:
    """Latencies under load, what was missed, and what it cost."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home, EXPERIMENTS)
        with serving(home) as server:
            asyncio.run(_begin(server.address))
            idle = _cpu_share(server, min(5.0, seconds))
            used, began = server.cpu_seconds(), time.perf_counter()
            found = _generate(server.address, rate, seconds, watches)
            took = time.perf_counter() - began
            used = server.cpu_seconds() - used - idle * took
            memory = server.memory()
            asyncio.run(_end(server.address))
    yield from _latency_rows(found)
    requests = sum(map(len, found["latencies"].values()))
    yield Row("errors", sum(found["errors"].values()), "answers", "= 0", not found["errors"])
    yield Row(f"events that {watches} watches missed", found["missed"], "events", "= 0", found["missed"] == 0)
    yield Row("events that they were told", found["events"], "events")
    yield Row("server's processor time for a request, watches included", 1000 * used / requests, "ms")
    yield Row(f"server's load by {RUNNING} experiments alone", 100 * idle, "% of a core")
    yield Row("server's memory after the load", memory, "MiB")
    for error, count in found["errors"].items():
        print(f"{count} x {error}", file=sys.stderr)


def _latency_rows(found: dict[str, Any]) -> Iterator[Row]:
    for kind in (*READS, *WRITES):
        figures = found["latencies"].get(kind, [])
        for percent in (50, 99):
            if figures:
                yield Row(f"{kind}, p{percent} of {len(figures)}", _percentile(figures, percent), "ms")
    for title, kinds, limit in (("reads", READS, 100), ("writes", WRITES, 250)):
        figures = [latency for kind in kinds for latency in found["latencies"].get(kind, [])]
        value = _percentile(figures, 99)
        yield Row(f"{title}, p99", value, "ms", f"< {limit}", value < limit)
    yield Row("requests sent late by the generator, p99", _percentile(found["late"], 99), "ms")


def _percentile(figures: Sequence[float], percent: int) -> float:
    return sorted(figures)[min(len(figures) * percent // 100, len(figures) - 1)]


def _generate(address: str, rate: float, seconds: float, watches: int) -> dict[str, Any]:
    options = {"--pool": EXPERIMENTS, "--rate": rate, "--seconds": seconds, "--watches": watches}
    command = ["nice", "-n", "10", sys.executable, "-m", "benchmarks.serve_load", address]
    command += [str(word) for pair in options.items() for word in pair]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=seconds + 180)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _cpu_share(server: Server, seconds: float) -> float:
    """Processors that the server keeps busy when nobody asks anything."""
    before = server.cpu_seconds()
    time.sleep(seconds)
    return (server.cpu_seconds() - before) / seconds


async def _begin(address: str) -> None:
    """Start the experiments that run beside the load, and wait for their trials."""
    connection = await Connection.open(address)
    for number in range(RUNNING):
        code, body = await connection.call("POST", path(ENGINE), document(f"engine-{number}", 2, _REPORTS))
        if code != 201:
            raise RuntimeError(f"got the status {code}: {body!r}")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        _, body = await connection.call("GET", path(ENGINE))
        statuses = [each["status"] for each in json.loads(body)["items"]]
        if all(status.get("trialsRunning") == 2 for status in statuses):
            return
        await asyncio.sleep(0.2)
    raise RuntimeError("the trials do not run")


async def _end(address: str) -> None:
    """Delete what runs, and wait until nothing is left of it."""
    connection = await Connection.open(address)
    await connection.call("DELETE", path(ENGINE))
    deadline = time.monotonic() + 60
    while json.loads((await connection.call("GET", path(ENGINE)))[1])["items"] and time.monotonic() < deadline:
        await asyncio.sleep(0.2)


def list_rows(trials: int) -> Iterator[Row]:
    """Lists of many trials, the first one and later ones, and the memory that they take."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home, 1, trials)
        began = time.perf_counter()
        with serving(home) as server:
            yield Row(f"start with {trials:,} trials", time.perf_counter() - began, "s")
            before = server.memory()
            first, *later = asyncio.run(_lists(server.address, trials))
            after = server.memory()
    median = sorted(later)[len(later) // 2]
    yield Row(f"list of {trials:,} trials, first", first, "s", "< 1", first < 1)
    yield Row(f"list of {trials:,} trials, later", median, "s", "< 1", median < 1, tuple(later))
    yield Row(f"memory with {trials:,} trials, before the first list", before, "MiB")
    yield Row(f"memory with {trials:,} trials, after the last", after, "MiB")


async def _lists(address: str, trials: int) -> list[float]:
    connection, seconds = await Connection.open(address), []
    for _ in range(1 + REPEATS):
        began = time.perf_counter()
        _, body = await connection.call("GET", path(POOL, plural="trials"))
        seconds.append(time.perf_counter() - began)
        found = len(json.loads(body)["items"])
        if found != trials:
            raise RuntimeError(f"the list has {found} trials, expected {trials}")
    return seconds


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--watches", type=int, default=50)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/serve.json"))
    given = parser.parse_args(arguments)
    rows = [*load_rows(given.rate, given.seconds, given.watches), *list_rows(given.trials)]
    show(rows)
    write(rows, given.out)


if __name__ == "__main__":
    main()
