"""Reads the logs below a folder and writes the report of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.search.report.runs import read_runs
from benchmarks.search.report.spreadsheets import problems_csv, ranks_csv
from benchmarks.search.report.study import study_of
from katib.core.errors import PermanentError
from katib.core.naming import load


def write_report(folder: Path, out: Path, algorithms: Sequence[str] | None = None) -> list[Path]:
    """Write report.html, report.md, problems.csv, ranks.csv and the pictures into ``out``; returns their paths, the
    page first. algorithms: those to compare, None for all that have runs. Raises PermanentError without a log or with
    what cannot be reported on, UnknownNameError on an algorithm without one, MissingExtraError without the packages
    that draw and write pages."""
    pages = load("report", "benchmarks.search.report.pages:pages", {})
    reading = read_runs(folder)
    if not reading.runs:
        raise PermanentError(f"no finished run below {folder}; make some with: katib bench run --out {folder}")
    study = study_of(reading if algorithms is None else reading.of(algorithms))
    files = {**pages(study), "problems.csv": problems_csv(study).encode(), "ranks.csv": ranks_csv(study).encode()}
    out.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (out / name).write_bytes(content)
    first = "report.html"
    return [out / first, *(out / name for name in files if name != first)]
