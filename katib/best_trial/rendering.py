"""A best-trial report as text for a terminal, as a tree for JSON and YAML, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from katib.best_trial.report import BestTrialReport, MetricReport, Repeats, Solution
from katib.core.texts import count, duration, in_namespace, number, parameters_text

SHOWN = 10  # trials of the front

Rows = list[tuple[str, ...]]


def as_document(report: BestTrialReport) -> dict[str, Any]:
    """The report as plain values: typed parameters, None where there is nothing."""
    tree = asdict(report)
    del tree["texts"]  # the parameters once more
    return {**tree, "metrics": list(tree["metrics"]), "front": list(tree["front"])}


def as_text(report: BestTrialReport) -> str:
    """The block that ends a run."""
    metrics = [
        (metric.name, _value(metric), f"({metric.strategy})" if metric.value is not None else "")
        for metric in report.metrics
    ]
    wide = max((len(value) for _, value, strategy in metrics if strategy), default=0)
    sections: dict[str, Rows] = {
        "metrics": [(name, f"{value.ljust(wide)}  {strategy}".rstrip()) for name, value, strategy in metrics],
        "parameters": list(report.texts.items()),
    }
    facts: Rows = [*_facts(report)]
    names = [row[0] for rows in (*sections.values(), facts) for row in rows]
    width = max(map(len, names))
    lines = [f"best trial {report.trial} (number {report.number}, {report.state})"]
    for title, rows in sections.items():
        lines += [f"  {title}", *(f"    {'  '.join([name.ljust(width), *cells])}" for name, *cells in rows)]
    lines += [f"  {name.ljust(width + 2)}  {text}" for name, text in facts]
    if report.command:
        lines += ["run it again:", f"  {report.command}"]
    return "\n".join([*lines, *_front_lines(report)])


def as_markdown(report: BestTrialReport) -> str:
    """The report as a page of its own."""
    about = [("trial", f"{report.trial} (number {report.number}, {report.state})"), ("algorithm", report.algorithm)]
    metrics = [
        (m.name, m.direction, _value(m), m.strategy, number(m.min), number(m.max), number(m.latest) or m.latest_text)
        for m in report.metrics
    ]
    head = ("metric", "direction", "value", "strategy", "min", "max", "latest")
    parts = [
        f"# Best trial of {_escaped(report.experiment)}",
        _table(("", ""), [*about, *_facts(report)]),
        "## Parameters",
        _table(("parameter", "value"), list(report.texts.items())),
        "## Metrics",
        _table(head, metrics),
    ]
    if report.architecture:
        drawn = f"`katib nas draw {report.experiment}{in_namespace(report.namespace)} -o best.svg` draws it."
        parts += ["## Architecture", _fenced(report.architecture, ""), drawn]
    if report.command:
        parts += ["## Run it again", _fenced(report.command, "sh")]
    if report.front:
        names = list(report.front[0].values)
        parts += ["## Trials that none beats in every objective", _table(("trial", *names, ""), _front_rows(report))]
    return "\n\n".join(parts)


def repeats_text(repeats: Repeats, metric: str) -> str:
    """How far the runs of the same parameters lie apart: ``3 runs, accuracy 0.91, 95 % interval 0.88 to 0.94``."""
    text = f"{count(repeats.runs, 'run')}, {metric} {number(repeats.mean)}"
    if repeats.low is None:
        return text
    return f"{text}, 95 % interval {number(repeats.low)} to {number(repeats.high)}"


def _facts(report: BestTrialReport) -> list[tuple[str, str]]:
    """(name, text) of what stands beside parameters and metrics."""
    own = "" if report.seed is None else f" (the experiment's: {report.seed})"
    facts = [("seed", f"{report.trial_seed}{own}")]
    if report.repeats is not None:
        facts.append(("repeats", repeats_text(report.repeats, report.metrics[0].name)))
    if report.seconds is not None:
        facts.append(("ran for", duration(report.seconds)))
    if report.architecture:
        facts.append(("drawn by", f"katib nas draw {report.experiment}{in_namespace(report.namespace)}"))
    folders = (("files", report.files), ("checkpoint", report.checkpoint))
    return [*facts, *((name, folder) for name, folder in folders if folder)]


def _value(metric: MetricReport) -> str:
    return number(metric.value) if metric.value is not None else metric.latest_text


def _front_lines(report: BestTrialReport) -> list[str]:
    """The front as a table."""
    if not report.front:
        return []
    rows = [("", *report.front[0].values, ""), *_front_rows(report)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    table = [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    more = len(report.front) - SHOWN
    title = f"trials that none beats in every objective: {len(report.front)}"
    return [title, *table, *([f"  and {more} more"] if more > 0 else [])]


def _front_rows(report: BestTrialReport) -> Rows:
    return [_front_row(solution) for solution in report.front[:SHOWN]]


def _front_row(solution: Solution) -> tuple[str, ...]:
    return (solution.trial, *map(number, solution.values.values()), parameters_text(solution.parameters))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(_escaped, cells))} |" for cells in lines)


def _escaped(text: str) -> str:
    """A text as a cell: whatever means something to Markdown there is taken as it stands."""
    line = " ".join(text.split("\n"))
    return "".join(f"\\{each}" if each in "\\|`*_<>[]" else each for each in line)


def _fenced(text: str, language: str) -> str:
    """A block of code, however many backticks there are in it."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
