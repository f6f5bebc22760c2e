"""What a run leaves: a JSON file for each (problem, algorithm, seed, workers), written aside, renamed at its end.

``DIR/<suite>/<problem>/<algorithm>/w<workers>-s<seed>.json`` is a ``RunLog`` as an object. Reports read nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import TypeAdapter

from katib.core.trial import Value


class TrialLog(NamedTuple):
    """One trial, in the order in which they were proposed.

    losses: true ones of each objective, smaller is better; empty if it failed. violations: true ones of each outcome
    constraint, positive where it is violated. duplicate: its parameters were proposed before. ask: seconds of
    wall-clock time that the algorithm took for it, what it does at tells included. known: finished trials when it was
    proposed. started, finished: simulated seconds.
    """

    parameters: Mapping[str, Value]
    losses: tuple[float, ...]
    violations: tuple[float, ...]
    duplicate: bool
    ask: float
    known: int
    started: float
    finished: float


class RunLog(NamedTuple):
    """One algorithm on one problem with one seed.

    family, best, typical, worst: the problem's. budget: trials asked for. exhausted: the algorithm said that there are
    no further points. error: why the run ended before its budget, empty if it did not. versions: of what was measured,
    by package. machine: processor and its cores in words.
    """

    suite: str
    problem: str
    family: str
    algorithm: str
    seed: int
    workers: int
    budget: int
    best: float | None
    typical: float
    worst: tuple[float, ...]
    trials: tuple[TrialLog, ...]
    exhausted: bool
    error: str
    versions: Mapping[str, str]
    machine: str


_ADAPTER = TypeAdapter(RunLog)


def dumps(log: RunLog) -> bytes:
    """As JSON; numbers read back as they were, infinities and NaN as constants."""
    trials = [trial._asdict() for trial in log.trials]
    return json.dumps({**log._asdict(), "trials": trials}).encode()


def loads(data: bytes) -> RunLog:
    """Read it back. Raises pydantic.ValidationError on what is no RunLog."""
    return _ADAPTER.validate_json(data)
