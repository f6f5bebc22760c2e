"""What an Experiment means where it says nothing. Katib's defaults, with two differences: the namespace is filled in,
and a ``parallelTrialCount`` that the user did not write never exceeds his ``maxTrialCount``."""

from __future__ import annotations

from katib.resources.documents import Experiment, ExperimentSpec, FeasibleSpace, TrialTemplateSpec
from katib.resources.shared_types import (
    CollectorKind,
    FileSystemPath,
    MetricsCollectorSpec,
    NamedValue,
    ObjectiveSpec,
    SourceSpec,
)

NAMESPACE = "default"
PARALLEL_TRIALS = 3
METRICS_FILE = "/var/log/katib/metrics.log"
EVENT_FOLDER = "/var/log/katib/tfevent/"
_STRATEGY_OF_TYPE = {"minimize": "min", "maximize": "max"}
_TRAINING_JOBS = ("TFJob", "PyTorchJob", "XGBoostJob", "MPIJob")
# Kind of job -> type of the condition that says that it succeeded.
_SUCCESS = {"Job": "Complete", "TrainJob": "Complete", **dict.fromkeys(_TRAINING_JOBS, "Succeeded")}
# Kind of job -> labels of the pods whose metrics count.
_PRIMARY_PODS = {
    "TrainJob": {"jobset.sigs.k8s.io/replicatedjob-name": "node", "batch.kubernetes.io/job-completion-index": "0"},
    **{kind: {"training.kubeflow.org/job-role": "master"} for kind in _TRAINING_JOBS},
}


def fill_defaults(experiment: Experiment) -> Experiment:
    """A copy of ``experiment`` with every default filled in. What the user wrote stays."""
    filled = experiment.model_copy(deep=True)
    if not filled.metadata.namespace:
        filled.metadata.namespace = NAMESPACE
    spec = filled.spec
    fill_counts(spec)
    if spec.objective is not None:
        _fill_targets(spec.objective)
        _fill_strategies(spec.objective)
    if spec.trial_template is not None:
        _fill_template(spec.trial_template)
    spec.metrics_collector_spec = spec.metrics_collector_spec or MetricsCollectorSpec()
    _fill_collector(spec.metrics_collector_spec)
    for parameter in spec.parameters or ():
        parameter.feasible_space = parameter.feasible_space or FeasibleSpace()
        parameter.feasible_space.distribution = parameter.feasible_space.distribution or "uniform"
    return filled


def fill_counts(spec: ExperimentSpec) -> None:
    """Fill in what an experiment's course follows from: how many trials at a time, and whether it can go on."""
    if spec.parallel_trial_count is None:
        limit = spec.max_trial_count
        spec.parallel_trial_count = PARALLEL_TRIALS if limit is None else min(PARALLEL_TRIALS, max(limit, 1))
    spec.resume_policy = spec.resume_policy or "Never"


def _fill_targets(objective: ObjectiveSpec) -> None:
    """Of several objectives the first is the one that clients of Katib see."""
    first = next(iter(objective.objectives or ()), None)
    if first is not None:
        objective.type = objective.type or first.type
        objective.objective_metric_name = objective.objective_metric_name or first.objective_metric_name
        objective.goal = first.goal if objective.goal is None else objective.goal


def _fill_strategies(objective: ObjectiveSpec) -> None:
    """One strategy for each metric; the additional ones follow the objective's type too."""
    strategies = list(objective.metric_strategies or ())
    given = {strategy.name for strategy in strategies}
    metrics = (objective.objective_metric_name, *(objective.additional_metric_names or ()))
    types: dict[str | None, str | None] = dict.fromkeys(metrics, objective.type)
    types |= {target.objective_metric_name: target.type for target in objective.objectives or ()}
    for metric, type_ in types.items():
        if metric and metric not in given:
            strategies.append(NamedValue(name=metric, value=_STRATEGY_OF_TYPE.get(type_ or "", "latest")))
    objective.metric_strategies = strategies or None


def _fill_template(template: TrialTemplateSpec) -> None:
    """Conditions and primary pods of the kinds of jobs that Katib knows; only where the job stands in the document."""
    kind = (template.trial_spec or {}).get("kind")
    if not isinstance(kind, str) or kind not in _SUCCESS:
        return
    template.success_condition = template.success_condition or _condition(_SUCCESS[kind])
    template.failure_condition = template.failure_condition or _condition("Failed")
    if template.primary_pod_labels is None and kind in _PRIMARY_PODS:
        template.primary_pod_labels = dict(_PRIMARY_PODS[kind])


def _condition(type_: str) -> str:
    return f'status.conditions.#(type=="{type_}")#|#(status=="True")#'


def _fill_collector(spec: MetricsCollectorSpec) -> None:
    spec.collector = spec.collector or CollectorKind()
    spec.collector.kind = spec.collector.kind or "StdOut"
    kind = spec.collector.kind
    if kind == "PrometheusMetric":
        spec.source = spec.source or SourceSpec()
        spec.source.http_get = {"path": "/metrics", "port": 8080, **_set_fields(spec.source.http_get or {})}
    elif kind in ("File", "TensorFlowEvent"):
        spec.source = spec.source or SourceSpec()
        place = spec.source.file_system_path = spec.source.file_system_path or FileSystemPath()
        place.kind = place.kind or ("File" if kind == "File" else "Directory")
        place.path = place.path or (METRICS_FILE if kind == "File" else EVENT_FOLDER)
        if kind == "File":
            place.format = place.format or "TEXT"


def _set_fields(tree: dict[str, object]) -> dict[str, object]:
    """``tree`` without the fields that Go takes for unset."""
    return {key: value for key, value in tree.items() if value not in (None, "", 0, "0")}
