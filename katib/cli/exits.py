"""Exit statuses, and errors as lines for people: the only place that turns an exception into either."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from katib.core.errors import (
    KatibError,
    LeaseHeldError,
    NotFoundError,
    PermanentError,
    Problem,
    SpecError,
    UnknownNameError,
)

# As docs/cli.md has them.
OK, FAILED, USAGE, NOT_FOUND, TIME_OUT, INTERRUPTED = 0, 1, 2, 3, 4, 130


def leave_pipe() -> None:
    """Write into nothing from now on: the reader of standard output (head, less) has left, which is no error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def exit_status(error: Exception) -> int:
    """The exit status of an error that ended a command: whose fault it was, not how deep it happened."""
    if isinstance(error, NotFoundError):
        return NOT_FOUND
    refused = isinstance(error, SpecError | UnknownNameError) or type(error) is PermanentError
    return USAGE if refused else FAILED


def error_lines(error: Exception) -> list[str]:
    """What is printed of an error, a line for each problem: ``error: FILE:LINE: path: what is wrong``."""
    if isinstance(error, SpecError):
        return [f"error: {line}" for line in problem_lines(error.problems, error.source)]
    if isinstance(error, OSError) and error.filename is not None:
        return [f"error: {error.filename}: {error.strerror}"]
    if isinstance(error, KatibError | OSError):
        lines = [f"error: {line}" for line in str(error).splitlines()]
        return [*lines, "watch it with: katib get trials -w"] if isinstance(error, LeaseHeldError) else lines
    return [
        f"error: {type(error).__name__}: {error}",
        "this is a defect of katib or of code that it loaded; KATIB_TRACEBACK=1 shows where",
    ]


def problem_lines(problems: tuple[Problem, ...], source: str) -> Iterator[str]:
    """``FILE:LINE: path: message``, as compilers write it, so that editors jump there."""
    for problem in problems:
        line = str(problem.line) if problem.line is not None else ""
        place = ":".join(filter(None, (source, line))) if source else f"line {line}" if line else ""
        yield ": ".join(filter(None, (place, problem.path, problem.message)))
