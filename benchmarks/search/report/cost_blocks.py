"""The parts of a report about seconds, wasted trials, and runs that are missing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.search.report import figures
from benchmarks.search.report.costs import (
    KNOWN,
    NEAR,
    constrained_problems,
    failing_problems,
    seconds_at,
    waste,
)
from benchmarks.search.report.document import Block, Cell, Gallery, Table, columns_with_best, heads, name_cell
from benchmarks.search.report.numbers import count_text, seconds_text, share_text
from benchmarks.search.report.study import Study


def seconds_blocks(study: Study) -> list[Block]:
    """Seconds per suggestion by how many trials were finished, for each number of workers."""
    blocks: list[Block] = []
    for setting in study.settings:
        workers = setting.regrets.workers
        names = [a for a in study.algorithms if a in setting.regrets.algorithms]
        found = {
            a: [seconds_at([r for r in study.runs_of(a) if r.workers == workers], n) for n in KNOWN] for a in names
        }
        reached = [i for i in range(len(KNOWN)) if any(found[a][i][2] for a in names)]
        if not reached:
            continue
        columns: list[tuple[Sequence[Cell], Sequence[float]]] = [([name_cell(a) for a in names], [np.nan] * len(names))]
        for i in reached:
            cells = [Cell(seconds_text(found[a][i][0]), seconds_text(found[a][i][1])) for a in names]
            columns.append((cells, [found[a][i][0] for a in names]))
        blocks.append(
            Table(
                title=setting.title,
                about="Median wall-clock seconds that one suggestion took when about so many trials were finished "
                f"(within {NEAR:.0%}), over all runs; below it the 90th percentile.",
                header=(Cell("algorithm"), *(Cell(f"n = {KNOWN[i]:,}") for i in reached)),
                rows=columns_with_best(columns),
            )
        )
        curves = {a: np.array([found[a][i][0] for i in reached]) for a in names}
        title = f"Seconds per suggestion, {setting.title.lower()}"
        known = [KNOWN[i] for i in reached]
        picture = figures.seconds_curves(f"seconds-w{workers}", title, known, curves, study.styles)
        blocks.append(Gallery("Both scales are logarithmic. Lower is better.", (picture,)))
    return blocks


def waste_blocks(study: Study) -> list[Block]:
    """Duplicates, failures and infeasible trials of each algorithm."""
    failing, constrained = failing_problems(study.runs), constrained_problems(study.runs)
    found = {a: waste(study.runs_of(a), failing, constrained) for a in study.algorithms}
    columns: list[tuple[Sequence[Cell], Sequence[float]]] = [
        ([name_cell(a) for a in study.algorithms], [np.nan] * len(found))
    ]
    kinds = [("duplicates", ""), ("failures", _some(failing)), ("infeasible", _some(constrained))]
    header = [Cell("algorithm")]
    for kind, where in kinds:
        if kind != "duplicates" and not where:
            continue
        for part, label in enumerate(("all", "first third", "last third")):
            values = [getattr(found[a], kind)[part] for a in study.algorithms]
            columns.append(([Cell(share_text(v)) for v in values], values))
            header.append(Cell(f"{kind}, {label}", where))
    return [
        Table(
            title="Share of trials that taught nothing new",
            about="Duplicates repeat parameters that were tried before. Failures are counted on problems where trials "
            "can fail, infeasible ones where there are constraints: whoever learns has fewer of them in the last third "
            "of a run than in the first.",
            header=tuple(header),
            rows=columns_with_best(columns),
        )
    ]


def _some(problems: frozenset[str]) -> str:
    return count_text(len(problems), "problem") if problems else ""


def absence_blocks(study: Study) -> list[Block]:
    """Runs that did not come to their end, and files that are no logs."""
    blocks: list[Block] = []
    ended: dict[tuple[str, str], list[tuple[str, int, int]]] = {}
    for run in study.runs:
        if run.error:
            ended.setdefault((run.algorithm, run.error), []).append((run.problem, run.length, run.seed))
    rows = []
    for (algorithm, error), found in sorted(ended.items()):
        problems = sorted({problem for problem, _, _ in found})
        started = [length for _, length, _ in found if length]
        state = f"ended after {min(started)} to {max(started)} trials" if started else "could not start"
        of = len(study.runs_of(algorithm))
        rows.append(
            (name_cell(algorithm), Cell(f"{len(found)} of {of}"), Cell(state), Cell(", ".join(problems)), Cell(error))
        )
    if rows:
        blocks.append(
            Table(
                title="Runs that ended in an error, or could not start",
                about="What an algorithm cannot do at all counts here too. Problems that it did not complete are left "
                "out of the rankings that it is part of.",
                header=heads("algorithm", "runs", "state", "problems", "error"),
                rows=tuple(rows),
                words=frozenset({2, 3, 4}),
            )
        )
    blocks += [*_missing(study), *_unreadable(study)]
    return blocks


def _missing(study: Study) -> list[Block]:
    """Problems without any log, and runs that were exhausted, per algorithm."""
    rows = []
    for setting in study.settings:
        regrets = setting.regrets
        for a, algorithm in enumerate(regrets.algorithms):
            without = [p for i, p in enumerate(regrets.problems) if not regrets.logged[a, i].any()]
            runs = [run for run in study.runs_of(algorithm) if run.workers == regrets.workers]
            spent = sorted({run.problem for run in runs if run.exhausted})
            if without or spent:
                rows.append(
                    (
                        name_cell(algorithm),
                        Cell(str(regrets.workers)),
                        Cell(f"{len(without)} of {len(regrets.problems)}", ", ".join(without)),
                        Cell(str(len(spent)), ", ".join(spent)),
                    )
                )
    if not rows:
        return []
    return [
        Table(
            title="Problems that an algorithm was not run on, or exhausted",
            about="Not run: there is no log of it. Exhausted: the algorithm said that there are no further points; "
            "its last value is kept.",
            header=heads("algorithm", "workers", "not run", "exhausted"),
            rows=tuple(rows),
            folded=True,
        )
    ]


def _unreadable(study: Study) -> list[Block]:
    if not study.unreadable:
        return []
    rows = tuple((Cell(path), Cell(why)) for path, why in study.unreadable.items())
    about = "These files are left out."
    return [Table("Files that are no logs", about, heads("file", "why"), rows, words=frozenset({1}))]
