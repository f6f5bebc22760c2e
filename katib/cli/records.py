"""Trials as records for other programs, and records as CSV, TSV, JSON, lines of JSON, or YAML, one at a time."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

import yaml

from katib.core.experiment import Experiment
from katib.core.trial import Trial
from katib.engine.names import trial_seed
from katib.resources.status_conditions import rfc3339_exact

Record = dict[str, Any]

# Columns that every trial has; parameters, metrics and labels follow. seed: the trial's own, $KATIB_SEED; search_seed:
# the experiment's.
FACTS = (
    *("trial", "number", "state", "value", "attempt", "parent", "created", "started", "finished", "seconds", "seed"),
    *("reason", "failure", "experiment", "namespace", "algorithm", "search_seed"),
)
SUMMARY = ("value", "min", "max", "latest", "reports")

_FORMULA = re.compile(r"[=+\-@\t\r]")
_LINE_ENDS = re.compile("[\x85\u2028\u2029]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Format:
    """table: rows of the same columns. delimiter: between their cells."""

    table: bool
    delimiter: str = ","


FORMATS: Mapping[str, Format] = {
    "csv": Format(table=True),
    "tsv": Format(table=True, delimiter="\t"),
    "json": Format(table=False),
    "jsonl": Format(table=False),
    "yaml": Format(table=False),
}


def trial_record(experiment: Experiment, trial: Trial) -> Record:
    """What is exported of a trial. Typed values; times in RFC 3339; None where there is nothing."""
    spec, objective = experiment.spec, experiment.spec.objective
    times = (trial.created, trial.started, trial.finished)
    ran = None if trial.started is None or trial.finished is None else round(trial.finished - trial.started, 6)
    facts = (
        *(trial.name, trial.number, trial.state.value, objective.value(trial.observation), trial.attempt, trial.parent),
        *(None if time is None else rfc3339_exact(time) for time in times),
        *(ran, trial_seed(spec.seed, trial.number), trial.reason, trial.failure.value if trial.failure else None),
        *(experiment.key.name, experiment.key.namespace, spec.algorithm.name, spec.seed),
    )
    metrics = {
        name: dict(
            zip(SUMMARY, (s.by(objective.strategy(name)), s.minimum, s.maximum, s.latest_text, s.count), strict=True)
        )
        for name, s in trial.observation.items()
    }
    record: Record = dict(zip(FACTS, facts, strict=True))
    return {**record, "parameters": dict(trial.parameters), "metrics": metrics, "labels": dict(trial.labels)}


def flat(record: Record) -> Record:
    """A record with paths for keys: ``metrics.loss.value``."""
    cells: Record = {}
    for name, value in record.items():
        cells |= (
            {f"{name}.{inner}": each for inner, each in flat(value).items()}
            if isinstance(value, dict)
            else {name: value}
        )
    return cells


class Columns:
    """The columns of a table of trials: those of the experiment's own parameters and metrics first, in its order; then
    what else the trials have, in order of the alphabet."""

    def __init__(self, experiment: Experiment) -> None:
        self._parameters = [parameter.name for parameter in experiment.spec.space]
        self._metrics = list(experiment.spec.objective.metrics)
        self._seen: dict[str, set[str]] = {"parameters": set(), "metrics": set(), "labels": set()}

    def see(self, trial: Trial) -> None:
        """Take note of what a trial has."""
        self._seen["parameters"].update(trial.parameters)
        self._seen["metrics"].update(trial.observation)
        self._seen["labels"].update(trial.labels)

    @property
    def names(self) -> tuple[str, ...]:
        """All columns."""
        parameters = _ordered(self._parameters, self._seen["parameters"])
        metrics = _ordered(self._metrics, self._seen["metrics"])
        return (
            *FACTS,
            *(f"parameters.{name}" for name in parameters),
            *(f"metrics.{name}.{part}" for name in metrics for part in SUMMARY),
            *(f"labels.{name}" for name in sorted(self._seen["labels"])),
        )


def _ordered(first: Sequence[str], seen: set[str]) -> list[str]:
    return [*first, *sorted(seen.difference(first))]


def write_records(file: TextIO, form: str, records: Iterable[Record], columns: Sequence[str], *, raw: bool) -> None:
    """Write records one by one. columns: of a table; what a record has beside them is left out. raw: no guard against
    formulas."""
    if FORMATS[form].table:
        delimiter = FORMATS[form].delimiter
        file.write(_row(columns, delimiter))
        rows = ([_cell(record.get(column), raw=raw) for column in columns] for record in records)
        file.writelines(_row(row, delimiter) for row in rows)
    elif form == "json":
        file.writelines(_json_list(records))
    elif form == "jsonl":
        file.writelines(f"{_json(record)}\n" for record in records)
    else:
        file.writelines(_yaml_list(records))


def _row(cells: Sequence[str], delimiter: str) -> str:
    """A line of a table. The writer quotes what stands in its own line end, so it is given both characters of one."""
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return line.getvalue().removesuffix("\r\n") + "\n"


def _json_list(records: Iterable[Record]) -> Iterator[str]:
    before = "[\n"
    for record in records:
        yield f"{before}  {_json(record)}"
        before = ",\n"
    yield "[]\n" if before == "[\n" else "\n]\n"


def _json(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False)


def _yaml_list(records: Iterable[Record]) -> Iterator[str]:
    empty = True
    for record in records:
        empty = False
        text = yaml.safe_dump([record], sort_keys=False, allow_unicode=True)
        unsafe = _LINE_ENDS.search(text)  # written as they are, they are read as line ends
        yield yaml.safe_dump([record], sort_keys=False) if unsafe else text
    if empty:
        yield "[]\n"


def _cell(value: Any, *, raw: bool) -> str:
    """A cell's text; numbers with all their digits, booleans as in JSON. A text that a spreadsheet would run gets a
    quote before it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, float) else str(value)
    dangerous = not raw and isinstance(value, str) and _FORMULA.match(text) and not _NUMBER.fullmatch(text)
    return f"'{text}" if dangerous else text
