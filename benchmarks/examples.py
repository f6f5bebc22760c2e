"""Runs the examples as a user would, each in a home of its own: ``python -m benchmarks.examples [NAME ...]``.

Prints how long each took, by the clock and on the processor, its trials and its best value, and exits 1 if one of them
failed. What an example needs and this environment lacks is named, and it is left out.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.table import Row, show, write
from katib.compose import Workshop
from katib.core.experiment import Experiment
from katib.core.objective import Measurement
from katib.core.trial import Trial
from katib.options import Options

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples"
KATIB = (sys.executable, "-m", "katib.cli.main", "run")

# Packages that an example needs beyond scikit-learn, where its data is.
_NEEDS = {
    "algorithms/bayesianoptimization": ("skopt",),
    "collectors/tensorflow-event": ("tensorboardX",),
    "algorithms/enas": ("torch",),
    "nas/enas-digits": ("torch",),
    "digits/experiment": ("skopt",),
    "nas/evolution-digits": ("torch",),
    "nas/darts-digits": ("torch",),
}
_NEEDS_NO_DATA = ("function", "katib_client", "ray/function", "smallest", "tune")


@dataclass(frozen=True, slots=True)
class Example:
    """name: path below examples/, without suffix. path: an Experiment, or a program."""

    name: str
    path: Path

    @property
    def command(self) -> tuple[str, ...]:
        """What a user types in the project's root folder."""
        path = str(self.path.relative_to(ROOT))
        return (*KATIB, path) if self.path.suffix == ".yaml" else (sys.executable, path)

    @property
    def needs(self) -> tuple[str, ...]:
        """Packages that must be installed."""
        return (*_NEEDS.get(self.name, ()), *(() if self.name in _NEEDS_NO_DATA else ("sklearn",)))


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of an example. experiment: None for a program. trials: by number. reports: (number of the trial,
    what it reported), in order. seconds: by the wall clock, the start of Python included. processor: seconds of all its
    processes on all cores."""

    status: int
    output: str
    seconds: float
    processor: float
    experiment: Experiment | None = None
    trials: tuple[Trial, ...] = ()
    reports: tuple[tuple[int, Measurement], ...] = ()


def examples() -> list[Example]:
    """All of them: every Experiment, and the programs at the top."""
    paths = sorted([*FOLDER.rglob("*.yaml"), FOLDER / "katib_client.py", FOLDER / "tune.py"])
    return [Example(str(path.relative_to(FOLDER).with_suffix("")), path) for path in paths]


def run(example: Example, home: Path, timeout: float = 600.0) -> Ran:
    """Run it to its end. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
    ran = run_command(example.command, home, timeout)
    return read_experiment(ran, home) if example.path.suffix == ".yaml" and ran.status == 0 else ran


def run_command(command: Sequence[str | Path], home: Path, timeout: float = 600.0) -> Ran:
    """What a user types in the project's root folder. Raises subprocess.TimeoutExpired after ``timeout`` seconds."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KATIB_")}
    began, used = time.perf_counter(), _processor_seconds()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**inherited, "KATIB_HOME": str(home), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Ran(done.returncode, done.stdout, time.perf_counter() - began, _processor_seconds() - used)


def read_experiment(ran: Ran, home: Path) -> Ran:
    """With the one experiment of ``home``."""
    workshop = Workshop(Options(home))
    try:
        (experiment,) = workshop.store.list().items
        trials = sorted(workshop.store.trials(experiment.key), key=lambda trial: trial.number)
        reports = [(number, recorded.measurement) for number, recorded in workshop.store.curve(experiment.key)]
        return replace(ran, experiment=experiment, trials=tuple(trials), reports=tuple(reports))
    finally:
        workshop.close()


def _processor_seconds() -> float:
    """Of processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _row(example: Example, ran: Ran) -> Row:
    said = f"{ran.processor:.1f} s of processor"
    if ran.experiment is None:
        return Row(example.name, ran.seconds, "s", said, ran.status == 0)
    status, metric = ran.experiment.status, ran.experiment.spec.objective.metric
    said += f", {len(ran.trials)} trials, best {metric} {status.best_value:.4g}"
    return Row(example.name, ran.seconds, "s", said, bool(status.verdict and status.verdict.succeeded))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="examples to run, by path without suffix; all if none")
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/examples.json"))
    options = parser.parse_args(arguments)
    found = {example.name: example for example in examples()}
    if unknown := set(options.names) - found.keys():
        parser.error(f"no such example: {', '.join(sorted(unknown))}; there are: {', '.join(found)}")
    rows = []
    for example in (found[name] for name in options.names or found):
        if missing := [package for package in example.needs if importlib.util.find_spec(package) is None]:
            print(f"{example.name} is left out, as it needs: {', '.join(missing)}")
            continue
        with tempfile.TemporaryDirectory() as home:
            ran = run(example, Path(home))
        rows.append(_row(example, ran))
        if not rows[-1].met:
            print(f"{example.name} ended with status {ran.status}:\n{ran.output}")
    show(rows)
    write(rows, options.out)
    return 0 if all(row.met for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
