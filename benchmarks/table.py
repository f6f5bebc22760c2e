"""Rows of measurements, printed as a table and written as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. samples: what it is the median of. target: what is wanted of it, for people; met: whether it is."""

    case: str
    value: float
    unit: str
    target: str = ""
    met: bool | None = None
    samples: tuple[float, ...] = ()


def show(rows: Iterable[Row]) -> None:
    """Print the table."""
    lines = [("case", "value", "unit", "target", "")]
    marks = {True: "ok", False: "MISSED", None: ""}
    lines += [(row.case, _figure(row.value), row.unit, row.target, marks[row.met]) for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(5)]
    for line in lines:
        print(
            "  ".join(
                cell.rjust(w) if i == 1 else cell.ljust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
            )
        )


def _figure(value: float) -> str:
    """Counts in full, measurements with four digits."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def write(rows: Iterable[Row], path: Path) -> None:
    """Write the rows and the machine they were measured on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine()}
    path.write_text(json.dumps({"machine": machine, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    print(f"written to {path}")
