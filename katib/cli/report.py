"""How a run ends for people: a line on how the experiment stands, and the best-trial block with the command that runs
that trial again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from katib.cli.output import count, duration, number
from katib.cli.solutions import front_lines, runs_text
from katib.cli.workshop import in_namespace
from katib.compose import Workshop
from katib.core.errors import KatibError
from katib.core.experiment import Experiment
from katib.core.trial import AttemptId, Trial, TrialState, Value
from katib.engine.names import trial_seed
from katib.engine.plan import Tally
from katib.engine.summary import MAY_BE_BEST
from katib.resources import jobs, python_function, template

Rows = list[tuple[str, ...]]


def end_line(experiment: Experiment, why: str = "stopped") -> str:
    """One line on how the experiment stands. ``why``: what ended its run, if it did not end itself."""
    status, name = experiment.status, experiment.key.name
    if status.verdict is not None:
        word = "succeeded" if status.verdict.succeeded else "failed"
        took = ""
        if status.started is not None and status.finished is not None:
            took = f" in {duration(status.finished - status.started)}"
        return f"experiment {name} {word}{took}: {status.message} ({status.verdict.value})"
    completed = Tally(status.counts).completed
    return f"experiment {name} {why} after {count(completed, 'finished trial')}; {go_on_with(experiment)}"


def go_on_with(experiment: Experiment) -> str:
    """How an experiment that nothing runs goes on."""
    name = experiment.key.name
    if not experiment.spec.template.document:
        return f"go on with: katib.Optimizer(..., name={name!r})"
    return f"go on with: katib resume {name}{in_namespace(experiment.key.namespace)}"


def best_report(workshop: Workshop, experiment: Experiment) -> str:
    """The block that ends a run; says so if there is no best trial."""
    if experiment.status.best is None:
        return f"no best trial: {_why_none(experiment)}"
    trial = workshop.store.trial(experiment.key, experiment.status.best_name)
    objective = experiment.spec.objective
    together = workshop.store.trials(experiment.key) if objective.repeats > 1 or objective.others else ()
    facts: Rows = [("seed", str(trial_seed(experiment.spec.seed, trial.number)))]
    if objective.repeats > 1:
        facts.append(("repeats", runs_text(objective, trial, together)))
    if (folder := attempt_folder(workshop, experiment, trial)).is_dir():
        facts.append(("files", str(folder)))
    sections: dict[str, Rows] = {
        "metrics": metric_rows(experiment, trial),
        "parameters": parameter_rows(experiment, trial),
    }
    width = max(len(row[0]) for rows in (*sections.values(), facts) for row in rows)
    lines = [f"best trial {trial.name} (number {trial.number}, {trial.state.value})"]
    for title, rows in sections.items():
        lines += [f"  {title}", *(f"    {'  '.join([name.ljust(width), *cells])}" for name, *cells in rows)]
    lines += [f"  {name.ljust(width + 2)}  {text}" for name, text in facts]
    if command := rerun_command(experiment, trial):
        lines += ["run it again:", f"  {command}"]
    return "\n".join([*lines, *(front_lines(objective, together) if objective.others else ())])


def metric_rows(experiment: Experiment, trial: Trial) -> Rows:
    """(name, value, strategy) of the metrics that the experiment names and the trial reported."""
    objective = experiment.spec.objective
    rows: list[tuple[str, str, str]] = []
    for metric in objective.metrics:
        if summary := trial.observation.get(metric):
            strategy = objective.strategy(metric)
            value = summary.by(strategy)
            rows.append((metric, number(value) if value is not None else summary.latest_text, f"({strategy.value})"))
    width = max((len(row[1]) for row in rows), default=0)
    return [(metric, text.ljust(width), strategy) for metric, text, strategy in rows]


def parameter_rows(experiment: Experiment, trial: Trial) -> Rows:
    """(name, value) with all digits, as the trial got it."""
    space = experiment.spec.space
    return [(name, template.value_text(space, name, value)) for name, value in trial.parameters.items()]


def rerun_command(experiment: Experiment, trial: Trial) -> str:
    """A shell line that runs the trial's command or function again; empty if there is none (any more)."""
    spec = experiment.spec
    if not spec.template.document:
        return ""
    if entry_point := python_function.entry_point(spec.template.document):
        module, _, function = entry_point.partition(":")
        values = ", ".join(f"{_literal(name)}: {_literal(value)}" for name, value in trial.parameters.items())
        return shlex.join(["python", "-c", f"from {module} import {function}; print({function}({{{values}}}))"])
    try:
        container = jobs.primary_container(template.render(spec, trial), spec.template.primary_container)
    except KatibError:
        return ""
    settings = [f"{name}={shlex.quote(value)}" for name, value in container.env.items()]
    return " ".join([*settings, shlex.join(container.argv)])


def _literal(value: Value) -> str:
    """Python's text of a value, in double quotes, since it stands in a shell's single ones."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def attempt_folder(workshop: Workshop, experiment: Experiment, trial: Trial) -> Path:
    """The folder of a local trial's last attempt."""
    id = AttemptId(experiment.key, trial.name, trial.attempt)
    return workshop.trials_folder / id.key.namespace / id.key.name / id.trial / str(id.attempt)


def _why_none(experiment: Experiment) -> str:
    counts = experiment.status.counts
    if not sum(counts.values()):
        return "no trial has run"
    good = sum(counts.get(state, 0) for state in MAY_BE_BEST)
    objective = experiment.spec.objective
    if good and objective.constraints:
        constraints = "; ".join(constraint.text for constraint in objective.constraints)
        return f"none of {count(good, 'trial')} with a value satisfies {constraints}"
    if good and objective.repeats > 1:
        return f"no parameters have had all their {objective.repeats} runs yet"
    failed = counts.get(TrialState.FAILED, 0) + counts.get(TrialState.METRICS_UNAVAILABLE, 0)
    if not failed:
        return "no trial has finished by itself"
    see = f"katib get trials {experiment.key.name}{in_namespace(experiment.key.namespace)} -o wide"
    return f"{count(failed, 'trial')} failed or gave no metric; see: {see}"
