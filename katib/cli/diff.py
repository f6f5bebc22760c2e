"""``katib diff``: two trials side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from katib.cli.exits import OK
from katib.cli.output import TablePrinter, number, print_object
from katib.cli.workshop import find_trial, namespace_option, open_workshop, output_option, split_names, store_option
from katib.core.experiment import Experiment
from katib.core.trial import Trial

SHOWN = 40  # characters of a value in the table; json and yaml have all
Facts = dict[str, Any]


@click.command(short_help="Compare two trials: parameters, settings, metrics")
@click.argument("words", nargs=-1, required=True, metavar="TRIAL TRIAL")
@namespace_option
@click.option("--all", "everything", is_flag=True, help="Also what both have in common")
@output_option("table", "json", "yaml")
@store_option
def diff(words: tuple[str, ...], namespace: str, everything: bool, output: str, store: str) -> int:
    """Show in what two trials differ; they may be of different experiments.

    \b
    Examples:
      katib diff my-experiment-x7k2m9qf my-experiment-b5d8n2wc
      katib diff my-experiment-x7k2m9qf other-experiment-c6f9p4zt --all -o json
    """
    named = split_names(words, default="trial")
    if len(named) != 2 or any(kind != "trial" for kind, _ in named):
        raise click.UsageError(f"got {' '.join(words)!r}, expected the names of two trials")
    with open_workshop(store) as workshop:
        first, second = (_facts(*find_trial(workshop.store, namespace, name)) for _, name in named)
    fields = [f for f in dict.fromkeys([*first, *second]) if everything or first.get(f) != second.get(f)]
    names = [name for _, name in named]
    if output != "table":
        found = [
            {"field": field, "values": [first.get(field), second.get(field)]} for field in sorted(fields, key=_place)
        ]
        print_object({"trials": names, "fields" if everything else "differences": found}, output)
    elif not fields:
        click.echo("no differences")
    else:
        rows = [_row(field, first.get(field), second.get(field)) for field in sorted(fields, key=_place)]
        TablePrinter().print([("FIELD", *names, "CHANGE"), *rows])
    return OK


def _facts(experiment: Experiment, trial: Trial) -> Facts:
    """All that is compared, by field."""
    spec, objective = experiment.spec, experiment.spec.objective
    ran = None if trial.started is None or trial.finished is None else round(trial.finished - trial.started, 3)
    facts: Facts = {
        "state": trial.state.value,
        "reason": " ".join(trial.reason.split()),
        "attempt": trial.attempt,
        "seconds": ran,
    }
    facts |= {f"parameters.{name}": value for name, value in trial.parameters.items()}
    for metric, summary in trial.observation.items():
        value = summary.by(objective.strategy(metric))
        facts[f"metrics.{metric}"] = summary.latest_text if value is None else value
    facts |= {f"labels.{name}": value for name, value in trial.labels.items()}
    facts |= {"experiment": experiment.key.name, "seed": spec.seed, "algorithm": spec.algorithm.name}
    facts |= {f"algorithm.{name}": value for name, value in spec.algorithm.settings.items()}
    return {field: value for field, value in facts.items() if value not in (None, "")}


def _place(field: str) -> int:
    """Where a field stands: what was tried, what came of it, and the rest."""
    sections = ("parameters.", "metrics.", "state", "reason", "seconds", "attempt", "labels.", "algorithm", "seed")
    return next((index for index, section in enumerate(sections) if field.startswith(section)), len(sections))


def _row(field: str, first: Any, second: Any) -> tuple[str, ...]:
    return field, _text(field, first), _text(field, second), "".join(_change(first, second))


def _text(field: str, value: Any) -> str:
    if field == "seconds":
        return number(value)
    text = "" if value is None else repr(value) if isinstance(value, float) else str(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def _change(first: Any, second: Any) -> Iterator[str]:
    """By how much a number differs, and by which part of it."""
    numbers = [value for value in (first, second) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) == 2 and first != second:
        yield f"{second - first:+.4g}"
        if first:
            yield f" ({(second - first) / abs(first):+.1%})"
