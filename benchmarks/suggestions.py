"""What a suggestion costs: ``python -m benchmarks.suggestions [--out FILE] [--algorithms NAME ...] [--sizes N ...]``.

For each algorithm, what one suggestion takes after 20, 100 and 1,000 finished trials of random search over nine
parameters of all kinds, medians over the repeats:

* cold: a new algorithm object and a history that was just read, as after a restart; processor time, which does not
  depend on what else the machine does;
* warm: the same two again, as in an engine that goes on; processor time;
* gRPC cold: the whole history sent by a new client to a suggestion service in a process of its own that knows nothing
  of the experiment, as after a restart of both; by the clock;
* gRPC warm: the next suggestion of the same two, one finished trial later; by the clock.

Algorithms whose trials have a memory (``cmaes``, ``hyperband``, ``pbt``) run by themselves to get their history.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from algorithms import ALGORITHMS, create_algorithm
from benchmarks.table import Row, write
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.history import History
from katib.core.objective import Measurement, Objective, observe
from katib.core.ports import Algorithm
from katib.core.space import Choice, Condition, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Key, Parameters, Suggestion, Trial, TrialState
from suggestion_service.client import RemoteAlgorithm

SPACE = SearchSpace(
    (
        Real("rate", 1e-5, 1.0, Distribution.LOG_UNIFORM),
        Real("shift", -1.0, 0.0),
        Real("dropout", 0.0, 0.9, step=0.1),
        Real("centred", -2.0, 2.0, Distribution.NORMAL),
        Integer("epochs", 1, 81),
        Integer("units", 16, 256, Distribution.LOG_UNIFORM, step=16),
        Ordinal("batch", (16, 32, 64), ("16", "32", "64")),
        Choice("optimizer", ("sgd", "adam", "ftrl")),
        Real("momentum", 0.0, 1.0, condition=Condition("optimizer", ("sgd",))),
    )
)
STEPPED = SearchSpace(tuple(replace(p, step=0.02) if isinstance(p, Real) and p.step is None else p for p in SPACE))
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "hyperband": {"r_l": "81", "resource_name": "epochs"},
    "pbt": {"n_population": "10", "truncation_threshold": "0.2"},
}
OWN_HISTORY = ("cmaes", "hyperband", "pbt")
SIZES = (20, 100, 1000)
LIMIT_AT = 1000
LIMIT = 2.0  # seconds that a cold replay of 1,000 trials may take


def loss(parameters: Parameters) -> float:
    """Some smooth function."""
    return float(sum((u - 0.3) ** 2 for u in SPACE.to_unit(parameters) if u == u))


def make_spec(algorithm: str) -> ExperimentSpec:
    """An experiment with that algorithm."""
    space = STEPPED if algorithm == "grid" else SPACE
    component = Component(algorithm, SETTINGS.get(algorithm, {}))
    key, budget = Key("default", "suggestions"), Budget(4, 1_000_000)  # a limit lets hyperband go round more than once
    return ExperimentSpec(key, space, Objective("loss"), component, budget, seed=1)


@dataclass
class Past:
    """Finished trials, and how to read them anew."""

    spec: ExperimentSpec
    trials: list[Trial] = field(default_factory=list)
    curves: dict[int, list[tuple[int, Measurement]]] = field(default_factory=dict)

    def history(self) -> History:
        """A new history with the views that an engine has already worked out when it asks."""
        return History(self.spec.space, self.spec.objective, self.trials, self.curves)

    def add(self, suggestion: Suggestion) -> Trial:
        """Finish a trial of ``suggestion``."""
        number = len(self.trials)
        value = loss(suggestion.parameters)
        measurement = Measurement("loss", value, repr(value), float(number))
        self.curves[number] = [(2 * number + 1, measurement)]
        trial = Trial(
            number=number,
            name=f"suggestions-{number:06d}",
            parameters=suggestion.parameters,
            labels=suggestion.labels,
            parent=suggestion.parent,
            state=TrialState.SUCCEEDED,
            seq=2 * number + 2,
            started=float(number),
            finished=float(number + 1),
            observation=observe({}, [measurement]),
        )
        self.trials.append(trial)
        return trial


def past_of(algorithm: str, size: int) -> Past:
    """``size`` finished trials: the algorithm's own where it needs its labels, else those of random search."""
    past = Past(make_spec(algorithm))
    name = algorithm if algorithm in OWN_HISTORY else "random"
    proposer = create_algorithm(replace(past.spec, algorithm=Component(name, SETTINGS.get(name, {}))))
    history = past.history()
    while len(past.trials) < size:
        (suggestion,) = proposer.suggest(history, 1).suggestions
        history.record(past.add(suggestion))
    return past


