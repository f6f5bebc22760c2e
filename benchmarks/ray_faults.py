"""What becomes of trials on Ray when things break: ``python -m benchmarks.ray_faults [--only PART ...] [--out FILE]``.

Parts: ``node`` (a node killed in the middle of Hyperband), ``functions`` and ``commands`` (the controller killed again
and again), ``digits`` (the same search as on the local runner), ``ends`` (single trials that die, wait or are stopped).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmarks import kill, ray_fault_ends, ray_fault_node
from benchmarks.kill_place import Place, Scenario
from benchmarks.ray_fault_place import CommandPlace, FunctionPlace
from benchmarks.ray_nodes import cluster_of
from benchmarks.table import Row, show, write
from katib.compose import Workshop
from katib.core.trial import Key, Trial
from katib.options import Options

_DIGITS = Path(__file__).parents[1] / "examples" / "digits" / "experiment.yaml"
_KILLS = 10


def controller_kills(home: Path, place: type[Place], what: str) -> list[Row]:
    """``katib run`` killed at ten moments, on a cluster of two nodes that it joins by address."""
    scenario = Scenario(trials=20, kills=_KILLS, pause=0.5, life=8.0)
    with cluster_of((2, 2)) as cluster:
        place.options = ("--runner", "ray", "--address", cluster.address)
        unbroken, ready = kill.unbroken_run(place(home / "unbroken", scenario))
        rows = kill.rows_of(kill.killed_run(place(home / "killed", scenario), unbroken, ready), scenario)
    return [dataclasses.replace(row, case=f"{what}: {row.case}") for row in rows]


def digits(home: Path) -> list[Row]:
    """The example, one trial at a time, with one seed: its best trial on both runners. Without early stopping: after
    which report a trial stops, and so what it teaches, depends on when that report was read."""
    document = yaml.safe_load(_DIGITS.read_text(encoding="utf-8"))
    del document["spec"]["earlyStopping"]
    (home / "digits.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    local, on_ray = (_digits(home / runner, runner) for runner in ("local", "ray"))
    same = local[0].parameters == on_ray[0].parameters
    pairs = zip(local[1], on_ray[1], strict=True)
    equal = sum(one.parameters == other.parameters for one, other in pairs)
    values = [trial.observation["accuracy"].maximum for trial in (local[0], on_ray[0])]
    count = len(local[1])
    return [
        Row("digits: best accuracy, local", values[0] or 0.0, ""),
        Row("digits: best accuracy, Ray", values[1] or 0.0, "", f"= {values[0]:g}", values[0] == values[1]),
        Row("digits: its parameters are the same", float(same), "", "= 1", same),
        Row("digits: trials with the same parameters", equal, "trials", f"= {count}", equal == count),
    ]


def _digits(home: Path, runner: str) -> tuple[Trial, list[Trial]]:
    """The best trial, and all by number."""
    environment = {**os.environ, "KATIB_HOME": str(home)}
    path = os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", "")))
    arguments = ["run", str(home.parent / "digits.yaml"), "--seed", "1", "--parallel", "1", "--runner", runner]
    subprocess.run(
        [sys.executable, "-m", "katib.cli.main", *arguments],
        env={**environment, "PATH": path},
        cwd=_DIGITS.parents[2],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    key = Key("default", "digits")
    workshop = Workshop(Options(home))
    try:
        trials = sorted(workshop.store.trials(key), key=lambda trial: trial.number)
        best = workshop.store.get(key).status.best
        return next(trial for trial in trials if trial.number == best), trials
    finally:
        workshop.close()


PARTS: dict[str, Callable[[Path], list[Row]]] = {
    "node": ray_fault_node.lose_a_node,
    "functions": lambda home: controller_kills(home, FunctionPlace, "functions"),
    "commands": lambda home: controller_kills(home, CommandPlace, "commands"),
    "digits": digits,
    "ends": ray_fault_ends.ends,
}


def main() -> None:
    """Break, look, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/ray-faults.json"))
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    options = parser.parse_args()
    rows: list[Row] = []
    for part in options.only:
        with tempfile.TemporaryDirectory(prefix="katib-", ignore_cleanup_errors=True) as folder:
            rows += PARTS[part](Path(folder))
    show(rows)
    write(rows, options.out)
    if not all(row.met is not False for row in rows):
        sys.exit("a promise was broken")


if __name__ == "__main__":
    main()
