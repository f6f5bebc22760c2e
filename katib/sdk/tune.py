"""``katib.tune``: optimise a Python function on this machine."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from katib.compose import Options, Workshop
from katib.core.errors import Problem, SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec
from katib.core.objective import Direction, Objective
from katib.core.trial import Key
from katib.engine import lifecycle
from katib.sdk.arguments import TUNE, check
from katib.sdk.result import Result
from katib.sdk.search import Domain, space_of

METRIC = "objective"


def tune(  # noqa: PLR0913 - the public face: every argument after the space is a keyword
    objective: Callable[[dict[str, Any]], Any],
    space: Mapping[str, Domain],
    *,
    max_trials: int,
    parallel: int = 1,
    algorithm: str = "random",
    algorithm_settings: Mapping[str, object] | None = None,
    early_stopping: str | None = None,
    early_stopping_settings: Mapping[str, object] | None = None,
    direction: Literal["minimize", "maximize"] = "minimize",
    metric: str = METRIC,
    goal: float | None = None,
    max_failed: int | None = None,
    runner: Literal["process", "inline"] = "process",
    seed: int | None = None,
    folder: str | Path | None = None,
) -> Result:
    """Find the parameters that make ``objective(parameters)`` smallest (or largest).

    objective: takes a dict of typed values and returns a number, or a dict of metrics that has ``metric`` in it; or
    returns None and reports by ``katib.report_metrics``. space: name -> ``katib.search`` helper. parallel: trials at a
    time. runner: ``process`` runs trials in worker processes, ``inline`` in this thread, one by one, so that a debugger
    stops in them. seed: two runs with the same seed and ``parallel=1`` try the same parameters. folder: keep each
    trial's output there, and its checkpoints (``$KATIB_CHECKPOINT_DIR`` inside a trial), which Hyperband's promotions
    continue from.

    Raises SpecError for wrong arguments and UnknownNameError for an algorithm or early-stopping rule that there is not.
    A failing objective fails its trial, not the call.
    """
    check(TUNE, locals())
    if early_stopping_settings and not early_stopping:
        raise SpecError([Problem("early_stopping_settings", "given without early_stopping, the rule they are for")])
    spec = ExperimentSpec(
        key=Key("default", f"tune-{uuid.uuid4().hex[:8]}"),
        space=space_of(space),
        objective=Objective(metric, Direction(direction), goal),
        algorithm=_component(algorithm, algorithm_settings),
        stopper=_component(early_stopping, early_stopping_settings) if early_stopping else None,
        budget=Budget(int(parallel), int(max_trials), None if max_failed is None else int(max_failed)),
        seed=None if seed is None else int(seed),
    )
    with tempfile.TemporaryDirectory(prefix="katib-tune-") as home:
        kept = Path(folder) if folder is not None else None
        options = Options(Path(home), "memory://", runner=runner, objective=objective, function_folder=kept)
        return _run(options, spec)


def _run(options: Options, spec: ExperimentSpec) -> Result:
    workshop = Workshop(options)
    controller = workshop.controller()
    try:
        workshop.check(spec)
        key = lifecycle.create(workshop.store, spec, {}).key
        experiment = controller.run(key)
        return Result(experiment, tuple(sorted(workshop.store.trials(key), key=lambda trial: trial.number)))
    except KeyboardInterrupt:
        controller.interrupt()
        raise
    finally:
        controller.close()
        workshop.close()


def _component(name: str, settings: Mapping[str, object] | None) -> Component:
    return Component(name, {key: str(value) for key, value in (settings or {}).items()})
