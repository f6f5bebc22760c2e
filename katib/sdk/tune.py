"""``katib.tune``: optimise a Python function on this machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from katib.compose import Workshop
from katib.compose_runners import CLUSTERS
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec, ResumePolicy
from katib.core.trial import Key
from katib.core.warm_start import WarmStart
from katib.engine.warm_start import copy_source
from katib.options import Options
from katib.sdk.arguments import TUNE, check
from katib.sdk.defined_trial import DefinedObjective
from katib.sdk.experiments import METRIC, create_or_find, make_spec, unique_name
from katib.sdk.progress import Paced, shown
from katib.sdk.result import Result
from katib.sdk.search import Domain
from katib.storage.home import default_home
from trial_runners.settings import KubernetesSettings, RaySettings


def tune(  # noqa: PLR0913 - the public face: every argument after the space is a keyword
    objective: Callable[[Any], Any],
    space: Mapping[str, Domain] | None = None,
    *,
    max_trials: int,
    parallel: int = 1,
    algorithm: str = "auto",
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
    store: str | None = None,
    name: str | None = None,
    wait: float = 0.0,
    folder: str | Path | None = None,
    warm_start: Sequence[Result] = (),
    progress: bool | None = None,
) -> Result:
    """Find the parameters that make ``objective(parameters)`` smallest (or largest).

    objective: takes a dict of typed values and returns a number, or a dict of metrics that has ``metric`` in it; or
    returns None and reports by ``katib.report_metrics``. space: name -> ``katib.search`` helper; without one the
    objective takes a ``katib.Trial``, asks it for each parameter when it needs it, and reports by it. parallel: trials
    at a time. algorithm: a name that ``katib algorithms`` lists; ``auto`` chooses among the others as the search goes
    on. seed: two runs with the same seed and ``parallel=1`` try the same parameters. folder: keep each trial's output
    there, and its checkpoints (``$KATIB_CHECKPOINT_DIR`` inside a trial), which Hyperband and population based training
    continue from. progress: show how far it is; None does where somebody looks on, on a terminal and in a notebook.

    store: URL of a database to keep the search in; None for this process alone. name: of the search; the same call goes
    on with the one of that name in the store, after an error, Ctrl-C or ``kill -9``, and with more ``max_trials`` after
    its end; one that is over gives its result at once. wait: seconds to wait for a search that another process runs.

    runner: ``process`` runs trials in worker processes, ``inline`` in this thread, one by one, so that a debugger stops
    in them, ``ray`` and ``kubernetes`` on a cluster; the arguments of these names say how that is reached. resources:
    of one worker, by Kubernetes' names (``{"cpu": 2, "memory": "4Gi", "nvidia.com/gpu": 0.5}``), which a cluster keeps
    free for it. workers: processes of one trial, on Ray. isolate: a new process for every trial.

    objectives: several metrics to optimise, in place of ``metric``. constraints: expressions over parameters, and over
    metrics that the objective reports. initial: points to try first. repeats: runs of each set of parameters, whose
    mean counts. max_duration, max_trial_duration: seconds. The page docs/fields.md tells more of these. warm_start:
    results of earlier calls, whose best points are tried first as far as they lie in ``space``, and from which an
    algorithm learns as far as the new values bear them out (docs/experiments-over-time.md).

    Raises SpecError for wrong arguments, or if the stored search is another one; UnknownNameError for an algorithm or
    early-stopping rule that there is not; LeaseHeldError if another process runs the search; UnavailableError if the
    store does not answer. A failing objective fails its trial, not the call.
    """
    check(TUNE, locals())
    spec = _warm(make_spec(Key("default", name or unique_name("tune")), locals()), warm_start)
    options = Options(
        default_home(),
        store or "memory://",
        runner=runner,
        objective=objective if space is not None else DefinedObjective(objective, spec.objective.metric),
        function_folder=Path(folder) if folder is not None else None,
        ray=ray or RaySettings(),
        kubernetes=kubernetes or KubernetesSettings(),
    )
    with ExitStack() as stack:
        if options.runner in CLUSTERS and options.function_folder is None:
            temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="katib-"))
            options = replace(options, function_folder=Path(temporary))
        workshop = Workshop(options)
        stack.callback(workshop.close)
        create_or_find(workshop, replace(spec, resume_policy=ResumePolicy.LONG_RUNNING), wait)
        return _run(workshop, spec.key, stack.enter_context(shown(progress, spec.key.name)))


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


def _run(workshop: Workshop, key: Key, view: Paced) -> Result:
    controller, waiting = workshop.controller(), False
    try:
        while (delay := controller.reconcile(key)) is not None:
            if (seen := controller.view(key)) is not None:
                view.show(seen[0])
            waiting = True
            controller.wait(key, delay)
            waiting = False
    except KeyboardInterrupt:
        controller.interrupt()
        if waiting:  # nothing was half done: record that what runs is to run again, should the search go on
            controller.run(key)
        raise
    finally:
        controller.close()
    experiment = workshop.store.get(key)
    view.show(experiment, last=True)
    return Result(experiment, tuple(sorted(workshop.store.trials(key), key=lambda trial: trial.number)))
