"""Logs of many runs in one small file, which can be published: what reports read of them, without parameters.

``DIR/runs.jsonl.xz`` has a line for each run, a ``RunLog`` as an object, in the order of their paths. Losses keep nine
digits and seconds three. What is in it counts as done, so a campaign goes on from it on another machine.
"""

from __future__ import annotations

import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from benchmarks.search.files import put
from benchmarks.search.trial_log import RunLog, TrialLog, dumps, loads
from katib.core.errors import PermanentError

FILE = "runs.jsonl.xz"
LOGS = "*/*/*/w*-s*.json"  # of the runs that are not in the archive, below their folder


class RunKey(NamedTuple):
    """What tells a run of a folder from the others."""

    suite: str
    problem: str
    algorithm: str
    workers: int
    seed: int


def key_of(log: RunLog) -> RunKey:
    """The key of a run."""
    return RunKey(log.suite, log.problem, log.algorithm, log.workers, log.seed)


def read(path: Path) -> Iterator[RunLog]:
    """The logs of an archive; none if there is no such file. Raises PermanentError on what is no archive."""
    try:
        with lzma.open(path) as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    yield loads(line)
                except ValidationError as error:
                    raise PermanentError(f"{path}, line {number}: no log of a run") from error
    except FileNotFoundError:
        return
    except (lzma.LZMAError, EOFError) as error:
        raise PermanentError(f"{path}: no archive of runs: {error}") from error


def pack(folder: Path) -> int:
    """Move the logs of ``folder`` into its archive and return how many runs that has now. A log goes before the run of
    the same key that the archive had, unless the log ended with an error and the other did not."""
    kept = {key_of(log): log for log in read(folder / FILE)}
    paths = sorted(folder.glob(LOGS))
    for path in paths:
        log = loads(path.read_bytes())
        known = kept.get(key_of(log))
        if known is None or known.error or not log.error:
            kept[key_of(log)] = _lean(log)
    put(folder / FILE, lzma.compress(_lines(kept[key] for key in sorted(kept)), preset=9))
    for path in paths:
        path.unlink()
    return len(kept)


def _lines(logs: Iterable[RunLog]) -> bytes:
    return b"".join(dumps(log) + b"\n" for log in logs)


def _lean(log: RunLog) -> RunLog:
    return log._replace(trials=tuple(map(_lean_trial, log.trials)))


def _lean_trial(trial: TrialLog) -> TrialLog:
    return trial._replace(
        parameters={},
        losses=tuple(float(f"{loss:.9g}") for loss in trial.losses),
        violations=tuple(float(f"{violation:.3g}") for violation in trial.violations),
        ask=float(f"{trial.ask:.3g}"),
        started=float(f"{trial.started:.6g}"),
        finished=float(f"{trial.finished:.6g}"),
    )
