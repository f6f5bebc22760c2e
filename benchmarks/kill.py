"""What an experiment looks like after its owner was killed again and again: ``python -m benchmarks.kill [--kills 20]``.

``katib run`` of short commands gets SIGKILL (it alone, not its trials) at random moments, each time followed by the
same command, until the experiment is complete. Every command writes itself down in a ledger that the engine does not
know, so what really ran is compared with what was recorded, and the search with an unbroken one of the same seed.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.kill_place import Place, Scenario
from benchmarks.table import Row, show, write
from katib.core.trial import Parameters, Trial

# Kinds of moments: while the process comes up, as soon as a command has started, any time after it came up.
STARTING, LAUNCHING, WORKING = "coming up", "a trial just started", "at work"
LAUNCH_PATIENCE = 2.5  # lives that a kill waits for a trial to start; there may be no room for one
FIRST_LAUNCH_PATIENCE = 60.0  # the very first one will start, on however slow a machine


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill. after: seconds since the process began. trials: as the store had them then. launched: commands that had
    started by then."""

    kind: str
    after: float
    trials: tuple[Trial, ...]
    launched: int

    @property
    def alive(self) -> int:
        """Commands that had started and whose end was not recorded yet."""
        return self.launched - len(self.finished)

    @property
    def finished(self) -> dict[str, Trial]:
        """Finished trials by name."""
        return {trial.name: trial for trial in self.trials if trial.state.finished}


@dataclass(frozen=True, slots=True)
class Findings:
    """The end of the experiment. launches: (trial, attempt) of each command that ran, in order. printed, stored: the
    metric's texts by (trial, attempt). unbroken: parameters by number of a run that was never killed. status: exit
    status of the last run. left: processes that still ran afterwards."""

    kills: tuple[Kill, ...]
    trials: tuple[Trial, ...]
    launches: tuple[tuple[str, int], ...]
    printed: Mapping[tuple[str, int], list[str]]
    stored: Mapping[tuple[str, int], list[str]]
    unbroken: tuple[Parameters, ...]
    status: int
    left: int


def unbroken_run(place: Place) -> tuple[tuple[Parameters, ...], float]:
    """Run to the end; parameters by number, and the seconds until the process was at work."""
    place.gate.touch()
    began = time.monotonic()
    process = place.run()
    _await_work(process)
    ready = time.monotonic() - began
    output, _ = process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"katib run failed with status {process.returncode}: {output}")
    return tuple(trial.parameters for trial in place.read()[0]), ready


def killed_run(place: Place, unbroken: tuple[Parameters, ...], ready: float) -> Findings:
    """Kill as often as the scenario says, then run to the end. ready: seconds that a process takes to come up."""
    moments = random.Random(place.scenario.seed)
    kinds = (LAUNCHING, WORKING, STARTING, WORKING, WORKING)
    kills = tuple(_kill_once(place, kinds[i % len(kinds)], moments, ready) for i in range(place.scenario.kills))
    place.gate.touch()
    process = place.run()
    process.communicate()
    trials, stored = place.read()
    launches = place.launches()
    return Findings(
        kills, trials, launches, place.printed(launches), stored, unbroken, process.returncode, place.left()
    )


def _kill_once(place: Place, kind: str, moments: random.Random, ready: float) -> Kill:
    before = len(place.launches())
    fraction = moments.random()
    began = time.monotonic()
    process = place.run()
    if kind == STARTING:
        time.sleep(fraction * ready)
    else:
        _await_work(process)
        if kind == WORKING:
            time.sleep(fraction * place.scenario.life)
        patience = LAUNCH_PATIENCE * place.scenario.life if before else FIRST_LAUNCH_PATIENCE
        while kind == LAUNCHING and len(place.launches()) == before and time.monotonic() < began + patience:
            time.sleep(0.001)
    process.kill()
    after = time.monotonic() - began
    process.communicate()
    return Kill(kind, after, place.read()[0], len(place.launches()))


def _await_work(process: subprocess.Popen[str]) -> None:
    """Wait for the first line of output, which comes when the experiment was created or found."""
    if process.stdout is None or not process.stdout.readline():
        raise RuntimeError(f"katib run ended with status {process.wait()} before it began")


def torture(folder: Path, scenario: Scenario, store: str = "") -> Findings:
    """The whole of it in ``folder``: an unbroken run for comparison, then the one that is killed, in ``store``."""
    unbroken, ready = unbroken_run(Place(folder / "unbroken", replace(scenario, pause=0.0)))
    return killed_run(Place(folder / "killed", scenario, store), unbroken, ready)


def rows_of(found: Findings, scenario: Scenario) -> list[Row]:
    """The table: one row a kill, then what must hold at the end."""
    rows = [
        Row(f"kill {i} ({kill.kind}) after {kill.after:.2f} s", kill.alive, f"running, {len(kill.finished)} finished")
        for i, kill in enumerate(found.kills, 1)
    ]
    states = Counter(trial.state.value for trial in found.trials)
    ends = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    finished = sum(trial.state.finished for trial in found.trials)
    stored = sum(map(len, found.stored.values()))
    printed = sum(map(len, found.printed.values()))
    exact = sum(found.stored.get(run, []) == texts for run, texts in found.printed.items())
    equal = sum(t.parameters == p for t, p in zip(found.trials, found.unbroken, strict=False))
    met = {
        "kills that hit a living process": (len(found.kills), scenario.kills, "kills"),
        "exit status of the last run": (found.status, 0, ""),
        f"finished trials ({ends})": (finished, scenario.trials, "trials"),
        "commands that ran": (len(found.launches), scenario.trials, "launches"),
        "of these a second time for one attempt": (len(found.launches) - len(set(found.launches)), 0, "launches"),
        "second attempts of trials": (sum(trial.attempt > 1 for trial in found.trials), 0, "trials"),
        "finished records that changed later": (len(changed_records(found)), 0, "records"),
        "metric lines stored, of those printed": (stored, printed, "lines"),
        "trials whose lines are stored once, in order": (exact, len(found.launches), "trials"),
        "parameters as in an unbroken run": (equal, scenario.trials, "trials"),
        "processes left running": (found.left, 0, "processes"),
    }
    return rows + [
        Row(case, value, unit, f"= {target}", value == target) for case, (value, target, unit) in met.items()
    ]


def changed_records(found: Findings) -> list[str]:
    """Names of trials that were finished at a kill and have another record at the end: there must be none."""
    last = {trial.name: trial for trial in found.trials}
    return [name for kill in found.kills for name, trial in kill.finished.items() if last.get(name) != trial]


def main() -> None:
    """Kill, look, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("benchmark-results/kill.json"))
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scenario = Scenario(trials=options.trials, kills=options.kills, seed=options.seed)
    with tempfile.TemporaryDirectory() as folder:
        rows = rows_of(torture(Path(folder), scenario), scenario)
    show(rows)
    write(rows, options.out)
    if not all(row.met is not False for row in rows):
        sys.exit("the engine broke a promise")


if __name__ == "__main__":
    main()
