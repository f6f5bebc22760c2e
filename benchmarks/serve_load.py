"""The clients of ``benchmarks.serve``, in a process of their own: watches, and requests at planned times.

The generator is open: a request is sent when the plan says so, however slow the server is, and its latency counts from
that time. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from benchmarks.http_connection import Connection
from benchmarks.serve_place import CHURN, POOL, document, path

MERGE = "application/merge-patch+json"
#: What is asked for, by how often in a hundred.
MIX = {"get": 60, "list": 25, "patch": 10, "create": 5}
DELETE_SECONDS = 1.0  # between the creation of an experiment and its deletion
SETTLE_SECONDS = 60.0  # that watches have to tell the last of what happened
CONNECTIONS = 256


@dataclass(slots=True)
class Found:
    """What was seen. latencies: milliseconds by kind of request. late: of the generator itself."""

    latencies: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    late: list[float] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    events: int = 0


@dataclass(slots=True)
class Seen:
    """What one watch told."""

    namespace: str
    added: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    revisions: dict[str, int] = field(default_factory=dict)
    events: int = 0

    def take(self, line: bytes) -> None:
        """One event."""
        event = json.loads(line)
        metadata = event["object"]["metadata"]
        self.events += 1
        if event["type"] == "ADDED":
            self.added.add(metadata["name"])
        if event["type"] == "DELETED":
            self.deleted.add(metadata["name"])
        self.revisions[metadata["name"]] = int(metadata["resourceVersion"])


class Load:
    """Requests and watches on one server."""

    def __init__(self, address: str, pool: int) -> None:
        """pool: experiments that are read and patched."""
        self.found = Found()
        self._address = address
        self._idle: list[Connection] = []
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._pool = [f"{POOL}-{number:03}" for number in range(pool)]
        self._made = itertools.count()
        self._watches: list[Seen] = []
        self._wanted: dict[str, int] = {}  # patched experiment -> revision of the newest answer
        self._churned: set[str] = set()
        self._later: set[asyncio.Task[None]] = set()

    async def run(self, rate: float, seconds: float, watches: int) -> Found:
        """Everything, to the last event."""
        readers = [asyncio.create_task(self._watch(number)) for number in range(watches)]
        await asyncio.sleep(1.0)
        kinds = random.Random(1).choices(list(MIX), list(MIX.values()), k=int(rate * seconds))
        began = time.perf_counter() + 0.1
        asked = []
        for number, kind in enumerate(kinds):
            planned = began + number / rate
            if (ahead := planned - time.perf_counter()) > 0:
                await asyncio.sleep(ahead)
            asked.append(asyncio.create_task(self._ask(kind, planned)))
        await asyncio.gather(*asked)
        await asyncio.gather(*self._later)
        await self._settle()
        for reader in readers:
            reader.cancel()
        await asyncio.gather(*readers, return_exceptions=True)
        self.found.events = sum(seen.events for seen in self._watches)
        return self.found

    async def _ask(self, kind: str, planned: float) -> None:
        self.found.late.append(1000 * (time.perf_counter() - planned))
        steps: dict[str, Coroutine[Any, Any, None]] = {
            "get": self._call("get", planned, "GET", path(POOL, random.choice(self._pool))),
            "list": self._call("list", planned, "GET", path(POOL)),
            "patch": self._patch(planned),
            "create": self._create(planned),
        }
        wanted = steps.pop(kind)
        for other in steps.values():
            other.close()
        await wanted

    async def _call(self, kind: str, planned: float, *request: Any) -> None:
        await self._answer(kind, planned, *request)

    async def _answer(self, kind: str, planned: float, *request: Any) -> dict[str, Any] | None:
        """The answer to a change; None to a read, which nobody looks into, and after an error."""
        try:
            async with self._slots:
                connection = self._idle.pop() if self._idle else await Connection.open(self._address)
                code, body = await connection.call(*request)
                self._idle.append(connection)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.found.errors[f"{kind}: {type(error).__name__}"] += 1
            return None
        self.found.latencies[kind].append(1000 * (time.perf_counter() - planned))
        if code >= 300:
            self.found.errors[f"{kind}: {code} {body[:200]!r}"] += 1
            return None
        tree: dict[str, Any] | None = json.loads(body) if kind in ("patch", "create") else None
        return tree

    async def _patch(self, planned: float) -> None:
        name = random.choice(self._pool)
        change = {"metadata": {"labels": {"touched": str(next(self._made))}}}
        answer = await self._answer("patch", planned, "PATCH", path(POOL, name), change, MERGE)
        if answer is not None:
            revision = int(answer["metadata"]["resourceVersion"])
            self._wanted[name] = max(revision, self._wanted.get(name, 0))

    async def _create(self, planned: float) -> None:
        name = f"churn-{next(self._made)}"
        if await self._answer("create", planned, "POST", path(CHURN), document(name, 1, "echo loss=1")) is None:
            return
        self._churned.add(name)
        task = asyncio.create_task(self._delete(name))
        self._later.add(task)

    async def _delete(self, name: str) -> None:
        planned = time.perf_counter() + DELETE_SECONDS
        await asyncio.sleep(DELETE_SECONDS)
        await self._answer("delete", planned, "DELETE", path(CHURN, name))

    async def _watch(self, number: int) -> None:
        """Watches of the experiments that are patched, of those that come and go, and of all trials, in turn."""
        namespace = (POOL, CHURN, "")[number % 3]
        seen = Seen(namespace)
        self._watches.append(seen)
        where = path(namespace) if namespace else path(POOL, plural="trials").replace(f"namespaces/{POOL}/", "")
        connection = await Connection.open(self._address)
        try:
            async for line in connection.lines(f"{where}?watch=1"):
                seen.take(line)
            self.found.errors["a watch ended"] += 1
        except (OSError, asyncio.IncompleteReadError) as error:
            self.found.errors[f"watch: {type(error).__name__}"] += 1
        finally:
            connection.close()

    async def _settle(self) -> None:
        deadline = time.perf_counter() + SETTLE_SECONDS
        while (missed := sum(map(self._missed, self._watches))) and time.perf_counter() < deadline:
            await asyncio.sleep(0.2)
        self.found.missed = missed

    def _missed(self, seen: Seen) -> int:
        """What the watch has not told yet."""
        if seen.namespace == POOL:
            return sum(seen.revisions.get(name, 0) < revision for name, revision in self._wanted.items())
        if seen.namespace == CHURN:
            return len(self._churned - seen.added) + len(self._churned - seen.deleted)
        return 0


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    for name, kind in (("--pool", int), ("--rate", float), ("--seconds", float), ("--watches", int)):
        parser.add_argument(name, type=kind, required=True)
    given = parser.parse_args()
    found = asyncio.run(_run(given))
    print(json.dumps({"latencies": found.latencies, "late": found.late, "errors": found.errors,
                      "missed": found.missed, "events": found.events}))  # fmt: skip


async def _run(given: argparse.Namespace) -> Found:
    return await Load(given.address, given.pool).run(given.rate, given.seconds, given.watches)


if __name__ == "__main__":
    main()
