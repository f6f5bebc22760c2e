"""The rival's side of the protocol: ``python serve.py ADAPTER`` reads requests from standard input until its end.

The adapter is a neighbour of this file with ``PACKAGES``, whose versions are told, and ``start(setup) -> Search``.
What packages print goes to standard error: the first standard output is kept for answers.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, Protocol, TextIO

Point = Mapping[str, Any]


class Setup(NamedTuple):
    """What is to be searched. parameters: see ``benchmarks.search.rival.Description``. variant: which of the adapter's
    optimisers, empty where it has one. budget: trials in all. workers: at a time. objectives: losses, all minimised.
    constraints: outcome constraints."""

    variant: str
    seed: int
    budget: int
    workers: int
    parameters: Sequence[Mapping[str, Any]]
    objectives: int
    constraints: int


class Result(NamedTuple):
    """How a trial ended. record: what the adapter gave with its point. losses: empty if it failed. violations: of each
    outcome constraint, positive where violated."""

    record: Any
    losses: Sequence[float]
    violations: Sequence[float]


class Exhausted(Exception):
    """There are no further points."""


class Search(Protocol):
    """An optimiser at work."""

    def ask(self) -> tuple[Any, Point] | None:
        """The next point, and a record that it is told by; None if it has to wait for results. Raises Exhausted."""
        ...

    def tell(self, results: Sequence[Result]) -> None:
        """Learn how trials ended, in that order."""
        ...


class Server:
    """Answers requests. What an adapter raises is answered as an error, and the traceback goes to standard error."""

    def __init__(self, adapter: ModuleType) -> None:
        self._adapter = adapter
        self._search: Search | None = None
        self._records: dict[int, Any] = {}
        self._asked = 0

    def answer(self, line: str) -> str:
        """The line that answers a line."""
        try:
            (kind, content), *_ = json.loads(line).items()
            answers: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
                "setup": self._setup,
                "ask": self._ask,
                "tell": self._tell,
            }
            return json.dumps(answers[kind](content))
        except Exception as error:
            traceback.print_exc()
            return json.dumps({"error": f"{type(error).__name__}: {error}"})

    def _setup(self, content: Mapping[str, Any]) -> Mapping[str, Any]:
        self._search = self._adapter.start(Setup(**content))
        return {"versions": {name: importlib.metadata.version(name) for name in self._adapter.PACKAGES}}

    def _ask(self, count: int) -> Mapping[str, Any]:
        points: list[Point] = []
        exhausted, began = False, time.perf_counter()
        try:
            while len(points) < count and (asked := self._started.ask()):
                record, point = asked
                self._records[self._asked] = record
                points.append({"#": self._asked, **point})
                self._asked += 1
        except Exhausted:
            exhausted = True
        return {"points": points, "exhausted": exhausted, "seconds": time.perf_counter() - began}

    def _tell(self, content: Iterable[tuple[Point, Sequence[float], Sequence[float]]]) -> Mapping[str, Any]:
        results = [Result(self._records.pop(point["#"]), losses, violations) for point, losses, violations in content]
        began = time.perf_counter()
        self._started.tell(results)
        return {"seconds": time.perf_counter() - began}

    @property
    def _started(self) -> Search:
        if self._search is None:
            raise RuntimeError("asked before it was set up")
        return self._search


def serve(adapter: ModuleType, requests: Iterable[str], answers: TextIO) -> None:
    """Answer every request until there are no more."""
    server = Server(adapter)
    for line in requests:
        print(server.answer(line), file=answers, flush=True)


def main() -> None:
    """Load the adapter as a module of this folder, which its name would hide packages of the same name without."""
    folder = Path(__file__).parent
    spec = importlib.util.spec_from_file_location(
        "adapters", folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no adapters in {folder}")
    sys.modules["adapters"] = importlib.util.module_from_spec(spec)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    serve(importlib.import_module(f"adapters.{sys.argv[1]}"), sys.stdin, answers)


if __name__ == "__main__":
    main()
