"""A process that competes for an experiment: ``python -m benchmarks.contention_owner '{"store": ..., ...}'``.

It opens the experiment, or waits until it can, and lets its client threads ask and tell until nothing is left. One that
was replaced while it was paused begins again. Whatever its clients learn they write into the process's own ledger, a
line each, which the engine does not know.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import katib
from katib.core.errors import FencedError
from katib.engine import controller

SPACE = {"x": katib.search.double(0, 1), "n": katib.search.int(1, 1_000_000)}
OPENED, ASKED, TOLD, REFUSED, CLOSED = "opened", "asked", "told", "refused", "closed"


@dataclass(frozen=True, slots=True)
class Role:
    """One of those who compete. owner: a number that no other process of the run has. clients: threads, and trials at a
    time. pause: longest time in seconds that a trial takes. lease: seconds after which an owner that is not heard of
    has lost its experiment."""

    store: str
    name: str
    ledger: str
    owner: int
    trials: int = 1000
    clients: int = 8
    pause: float = 0.02
    lease: float = 2.0

    def command(self) -> list[str]:
        """What starts the process."""
        return [sys.executable, "-m", "benchmarks.contention_owner", json.dumps(asdict(self))]


class Line(NamedTuple):
    """One line of a ledger. time: seconds since the epoch. trial, attempt: of what a client asked for or told."""

    owner: int
    what: str
    time: float
    trial: str = ""
    attempt: int = 0


def read_ledger(path: Path) -> list[Line]:
    """Whole lines, in order; nothing if there is no ledger yet."""
    text = path.read_text() if path.exists() else ""
    return [Line(*json.loads(line)) for line in text.split("\n")[:-1]]


class Ledger:
    """Appends lines, each with one system call, so that a kill leaves whole ones."""

    def __init__(self, role: Role) -> None:
        self._owner = role.owner
        self._file = os.open(role.ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, what: str, trial: katib.AskedTrial | None = None) -> None:
        """Add a line."""
        about = (trial.name, trial.attempt) if trial else ()
        line = Line(self._owner, what, time.time(), *about)
        os.write(self._file, (json.dumps(line) + "\n").encode())


def compete(role: Role) -> None:
    """Own the experiment as often as it takes, until it is complete."""
    ledger = Ledger(role)
    over = False
    while not over:
        optimizer = katib.Optimizer(
            SPACE,
            store=role.store,
            name=role.name,
            max_trials=role.trials,
            parallel=role.clients,
            algorithm="random",
            seed=1,
            wait=600,
        )
        ledger.write(OPENED)
        with optimizer, ThreadPoolExecutor(role.clients) as pool:
            clients = [pool.submit(_work, optimizer, ledger, role) for _ in range(role.clients)]
            over = not any(client.result() for client in clients)
        ledger.write(CLOSED)


def _work(optimizer: katib.Optimizer, ledger: Ledger, role: Role) -> bool:
    """One client. Whether another process has taken the experiment over."""
    trial = None
    try:
        while trial := optimizer.ask():
            ledger.write(ASKED, trial)
            time.sleep(random.random() * role.pause)
            optimizer.tell(trial, {"objective": trial.parameters["x"], "owner": role.owner})
            ledger.write(TOLD, trial)
            trial = None
        return False
    except FencedError:
        if trial is not None:
            ledger.write(REFUSED, trial)
        return True


def main() -> None:
    """Read the role, play it."""
    role = Role(**json.loads(sys.argv[1]))
    controller.LEASE_SECONDS = role.lease
    compete(role)


if __name__ == "__main__":
    main()
