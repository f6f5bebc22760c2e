"""Processes that compete for the lease of one experiment, while its owner is killed or paused again and again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.contention_owner import ASKED, CLOSED, OPENED, REFUSED, TOLD, Line, Role, read_ledger
from benchmarks.table import Row
from katib.core.ports import Leases
from katib.core.trial import Key, Trial, TrialState
from katib.storage import open_store

PATIENCE = 300.0  # seconds for anything to happen
LOOK = 0.02  # seconds between two looks at the ledgers
ENOUGH = (
    3  # pauses, so that one of them surely hits an owner while a client works: it may hit one whose clients all ask
)
PROBE = 1.0  # seconds for a write while an owner is paused; if it takes longer, the owner was paused in a transaction


@dataclass(frozen=True, slots=True)
class Scenario:
    """processes: that compete at a time. kills: of owners with kill -9, each followed by a new process. pauses: of
    owners, until another one has taken over and worked for a while."""

    processes: int = 8
    kills: int = 10
    pauses: int = 5
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Findings:
    """The end. reports: (trial number, attempt) of each stored report of the objective. statuses: exit statuses of
    those who were not killed. seconds: from the first process to the end."""

    trials: tuple[Trial, ...]
    reports: tuple[tuple[int, int], ...]
    lines: tuple[Line, ...]
    statuses: tuple[int, ...]
    seconds: float

    def of(self, what: str) -> list[tuple[str, int]]:
        """(trial, attempt) of the ledgers' lines of that kind."""
        return [(line.trial, line.attempt) for line in self.lines if line.what == what]


