"""How answers are printed: kubectl's tables, JSON and YAML; ages, durations and numbers for people."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

import click
import yaml

from katib.core.objective import Objective
from katib.core.texts import count as count
from katib.core.texts import duration as duration
from katib.core.texts import number as number
from katib.core.texts import parameters_text
from katib.core.trial import Trial

Row = Sequence[str]

ESCAPED = "backslashreplace"  # what a trial printed may be no text


class TablePrinter:
    """Prints rows in columns three spaces apart, as kubectl does. Later rows go on with the widths of earlier ones."""

    def __init__(self) -> None:
        self._widths: list[int] = []

    def print(self, rows: Sequence[Row]) -> None:
        """Print ``rows``, each with the same number of cells; the first one may be the header."""
        for row in rows:
            known = self._widths or [0] * len(row)
            self._widths = [max(width, len(cell)) for width, cell in zip(known, row, strict=True)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, self._widths, strict=True))
            click.echo("   ".join(cells).rstrip())


def print_table(header: Row, rows: Sequence[Row]) -> None:
    """Print a table at once."""
    TablePrinter().print([header, *rows])


def print_object(value: Any, output: str) -> None:
    """Print a resource or a List as ``json`` or ``yaml``."""
    if output == "json":
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        click.echo(yaml.safe_dump(value, sort_keys=False, allow_unicode=True), nl=False)


@contextmanager
def opened_output(output: Path | None) -> Iterator[TextIO]:
    """Standard output, or a file that is there only once all of it is written."""
    if output is None or str(output) == "-":
        with open(sys.stdout.fileno(), "w", encoding="utf-8", errors=ESCAPED, newline="", closefd=False) as file:
            yield file
        return
    descriptor, name = tempfile.mkstemp(dir=output.absolute().parent, prefix=f".{output.name}-")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors=ESCAPED, newline="") as file:
            yield file
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(output)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _umask() -> int:
    """The process's file mode mask, which can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def age(since: float | None, now: float | None = None) -> str:
    """Time since ``since`` in kubectl's short form: 5s, 12m, 3h20m, 4d."""
    return duration((now or time.time()) - since) if since is not None else "<none>"


def parameters(trial: Trial) -> str:
    """``lr=0.01 units=64``: floats shortened to four digits."""
    return parameters_text(trial.parameters)


def latest(objective: Objective, trial: Trial) -> str:
    """The newest value of the objective metric; a text (a genotype) as it was reported."""
    summary = trial.observation.get(objective.metric)
    return "" if summary is None else number(summary.latest) or summary.latest_text
