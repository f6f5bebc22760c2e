"""Floor 5, below ``katib.compose``: which runner an experiment gets, and what that one is told."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from katib.core.errors import PermanentError, Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.naming import load
from katib.core.ports import Runner
from katib.core.trial import AttemptId
from katib.options import Objective, Options
from katib.resources import python_function
from trial_runners import RUNNERS

# What calls a function, and so gets its metrics from what that returns or reports.
FUNCTION_RUNNERS = ("process", "inline")
# What keeps the trials' folders of this machine for itself as well.
CLUSTERS = ("ray", "kubernetes")
_READ_BESIDE = ("TensorFlowEvent", "PrometheusMetric", "Custom")


@dataclass(frozen=True, slots=True)
class Place:
    """trials: folder of the trials' own folders on this machine. settled: whether the end of an attempt is on record,
    so that nobody will ask its runner for it again."""

    trials: Path
    settled: Callable[[AttemptId], bool]


def check_collector(options: Options, spec: ExperimentSpec) -> None:
    """Raises SpecError if the runner cannot feed the experiment's metrics collector."""
    kind = spec.collector.kind
    if kind in _READ_BESIDE and (
        options.runner in FUNCTION_RUNNERS or (options.runner == "ray" and _calls(options, spec))
    ):
        expected = f"what the runner {options.runner!r} calls returns its metrics or reports them"
        problem = f"got {kind!r}, expected StdOut, File or Push: {expected}"
        raise SpecError([Problem("spec.metricsCollectorSpec.collector.kind", problem)])


def build_runner(options: Options, spec: ExperimentSpec, place: Place) -> Runner:
    """The runner of one experiment. Raises SpecError, PermanentError, MissingExtraError, UnavailableError."""
    if not isinstance(options.runner, str):
        return options.runner
    kind = load("runner", options.runner, RUNNERS)
    runner: Runner
    if options.runner == "ray":
        objective = _objective(options, spec) if _calls(options, spec) else None
        runner = kind(
            options.function_folder or place.trials,
            settings=options.ray,
            objective=objective,
            metric=spec.objective.metric,
            parallel=spec.budget.parallel,
            document=spec.template.document,
        )
    elif options.runner == "kubernetes":
        _refuse_workers(options, spec)
        runner = kind(
            options.function_folder or place.trials,
            settings=options.kubernetes,
            key=spec.key,
            template=spec.template,
            settled=place.settled,
            function=(_objective(options, spec), spec.objective.metric) if _calls(options, spec) else None,
        )
    elif options.runner in FUNCTION_RUNNERS:
        folder = options.function_folder if options.objective is not None else place.trials
        extra = _process_arguments(spec) if options.runner == "process" else {}
        _refuse_workers(options, spec)
        runner = kind(_objective(options, spec), metric=spec.objective.metric, root=folder, **extra)
    else:
        runner = kind(place.trials)
    return runner


def _process_arguments(spec: ExperimentSpec) -> dict[str, Any]:
    needs = python_function.needs(spec.template.document)
    return {"workers": spec.budget.parallel, "isolate": needs.isolate}


def _refuse_workers(options: Options, spec: ExperimentSpec) -> None:
    workers = python_function.needs(spec.template.document).workers
    if workers > 1:
        problem = f"got {workers}: the runner {options.runner!r} has one worker a trial, use --runner ray"
        raise SpecError([Problem("spec.trialTemplate.trialSpec.spec.workers", problem)])


def _calls(options: Options, spec: ExperimentSpec) -> bool:
    """Whether trials are calls of a function."""
    return options.objective is not None or python_function.is_python_function(spec.template.document)


def _objective(options: Options, spec: ExperimentSpec) -> Objective:
    if options.objective is not None:
        return options.objective
    name = python_function.entry_point(spec.template.document)
    if not name:
        kind = spec.template.document.get("kind", "none")
        raise PermanentError(
            f"runner {options.runner!r} calls a Python function, but the trial template's kind is {kind!r}; "
            f"use kind {python_function.KIND}, or --runner local"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a console script does not look for modules where it was called
    function: Objective = load("objective", name, {})
    return function
