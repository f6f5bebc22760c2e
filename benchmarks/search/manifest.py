"""What a folder of runs holds, so that no runs are mixed that cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from benchmarks.search.files import put
from benchmarks.search.problem import Problem
from katib.core.errors import PermanentError

FILE = "manifest.json"
CLOSE = 1e-6  # relative difference up to which two losses are the same


class Scale(NamedTuple):
    """What regret on a problem is measured by."""

    best: float | None
    typical: float
    worst: tuple[float, ...]


class Manifest(NamedTuple):
    """budget: trials of each run. suites: problems by name. versions: of the packages that began it."""

    budget: int
    suites: Mapping[str, Mapping[str, Scale]]
    versions: Mapping[str, str]


_ADAPTER = TypeAdapter(Manifest)


def enter(folder: Path, suite: str, problems: Iterable[Problem], budget: int, versions: Mapping[str, str]) -> None:
    """Write down that ``folder`` gets runs of these problems. Raises PermanentError if it has others by the same name,
    or runs of another budget."""
    path = folder / FILE
    scales = {problem.name: Scale(problem.best, problem.typical, problem.worst) for problem in problems}
    known = read(path) or Manifest(budget, {}, versions)
    if known.budget != budget:
        raise PermanentError(f"{path}: its runs have a budget of {known.budget} trials, --budget is {budget}")
    there = known.suites.get(suite, {})
    for name in scales.keys() & there.keys():
        if not _same(scales[name], there[name]):
            raise PermanentError(f"{path}: problem {name!r} was another one: {there[name]}, now {scales[name]}")
    suites = {**known.suites, suite: {**there, **scales}}
    put(path, _ADAPTER.dump_json(known._replace(suites=suites), indent=2) + b"\n")


def read(path: Path) -> Manifest | None:
    """The manifest, None if there is none. Raises PermanentError if the file is something else."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise PermanentError(f"{path}: no manifest of benchmark runs ({error.errors()[0]['msg']})") from error


def _same(one: Scale, other: Scale) -> bool:
    if (one.best is None) != (other.best is None) or len(one.worst) != len(other.worst):
        return False
    pairs = zip(
        (one.best or 0.0, one.typical, *one.worst), (other.best or 0.0, other.typical, *other.worst), strict=True
    )
    return all(math.isclose(a, b, rel_tol=CLOSE, abs_tol=1e-12) for a, b in pairs)
