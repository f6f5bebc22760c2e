"""The error tree. "Give up" and "try again" are different classes, so no caller has to read a message to decide.

KatibError
├── PermanentError            trying again cannot help
│   ├── SpecError             a document or setting is wrong: a list of Problems, each with its path in the file
│   ├── UnknownNameError      no algorithm, runner, ... of that name (carries the nearest names)
│   ├── MissingExtraError     a package is not installed; names the extra that brings it
│   ├── NotFoundError         no experiment or trial of that name
│   ├── AlreadyExistsError    the name is taken
│   ├── FencedError           another controller owns the experiment now; this one may not write any more
│   ├── CorruptRecordError    a stored record does not match its checksum
│   ├── AlgorithmError        an algorithm raised, or answered outside its contract
│   └── RunnerError           a trial cannot be started at all (no command, unknown kind of job)
└── RetryableError            the same call may succeed later
    ├── ConflictError         compare-and-set lost against another writer: read again, decide again
    ├── LeaseHeldError        a live controller owns the experiment
    └── UnavailableError      a service or database does not answer
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class KatibError(Exception):
    """Base of every error this project raises on purpose."""


class PermanentError(KatibError):
    """Trying the same thing again cannot help."""


class RetryableError(KatibError):
    """The same call may succeed later."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a document.

    path: where, as a reader of the YAML writes it, e.g. ``spec.parameters[2].feasibleSpace.max``; empty for the whole.
    message: what is wrong and what was expected, including the offending value.
    line: 1-based line in the file, if known.
    """

    path: str
    message: str
    line: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}: " if self.line is not None else ""
        return f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"


class SpecError(PermanentError):
    """A document, parameter or setting is wrong. Carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem] | str, *, source: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem("", problems),) if isinstance(problems, str) else tuple(problems)
        self.source = source
        super().__init__(self.problems, source)

    def __str__(self) -> str:
        prefix = f"{self.source}: " if self.source else ""
        return "\n".join(prefix + str(problem) for problem in self.problems)

    def within(self, path: str) -> SpecError:
        """The same problems, their paths put below ``path``."""
        moved = (Problem(join_path(path, p.path), p.message, p.line) for p in self.problems)
        return SpecError(moved, source=self.source)


class UnknownNameError(PermanentError):
    """A name that nothing answers to; says what there is and which known name is nearest."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.what, self.name, self.known = what, name, tuple(sorted(known))
        super().__init__(what, name, self.known)

    def __str__(self) -> str:
        hint = nearest_hint(self.name, self.known)
        return f"unknown {self.what} {self.name!r}{hint}; known: {', '.join(self.known) or 'none'}"


class MissingExtraError(PermanentError):
    """A package that an optional part needs is not installed. extra: empty for one that is installed by itself."""

    def __init__(self, package: str, extra: str) -> None:
        self.package, self.extra = package, extra
        super().__init__(package, extra)

    def __str__(self) -> str:
        wanted = f"'katib-engine[{self.extra}]'" if self.extra else self.package
        return f"package {self.package!r} is not installed; install it with: pip install {wanted}"


class NotFoundError(PermanentError):
    """No experiment, trial or suggestion of that name."""


class AlreadyExistsError(PermanentError):
    """The name is taken by something else."""


class FencedError(PermanentError):
    """Another controller has taken the experiment over; writes with the old fencing number are refused."""


class CorruptRecordError(PermanentError):
    """A stored record does not match its checksum."""


class AlgorithmError(PermanentError):
    """An algorithm or stopper raised, or answered outside its contract."""


class RunnerError(PermanentError):
    """A trial cannot be started at all: the message becomes the trial's reason."""


class ConflictError(RetryableError):
    """A compare-and-set lost against another writer. Read again and decide again."""


class LeaseHeldError(RetryableError):
    """A live controller owns the experiment."""


class UnavailableError(RetryableError):
    """A service or a database does not answer for now."""


def join_path(parent: str, child: str) -> str:
    """``spec`` + ``parameters[0]`` -> ``spec.parameters[0]``; either side may be empty."""
    if not parent or not child:
        return parent or child
    return f"{parent}{child}" if child.startswith("[") else f"{parent}.{child}"


def nearest_hint(name: str, known: Sequence[str]) -> str:
    """`` (did you mean 'x'?)`` for the known name nearest to ``name``, or an empty text."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[found[0]]!r}?)" if found else ""