@contextmanager
def service() -> Iterator[str]:
    """Address of a suggestion service in a process of its own."""
    command = [sys.executable, "-m", "suggestion_service", "--port", "0", "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the service was started without pipes")
        yield process.stdout.readline().rsplit(" ", 1)[-1].strip()
        process.stdin.close()


def measure(past: Past, address: str) -> dict[str, float]:
    """Seconds of one suggestion, by the way it is asked for."""
    seconds: dict[str, float] = {}
    local = create_algorithm(past.spec)
    seconds["cold"], history = _timed(local, past.history(), time.process_time)
    seconds["warm"], _ = _timed(local, history, time.process_time)
    fresh = Past(replace(past.spec, key=Key("default", uuid.uuid4().hex)), list(past.trials), dict(past.curves))
    remote = RemoteAlgorithm(fresh.spec, address)
    seconds["gRPC cold"], history = _timed(remote, fresh.history(), time.perf_counter)
    for suggestion in remote.suggest(history, 1).suggestions:
        history.record(fresh.add(suggestion))
    seconds["gRPC warm"], _ = _timed(remote, history, time.perf_counter)
    remote.close()
    return seconds


def _timed(algorithm: Algorithm, history: History, clock: Callable[[], float]) -> tuple[float, History]:
    began = clock()
    algorithm.suggest(history, 1)
    return clock() - began, history


def rows_of(algorithm: str, address: str, sizes: Sequence[int], repeats: int) -> list[Row]:
    """The figures of one algorithm."""
    rows = []
    for size in sizes:
        past = past_of(algorithm, size)
        measure(past, address)  # imports of both sides
        found = [measure(past, address) for _ in range(repeats)]
        for way in found[0]:
            samples = tuple(each[way] for each in found)
            value, judged = statistics.median(samples), way in ("cold", "gRPC cold") and size == LIMIT_AT
            case, target = f"{algorithm}, {size:,} trials, {way}", f"< {LIMIT:g}" if judged else ""
            rows.append(Row(case, value, "s", target, value < LIMIT if judged else None, samples))
    return rows


def show_by_size(rows: list[Row]) -> None:
    """Print a line for each algorithm and size; milliseconds."""
    ways = ("cold", "warm", "gRPC cold", "gRPC warm")
    cells = {row.case: row for row in rows}
    print(f"{'algorithm':<22}{'trials':>8}" + "".join(f"{way + ' ms':>14}" for way in ways))
    for name, size in dict.fromkeys(tuple(row.case.split(", ")[:2]) for row in rows):
        line = [cells[f"{name}, {size}, {way}"] for way in ways]
        missed = " MISSED" if any(row.met is False for row in line) else ""
        print(f"{name:<22}{size.split()[0]:>8}" + "".join(f"{row.value * 1e3:>14,.1f}" for row in line) + missed)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/suggestions.json"))
    parser.add_argument("--algorithms", nargs="+", default=list(ALGORITHMS), choices=list(ALGORITHMS))
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, help="finished trials (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="measurements a figure, of which the median is shown")
    options = parser.parse_args()
    with service() as address:
        rows = [row for name in options.algorithms for row in rows_of(name, address, options.sizes, options.repeats)]
    show_by_size(rows)
    write(rows, options.out)


if __name__ == "__main__":
    main()
