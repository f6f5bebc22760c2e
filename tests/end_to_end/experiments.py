"""Experiments of commands on this machine, run through the whole engine: SQLite, local runner, collectors."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from katib.compose import Workshop
from katib.core.changes import Event
from katib.core.experiment import Budget, Component, Experiment, ExperimentSpec, TemplateParameter, TrialTemplate
from katib.core.objective import Objective
from katib.core.space import Real, SearchSpace
from katib.core.trial import Key, Trial
from katib.engine import lifecycle
from katib.options import Options
from tests.trial_runners import local_attempts

KEY = Key("default", "e2e")
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ran:
    """An experiment that has ended. lines: the metric texts of all attempts by trial number, in order of arrival."""

    experiment: Experiment
    trials: tuple[Trial, ...]
    lines: Mapping[int, list[str]]
    events: tuple[Event, ...]


def job(argv: Sequence[str], **container: Any) -> dict[str, Any]:
    """A Kubernetes Job whose command comes out as ``argv``, with ``${trialParameters.x}`` filled in."""
    words = [re.sub(r"\$(?!\{trialParameters)", "$$", word) for word in argv]  # Kubernetes takes $$ for $
    containers = [{"name": "main", "image": "example/image", "command": words, **container}]
    return {"apiVersion": "batch/v1", "kind": "Job", "spec": {"template": {"spec": {"containers": containers}}}}


def command_spec(argv: Sequence[str], *, container: Mapping[str, Any] | None = None, **fields: Any) -> ExperimentSpec:
    """An experiment of one trial that runs ``argv`` and minimises ``loss``, unless ``fields`` say otherwise."""
    space = fields.setdefault("space", SearchSpace((Real("x", 0.0, 1.0),)))
    parameters = tuple(TemplateParameter(parameter.name, parameter.name) for parameter in space)
    template = TrialTemplate(job(argv, **(container or {})), parameters, primary_container="main")
    given = {
        "objective": Objective("loss"),
        "algorithm": Component("random"),
        "budget": Budget(1, 1),
        "seed": 1,
        **fields,
    }
    return ExperimentSpec(KEY, template=template, **given)


def run(home: Path, spec: ExperimentSpec, **options: Any) -> Ran:
    """Run an experiment to its end; nothing of it may be left running then."""
    workshop = Workshop(Options(home, **options))
    with nothing_left(home):
        try:
            lifecycle.create(workshop.store, spec, {})
            controller = workshop.controller()
            controller.run(KEY)
            controller.close()
            return ran(workshop)
        finally:
            workshop.close()


def ran(workshop: Workshop) -> Ran:
    """What the store holds of it."""
    lines: dict[int, list[str]] = {}
    for number, recorded in workshop.store.curve(KEY):
        lines.setdefault(number, []).append(recorded.measurement.text)
    trials = tuple(sorted(workshop.store.trials(KEY), key=lambda trial: trial.number))
    return Ran(workshop.store.get(KEY), trials, lines, tuple(workshop.store.events(KEY, 1000)))


def living(home: Path) -> list[psutil.Process]:
    """Processes that trials of this home started."""
    return local_attempts.living(home / "trials")


@contextmanager
def nothing_left(home: Path, patience: float = 10.0) -> Iterator[None]:
    """Trials of this home have no process left soon after the block; if they have, the test fails and they end."""
    with local_attempts.nothing_left(home / "trials"):
        yield
        until(lambda: not living(home), patience)


def until(condition: Any, patience: float = 60.0) -> Any:
    """Wait until ``condition()`` holds; its value."""
    end = time.monotonic() + patience
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return value


def katib(home: Path, *arguments: str, prelude: str = "", **options: Any) -> subprocess.Popen[str]:
    """Start a ``katib`` command in a process of its own. prelude: Python that is executed before."""
    code = f"import sys\n{prelude}\nfrom katib.cli.main import main\nsys.exit(main())"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KATIB_")}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, **options}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**environment, "KATIB_HOME": str(home), "NO_COLOR": "1"},
        cwd=ROOT,
        text=True,
        **options,
    )
