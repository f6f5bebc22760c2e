"""How a run ends for people: a line on how the experiment stands, and the best-trial block with the command that runs
that trial again."""

from __future__ import annotations

from katib.best_trial import as_text, read_best_trial, why_none
from katib.cli.output import count, duration
from katib.cli.workshop import in_namespace
from katib.compose import Workshop
from katib.core.experiment import Experiment
from katib.core.trial import Trial
from katib.engine.plan import Tally
from katib.resources import template

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
    report = read_best_trial(workshop.store, workshop.trials_folder, experiment)
    return f"no best trial: {why_none(experiment)}" if report is None else as_text(report)


def parameter_rows(experiment: Experiment, trial: Trial) -> Rows:
    """(name, value) with all digits, as the trial got it."""
    space = experiment.spec.space
    return [(name, template.value_text(space, name, value)) for name, value in trial.parameters.items()]
