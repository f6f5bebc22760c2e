"""No-op trials on Ray: ``python -m benchmarks.ray_throughput [--trials N] [--fresh N] [--repeats N] [--out FILE]``.

One Ray of two CPUs on this machine; ours, Ray Tune's and bare actors alternate in one run, and medians are shown. Ours
go through the whole engine: random search, SQLite store, ``katib``'s runner. Two trials at a time, a CPU for each.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from benchmarks.engine import make_spec
from benchmarks.no_op import no_op
from benchmarks.ray_tune import tune_rate
from benchmarks.table import Row, show, write
from katib.compose import Workshop
from katib.core.experiment import TrialTemplate
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.engine.controller import Controller
from katib.options import Options
from katib.resources.python_function import function_document

PARALLEL = 2
REUSED_TARGET, FRESH_TARGET = 300.0, 0.7


class _Bare:
    """What an actor costs without anything around it."""

    def call(self, parameters: Mapping[str, Any]) -> float:
        """The objective."""
        return no_op(parameters)


def our_rate(trials: int, folder: str, *, isolate: bool) -> tuple[float, float]:
    """Trials a second of one fresh experiment: from the first trial's start on, and from the first trial's end on (so
    that the start of the actors that are used again is left out). What it stores stays in ``folder``."""
    template = TrialTemplate(function_document({}, 1, isolate)) if isolate else TrialTemplate()
    spec = replace(make_spec(trials, PARALLEL), template=template)
    workshop = Workshop(Options(Path(tempfile.mkdtemp(dir=folder)), runner="ray", objective=no_op))
    key = lifecycle.create(workshop.store, spec, {}).key
    try:
        return _rates(workshop.controller(), key, trials)
    finally:
        workshop.close()


def _rates(controller: Controller, key: Key, trials: int) -> tuple[float, float]:
    began = time.perf_counter()
    first, ended_then = 0.0, 0
    while (delay := controller.reconcile(key)) is not None:
        view = controller.view(key)
        if not first and view is not None and view[1].finished:
            first, ended_then = time.perf_counter(), len(view[1].finished)
        controller.wait(key, delay)
    now = time.perf_counter()
    return trials / (now - began), (trials - ended_then) / (now - first)


def bare_fresh_rate(trials: int) -> float:
    """Actors made, called once and ended, a second; two at a time."""
    kind: Any = ray.remote(_Bare)
    began = time.perf_counter()
    running: dict[Any, Any] = {}
    for _ in range(trials):
        if len(running) == PARALLEL:
            _end_one(running)
        actor = kind.options(num_cpus=1).remote()
        running[actor.call.remote({"x": 0.5})] = actor
    while running:
        _end_one(running)
    return trials / (time.perf_counter() - began)


def _end_one(running: dict[Any, Any]) -> None:
    (ready,), _ = ray.wait(list(running), num_returns=1)
    ray.get(ready)
    ray.kill(running.pop(ready))


def bare_call_rate(trials: int) -> float:
    """Calls a second on two live actors, one under way on each."""
    kind: Any = ray.remote(_Bare)
    actors = [kind.options(num_cpus=1).remote() for _ in range(PARALLEL)]
    ray.get([actor.call.remote({"x": 0.5}) for actor in actors])
    began = time.perf_counter()
    running = {actor.call.remote({"x": 0.5}): actor for actor in actors}
    for _ in range(trials - PARALLEL):
        (ready,), _ = ray.wait(list(running), num_returns=1)
        ray.get(ready)
        actor = running.pop(ready)
        running[actor.call.remote({"x": 0.5})] = actor
    ray.get(list(running))
    rate = trials / (time.perf_counter() - began)
    for actor in actors:
        ray.kill(actor)
    return rate


def measure(trials: int, fresh: int, repeats: int, folder: str) -> list[Row]:
    """Every case once a repeat, in turn. ``folder`` takes what ours store: it is removed after the last of them, since
    ext4 is several times slower at making files where many were removed within the last minute."""
    cases: dict[str, Callable[[], float]] = {
        "bare calls on live actors": lambda: bare_call_rate(trials),
        "ours, actors used again": lambda: our_rate(trials, folder, isolate=False)[1],
        "ours, actors used again, their start included": lambda: our_rate(trials, folder, isolate=False)[0],
        "Ray Tune, reuse_actors=True": lambda: tune_rate(trials, PARALLEL, reuse_actors=True),
        "bare actors made, called, ended": lambda: bare_fresh_rate(fresh),
        "ours, isolated": lambda: our_rate(fresh, folder, isolate=True)[0],
        "Ray Tune, reuse_actors=False": lambda: tune_rate(fresh, PARALLEL, reuse_actors=False),
    }
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            samples[name].append(case())
            time.sleep(1.0)  # processes of ended actors leave
    rows = {
        name: Row(name, statistics.median(found), "trials/s", samples=tuple(found)) for name, found in samples.items()
    }
    reused = rows["ours, actors used again"]
    rows[reused.case] = replace(reused, target=f">= {REUSED_TARGET:g}", met=reused.value >= REUSED_TARGET)
    share = rows["ours, isolated"].value / rows["bare actors made, called, ended"].value
    ratio = reused.value / rows["Ray Tune, reuse_actors=True"].value
    return [
        *rows.values(),
        Row("ours isolated over bare actors", share, "times", f">= {FRESH_TARGET:g}", share >= FRESH_TARGET),
        Row("ours over Ray Tune, actors used again", ratio, "times"),
    ]


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/ray-throughput.json"))
    parser.add_argument("--trials", type=int, default=200, help="no-op trials of a measurement on actors used again")
    parser.add_argument("--fresh", type=int, default=40, help="no-op trials of a measurement on fresh actors")
    parser.add_argument("--repeats", type=int, default=3, help="measurements a figure, of which the median is shown")
    options = parser.parse_args()
    ray.init(num_cpus=PARALLEL, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        with tempfile.TemporaryDirectory() as folder:
            rows = measure(options.trials, options.fresh, options.repeats, folder)
    finally:
        ray.shutdown()
    show(rows)
    write(rows, options.out)


if __name__ == "__main__":
    main()
