"""The command that runs a trial again."""

from __future__ import annotations

import json
import shlex

from katib.core.errors import KatibError
from katib.core.experiment import Experiment
from katib.core.trial import Trial, Value
from katib.resources import jobs, python_function, template


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