class Ring:
    """The processes, each with its ledger in ``folder``."""

    def __init__(self, folder: Path, role: Role, leases: Leases) -> None:
        self._folder = folder
        self._role = role
        self._leases = leases
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.count = 0

    def add(self) -> None:
        """One more process."""
        owner, self.count = self.count, self.count + 1
        role = replace(self._role, owner=owner, ledger=str(self._folder / f"{owner}.jsonl"))
        self.running[owner] = subprocess.Popen(role.command())

    def lines(self) -> list[Line]:
        """All that was written down, in order of time."""
        ledgers = [line for owner in range(self.count) for line in read_ledger(self._folder / f"{owner}.jsonl")]
        return sorted(ledgers, key=lambda line: line.time)

    def owner_after(self, trials: int, besides: int | None = None) -> int | None:
        """Wait until an owner has told so many trials; None if the experiment ends before that."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            lines = self.lines()
            newest = max((i for i, line in enumerate(lines) if line.what == OPENED), default=0)
            owner = lines[newest].owner if lines else None
            if owner in self.running and owner != besides:
                since = Counter(line.what for line in lines[newest:] if line.owner == owner)
                if since[CLOSED]:
                    return None
                if since[TOLD] >= trials:
                    return owner
            time.sleep(LOOK)
        raise TimeoutError(f"no owner told {trials} trials within {PATIENCE} s")

    def kill(self, owner: int) -> None:
        """Kill it, and let a new one in."""
        process = self.running.pop(owner)
        process.kill()
        process.wait()
        self.add()

    def pause(self, owner: int) -> None:
        """Pause it where it holds no lock of the database: a paused writer would hold up everybody."""
        while True:
            os.kill(self.running[owner].pid, signal.SIGSTOP)
            probe = threading.Thread(target=self._write)
            probe.start()
            probe.join(PROBE)
            if not probe.is_alive():
                return
            os.kill(self.running[owner].pid, signal.SIGCONT)
            probe.join()

    def go_on(self, owner: int) -> None:
        """Let a paused one go on."""
        os.kill(self.running[owner].pid, signal.SIGCONT)

    def end(self) -> tuple[int, ...]:
        """Wait for all; their exit statuses."""
        return tuple(process.wait(PATIENCE) for process in self.running.values())

    def abandon(self) -> None:
        """End what still runs."""
        for process in self.running.values():
            process.kill()
            process.wait()

    def _write(self) -> None:
        self._leases.release(self._leases.acquire(Key("default", "probe"), "probe", 1.0))


def compete(folder: Path, role: Role, scenario: Scenario) -> Findings:
    """Let processes compete, and disturb them, until the experiment is complete."""
    opened = open_store(role.store)
    ring = Ring(folder, role, opened.leases)
    began = time.monotonic()
    try:
        for _ in range(scenario.processes):
            ring.add()
        _disturb(ring, role, scenario)
        statuses = ring.end()
        seconds = time.monotonic() - began
        key = Key("default", role.name)
        reports = [
            (number, recorded.attempt)
            for number, recorded in opened.store.curve(key)
            if recorded.measurement.metric == "objective"
        ]
        trials = sorted(opened.store.trials(key), key=lambda trial: trial.number)
        return Findings(tuple(trials), tuple(reports), tuple(ring.lines()), statuses, seconds)
    finally:
        ring.abandon()
        opened.store.close()


def _disturb(ring: Ring, role: Role, scenario: Scenario) -> None:
    moments = random.Random(scenario.seed)
    deeds = ["kill"] * scenario.kills + ["pause"] * scenario.pauses
    moments.shuffle(deeds)
    share = role.trials / (2 * len(deeds) + 1)  # so that the last one comes before the end
    for deed in deeds:
        owner = ring.owner_after(1 + int(moments.random() * share))
        if owner is None:
            return
        if deed == "kill":
            ring.kill(owner)
        else:
            ring.pause(owner)
            ring.owner_after(1 + int(moments.random() * share / 2), besides=owner)
            ring.go_on(owner)


def rows_of(found: Findings, role: Role, scenario: Scenario) -> list[Row]:
    """What happened, and what must hold."""
    n = role.trials
    asked, told, refused = found.of(ASKED), found.of(TOLD), found.of(REFUSED)
    records = {trial.name: (int(trial.observation["owner"].latest or 0), trial.attempt) for trial in found.trials}
    kept = {(line.trial, line.owner, line.attempt) for line in found.lines if line.what == TOLD}
    foreign = {(line.trial, line.owner, line.attempt) for line in found.lines if line.what == REFUSED}
    stored = {(name, *record) for name, record in records.items()}
    rows = [
        Row("owners, one after the other", sum(line.what == OPENED for line in found.lines), "times"),
        Row("trials asked for", len(asked), f"times, {len(asked) - n} of them in vain"),
        Row("tells of replaced owners that were refused", len(refused), "tells", *_at_least(scenario.pauses, refused)),
        Row("throughput, kills and pauses included", n / found.seconds, "trials/s"),
    ]
    met = {
        "exit statuses other than 0": (sum(status != 0 for status in found.statuses), 0, "processes"),
        "trials": (len(found.trials), n, "trials"),
        "different numbers": (len({trial.number for trial in found.trials} & set(range(n))), n, "numbers"),
        "different names": (len(records), n, "names"),
        "finished": (sum(trial.state is TrialState.SUCCEEDED for trial in found.trials), n, "trials"),
        "attempts given out twice": (_repeated(asked), 0, "attempts"),
        "trials told twice": (_repeated(name for name, _ in told), 0, "trials"),
        "reports stored twice": (_repeated(found.reports), 0, "reports"),
        "told, but not in the store": (len(kept - stored), 0, "tells"),
        "refused, but in the store": (len(foreign & stored), 0, "tells"),
    }
    return rows + [
        Row(case, value, unit, f"= {target}", value == target) for case, (value, target, unit) in met.items()
    ]


def _at_least(pauses: int, refused: list[tuple[str, int]]) -> tuple[str, bool | None]:
    """A replaced owner whose clients were all at work must have tried to write."""
    return (">= 1", len(refused) >= 1) if pauses >= ENOUGH else ("", None)


def _repeated(items: Iterable[object]) -> int:
    return sum(count > 1 for count in Counter(items).values())
