"""``katib.tune``: optimise a Python function on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from katib.compose import Workshop
from katib.compose_runners import CLUSTERS
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.trial import Key
from katib.core.warm_start import WarmStart
from katib.engine import lifecycle
from katib.engine.warm_start import copy_source
from katib.options import Options
from katib.sdk.arguments import TUNE, check
from katib.sdk.experiments import METRIC, make_spec, unique_name
from katib.sdk.result import Result
from katib.sdk.search import Domain
from katib.storage.home import default_home
from trial_runners.settings import KubernetesSettings, RaySettings


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
    objectives: Mapping[str, Literal["minimize", "maximize"]] | None = None,
    constraints: Sequence[str] = (),
    initial: Sequence[Mapping[str, Any]] = (),
    repeats: int = 1,
    max_duration: float | None = None,
    max_trial_duration: float | None = None,
    max_failed: int | None = None,
    runner: Literal["process", "inline", "ray", "kubernetes"] = "process",
    ray: RaySettings | None = None,
    kubernetes: KubernetesSettings | None = None,
    resources: Mapping[str, float | str] | None = None,
    workers: int = 1,
    isolate: bool = False,
    seed: int | None = None,
    folder: str | Path | None = None,
    warm_start: Sequence[Result] = (),
) -> Result:
    """Find the parameters that make ``objective(parameters)`` smallest (or largest).

    objective: takes a dict of typed values and returns a number, or a dict of metrics that has ``metric`` in it; or
    returns None and reports by ``katib.report_metrics``. space: name -> ``katib.search`` helper. parallel: trials at a
    time. seed: two runs with the same seed and ``parallel=1`` try the same parameters. folder: keep each trial's output
    there, and its checkpoints (``$KATIB_CHECKPOINT_DIR`` inside a trial), which Hyperband and population based training
    continue from.

    runner: ``process`` runs trials in worker processes, ``inline`` in this thread, one by one, so that a debugger stops
    in them, ``ray`` and ``kubernetes`` on a cluster; the arguments of these names say how that is reached. resources:
    of one worker, by Kubernetes' names (``{"cpu": 2, "memory": "4Gi", "nvidia.com/gpu": 0.5}``), which a cluster keeps
    free for it. workers: processes of one trial, on Ray. isolate: a new process for every trial.

    objectives: several metrics to optimise, in place of ``metric``. constraints: expressions over parameters, and over
    metrics that the objective reports. initial: points to try first. repeats: runs of each set of parameters, whose
    mean counts. max_duration, max_trial_duration: seconds. The page docs/fields.md tells more of these. warm_start:
    results of earlier calls, whose best points are tried first as far as they lie in ``space``, and from which an
    algorithm learns as far as the new values bear them out (docs/experiments-over-time.md).

    Raises SpecError for wrong arguments and UnknownNameError for an algorithm or early-stopping rule that there is not.
    A failing objective fails its trial, not the call.
    """
    check(TUNE, locals())
    spec = _warm(make_spec(Key("default", unique_name("tune")), locals()), warm_start)
    options = Options(
        default_home(),
        "memory://",
        runner=runner,
        objective=objective,
        function_folder=Path(folder) if folder is not None else None,
        ray=ray or RaySettings(),
        kubernetes=kubernetes or KubernetesSettings(),
    )
    return _run(options, spec)


def _warm(spec: ExperimentSpec, results: Sequence[Result]) -> ExperimentSpec:
    """The spec with copies of earlier results. Raises SpecError for one that never measured what is wanted now."""
    if not results:
        return spec
    wish = WarmStart()
    sources = [copy_source(spec.objective, r.experiment.key, r.trials, wish.max_trials) for r in results]
    useless = [index for index, source in enumerate(sources) if not source.trials]
    if useless:
        wanted = " and ".join(target.metric for target in spec.objective.targets)
        raise SpecError([Problem(f"warm_start[{i}]", f"no trial of it has a value of {wanted}") for i in useless])
    return replace(spec, warm_start=wish, sources=tuple(sources))


def _run(options: Options, spec: ExperimentSpec) -> Result:
    if options.runner in CLUSTERS and options.function_folder is None:
        with tempfile.TemporaryDirectory(prefix="katib-") as folder:
            return _run(replace(options, function_folder=Path(folder)), spec)
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
