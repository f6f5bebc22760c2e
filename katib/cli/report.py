"""The best-trial block: parameters, metrics, and the command that runs that trial again."""

from __future__ import annotations

import shlex
from pathlib import Path

from katib.cli.output import duration, number
from katib.compose import Workshop
from katib.core.errors import KatibError
from katib.core.experiment import Experiment
from katib.core.trial import AttemptId, Trial, TrialState
from katib.engine.plan import Tally
from katib.resources import jobs, python_function, template


def end_line(experiment: Experiment, *, interrupted: bool = False, timed_out: bool = False) -> str:
    """One line on how the experiment stands."""
    status, name = experiment.status, experiment.key.name
    if status.verdict is not None:
        word = "succeeded" if status.verdict.succeeded else "failed"
        took = ""
        if status.started is not None and status.finished is not None:
            took = f" in {duration(status.finished - status.started)}"
        return f"\nexperiment {name} {word}{took}: {status.message} ({status.verdict.value})"
    completed = Tally(status.counts).completed
    why = "time is up" if timed_out else "interrupted" if interrupted else "stopped"
    return f"\nexperiment {name} {why} after {completed} finished trials; go on with: katib resume {name}"


def best_report(workshop: Workshop, experiment: Experiment) -> str:
    """The block that ends a run; says so if there is no best trial."""
    status, objective = experiment.status, experiment.spec.objective
    if status.best is None:
        return f"no best trial: {_why_none(experiment)}\n"
    trial = workshop.store.trial(experiment.key, status.best_name)
    lines = [f"best trial  {trial.name}  (number {trial.number}, {trial.state.value})"]
    for metric in objective.metrics:
        if summary := trial.observation.get(metric):
            strategy = objective.strategy(metric)
            value = summary.by(strategy)
            lines.append(
                f"  {metric} = {number(value) if value is not None else summary.latest_text}  ({strategy.value})"
            )
    width = max((len(name) for name in trial.parameters), default=0)
    lines += [f"  {name.ljust(width)}  {_text(experiment, trial, name)}" for name in trial.parameters]
    lines.append(f"  seed {experiment.spec.seed}")
    lines.append(f"  files {attempt_folder(workshop, experiment, trial)}")
    if command := rerun_command(experiment, trial):
        lines.append(f"run it again:\n  {command}")
    return "\n".join(lines) + "\n"


def rerun_command(experiment: Experiment, trial: Trial) -> str:
    """A shell line that runs the trial's command again; empty for a trial that is no command."""
    spec = experiment.spec
    if not spec.template.document or python_function.is_python_function(spec.template.document):
        return ""
    try:
        container = jobs.primary_container(template.render(spec, trial), spec.template.primary_container)
    except KatibError:
        return ""
    settings = [f"{name}={shlex.quote(value)}" for name, value in container.env.items()]
    return " ".join([*settings, shlex.join(container.argv)])


def attempt_folder(workshop: Workshop, experiment: Experiment, trial: Trial) -> Path:
    """The folder of a local trial's last attempt."""
    id = AttemptId(experiment.key, trial.name, trial.attempt)
    return workshop.trials_folder / id.key.namespace / id.key.name / id.trial / str(id.attempt)


def _text(experiment: Experiment, trial: Trial, name: str) -> str:
    space, value = experiment.spec.space, trial.parameters[name]
    return space[name].format(value) if name in space else str(value)


def _why_none(experiment: Experiment) -> str:
    counts = experiment.status.counts
    if not sum(counts.values()):
        return "no trial has run"
    failed = counts.get(TrialState.FAILED, 0) + counts.get(TrialState.METRICS_UNAVAILABLE, 0)
    return f"{failed} trials failed or gave no metric; see: katib get trials {experiment.key.name} -o wide"
