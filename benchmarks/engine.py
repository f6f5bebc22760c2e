"""How fast the engine is and how it grows: ``python -m benchmarks.engine [--out FILE] [--trials N] [--repeats N]``.

Everything is measured in one run on one machine, ours and Optuna's alternating, and shown as medians. Trials do nothing
(``random`` search over two parameters), so the figures are the engine's own cost.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.no_op import no_op
from benchmarks.optuna_engine import optuna_rate
from benchmarks.table import Row, show, write
from katib.compose import Workshop
from katib.core.experiment import Budget, Component, ExperimentSpec, TrialTemplate
from katib.core.objective import Objective
from katib.core.space import Integer, Real, SearchSpace
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.options import Options

SPACE = SearchSpace((Real("x", 0.0, 1.0), Integer("n", 1, 1_000_000)))
NO_OP_JOB = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {"template": {"spec": {"containers": [{"name": "main", "image": "none", "command": ["/bin/true"]}]}}},
}


@dataclass(frozen=True, slots=True)
class Case:
    """One way to run no-op trials with our engine."""

    runner: str
    parallel: int
    durable: bool = False
    store: str = ""


def make_spec(trials: int, parallel: int, document: Mapping[str, Any] | None = None) -> ExperimentSpec:
    """An experiment of ``trials`` no-op trials by random search."""
    return ExperimentSpec(
        key=Key("default", "bench"),
        space=SPACE,
        objective=Objective("objective"),
        algorithm=Component("random"),
        budget=Budget(parallel, trials),
        template=TrialTemplate(document or {}, primary_container="main"),
        seed=1,
    )


def our_rate(case: Case, trials: int, document: Mapping[str, Any] | None = None) -> float:
    """Trials a second of one fresh experiment, store and workers included, start-up of workers left out."""
    with tempfile.TemporaryDirectory() as folder:
        options = Options(Path(folder), case.store, case.durable, case.runner, None if document else no_op)
        workshop = Workshop(options)
        key = lifecycle.create(workshop.store, make_spec(trials, case.parallel, document), {}).key
        controller = workshop.controller()
        warm = min(20, trials // 10)
        began, from_count = 0.0, 0
        while (delay := controller.reconcile(key)) is not None:
            view = controller.view(key)
            if not began and view is not None and len(view[1].finished) >= warm:
                began, from_count = time.perf_counter(), len(view[1].finished)
            controller.wait(key, delay)
        rate = (trials - from_count) / (time.perf_counter() - began)
        workshop.close()
        return rate


def bare_subprocess_ms(runs: int) -> float:
    """Milliseconds that ``subprocess.run(["/bin/true"])`` takes, one after the other."""
    began = time.perf_counter()
    for _ in range(runs):
        subprocess.run(["/bin/true"], check=True)
    return (time.perf_counter() - began) / runs * 1e3


def median(measure: Callable[[], float], repeats: int) -> tuple[float, tuple[float, ...]]:
    """The median of ``repeats`` measurements, and all of them."""
    samples = tuple(measure() for _ in range(repeats))
    return statistics.median(samples), samples


def throughput(trials: int, repeats: int) -> list[Row]:
    """Trials a second, ours beside Optuna's."""
    cases = {
        "inline, parallel 1, SQLite NORMAL": (Case("inline", 1), 1500),
        "inline, parallel 8, SQLite NORMAL": (Case("inline", 8), 1500),
        "process, parallel 2, SQLite NORMAL": (Case("process", 2), 800),
        "process, parallel 8, SQLite NORMAL": (Case("process", 8), 800),
        "inline, parallel 1, SQLite FULL": (Case("inline", 1, durable=True), 100),
        "inline, parallel 1, in memory": (Case("inline", 1, store="memory://"), None),
    }
    rows = []
    for name, (case, target) in cases.items():
        count = trials if not case.durable else max(200, trials // 5)
        value, samples = median(lambda case=case, count=count: our_rate(case, count), repeats)  # type: ignore[misc]
        wanted = f">= {target}" if target else ""
        rows.append(Row(name, value, "trials/s", wanted, value >= target if target else None, samples))
    for name, url in {"Optuna RandomSampler, its SQLite": "sqlite", "Optuna RandomSampler, in memory": ""}.items():
        count = max(100, trials // 20) if url else trials
        value, samples = median(lambda url=url, count=count: optuna_rate(url, count), repeats)  # type: ignore[misc]
        rows.append(Row(name, value, "trials/s", samples=samples))
    ratio = rows[0].value / rows[-2].value
    rows.append(Row("ours inline over Optuna's SQLite", ratio, "times", ">= 40", ratio >= 40))
    return rows


def commands(runs: int, repeats: int) -> list[Row]:
    """Cost of a command trial above a bare subprocess, alternating."""
    ours, bare = [], []
    for _ in range(repeats):
        bare.append(bare_subprocess_ms(runs))
        ours.append(1e3 / our_rate(Case("local", 2), runs, NO_OP_JOB))
    above = statistics.median(ours) - statistics.median(bare)
    return [
        Row("bare subprocess.run of /bin/true", statistics.median(bare), "ms", samples=tuple(bare)),
        Row("/bin/true through local, parallel 2", statistics.median(ours), "ms/trial", samples=tuple(ours)),
        Row("local above bare", above, "ms/trial", "<= 8", above <= 8),
    ]


def growth(total: int) -> list[Row]:
    """One experiment of ``total`` finished trials: cost of the first and last tenth, memory, ``katib describe``."""
    tenth = total // 10
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Options(Path(folder), runner="inline", objective=no_op))
        key = lifecycle.create(workshop.store, make_spec(total, 8), {}).key
        controller = workshop.controller()
        marks: dict[int, float] = {}
        while (delay := controller.reconcile(key)) is not None:
            view = controller.view(key)
            done = len(view[1].finished) if view else 0
            for mark in (tenth // 10, tenth, total - tenth, total - 8):
                if done >= mark:
                    marks.setdefault(mark, time.perf_counter())
            controller.wait(key, delay)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
        workshop.close()
        first = (marks[tenth] - marks[tenth // 10]) / (tenth - tenth // 10) * 1e6
        last = (marks[total - 8] - marks[total - tenth]) / (tenth - 8) * 1e6
        describe, samples = median(lambda: seconds_of("describe", "bench", home=folder), 5)
    ratio = last / first
    return [
        Row(f"first {tenth:,} of {total:,} trials", first, "us/trial"),
        Row(f"last {tenth:,} of {total:,} trials", last, "us/trial"),
        Row("last over first", ratio, "times", "<= 1.3", ratio <= 1.3),
        Row(f"peak memory with {total:,} trials", memory, "MiB", "< 1024", memory < 1024),
        Row(f"katib describe with {total:,} trials", describe, "s", "< 2", describe < 2, samples),
    ]


def seconds_of(*arguments: str, home: str = "") -> float:
    """Wall-clock seconds of one ``katib`` command in a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "katib.cli.main", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={"KATIB_HOME": home, "PATH": "/usr/bin:/bin"})
    return time.perf_counter() - began


def start_up(repeats: int) -> list[Row]:
    """What every command pays."""
    bare, _ = median(lambda: _import_seconds("pass"), repeats)
    imported, samples = median(lambda: _import_seconds("import katib"), repeats)
    help_page, help_samples = median(lambda: seconds_of("--help"), repeats)
    return [
        Row("import katib, above a bare interpreter", imported - bare, "s", "< 0.1", imported - bare < 0.1, samples),
        Row("katib --help", help_page, "s", "< 0.3", help_page < 0.3, help_samples),
    ]


def _import_seconds(statement: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/engine.json"))
    parser.add_argument("--trials", type=int, default=3000, help="no-op trials a measurement")
    parser.add_argument("--total", type=int, default=100_000, help="trials of the long experiment; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=5, help="measurements a figure, of which the median is shown")
    options = parser.parse_args()
    rows = throughput(options.trials, options.repeats)
    rows += commands(min(400, options.trials), options.repeats)
    rows += start_up(options.repeats * 2)
    if options.total:
        rows += growth(options.total)
    show(rows)
    write(rows, options.out)


if __name__ == "__main__":
    main()
