"""``katib export``: all trials of an experiment as a table or as records, or every measurement of their curves.

Trials are read and written page by page, so memory does not grow with their number. Columns of a table are known
before its first row: a look over all trials finds which parameters, metrics and labels there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from katib.cli.exits import OK
from katib.cli.output import opened_output
from katib.cli.records import FORMATS, Columns, flat, trial_record, write_records
from katib.cli.workshop import find_experiment, namespace_option, open_workshop, split_experiments, store_option
from katib.core.experiment import Experiment
from katib.core.ports import Store
from katib.core.trial import Trial
from katib.resources.status_conditions import rfc3339_exact

PAGE = 500  # trials in memory at a time
CURVE_COLUMNS = ("trial", "number", "attempt", "metric", "sequence", "step", "time", "value", "text")


@click.command(short_help="Write all trials of an experiment to CSV, JSON or YAML")
@click.argument("words", nargs=-1, required=True, metavar="[experiment] NAME")
@click.option(
    "--format",
    "form",
    type=click.Choice(tuple(FORMATS)),
    help="How to write them  [default: by the ending of FILE, else csv]",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Where to  [default: standard output]"
)
@click.option("--curves", is_flag=True, help="Every measurement of every attempt, instead of a record for each trial")
@click.option("--raw", is_flag=True, help="CSV, TSV: leave texts as they are that a spreadsheet takes for formulas")
@namespace_option
@store_option
def export(words: tuple[str, ...], output: Path | None, namespace: str, store: str, **flags: Any) -> int:
    """Write all trials of the experiment NAME: parameters, metrics, state, times, labels, seed; in order of number.

    A column of csv and tsv is a path into the record of json, jsonl and yaml (parameters.lr, metrics.loss.value); value
    is the objective's. Times are UTC. In csv and tsv a text that a spreadsheet would take for a formula (it begins with
    =, +, - or @ and is no number) gets a ' before it, unless --raw is given. FILE is written at once, at the end.

    \b
    Examples:
      katib export my-experiment -o trials.csv
      katib export my-experiment --format jsonl | jq -s 'map(.metrics.loss.value) | min'
      katib export my-experiment --curves -o curves.csv
    """
    keys = split_experiments(words, namespace, "exported")
    if len(keys) != 1:
        raise click.UsageError(f"one experiment is exported at a time, got {len(keys)}")
    form, raw = flags["form"] or _format_of(output), flags["raw"]
    with open_workshop(store) as workshop:
        experiment = find_experiment(workshop.store, keys[0])
        with opened_output(output) as file:
            if flags["curves"]:
                write_records(file, form, _measurements(workshop.store, experiment), CURVE_COLUMNS, raw=raw)
            else:
                columns = _columns(workshop.store, experiment).names if FORMATS[form].table else ()
                records = (trial_record(experiment, trial) for trial in _trials(workshop.store, experiment))
                write_records(file, form, map(flat, records) if columns else records, columns, raw=raw)
    return OK


def _format_of(output: Path | None) -> str:
    """By the file's ending, csv if it says nothing."""
    ending = output.suffix.lstrip(".").lower() if output is not None else ""
    return {"yml": "yaml", "ndjson": "jsonl"}.get(ending, ending if ending in FORMATS else "csv")


def _trials(store: Store, experiment: Experiment) -> Iterator[Trial]:
    start = 0
    while page := store.numbered(experiment.key, start, PAGE):
        yield from page
        start = page[-1].number + 1


def _columns(store: Store, experiment: Experiment) -> Columns:
    columns = Columns(experiment)
    for trial in _trials(store, experiment):
        columns.see(trial)
    return columns


def _measurements(store: Store, experiment: Experiment) -> Iterator[dict[str, Any]]:
    for trial in _trials(store, experiment):
        for _, (_, attempt, sequence, measurement) in store.curve(experiment.key, trial.number):
            values = (measurement.step, rfc3339_exact(measurement.time), measurement.value, measurement.text)
            cells = (trial.name, trial.number, attempt, measurement.metric, sequence, *values)
            yield dict(zip(CURVE_COLUMNS, cells, strict=True))
