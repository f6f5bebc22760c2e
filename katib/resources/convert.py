"""A validated Experiment document -> the ``ExperimentSpec`` that the engine works with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from katib.core.collector import CollectorSpec
from katib.core.errors import SpecError
from katib.core.experiment import (
    Budget,
    Component,
    ExperimentSpec,
    Limits,
    ResumePolicy,
    RetryPolicy,
    TemplateParameter,
    TrialTemplate,
)
from katib.core.objective import Direction, Objective, Strategy, Target
from katib.core.trial import FailureClass, Key
from katib.resources.convert_search import read_search
from katib.resources.documents import Experiment, TrialTemplateSpec
from katib.resources.durations import parse_duration
from katib.resources.extensions import RetryPolicySpec
from katib.resources.shared_types import (
    AlgorithmSpec,
    CollectorKind,
    FileSystemPath,
    MetricsCollectorSpec,
    ObjectiveSpec,
    SourceSpec,
)
from katib.resources.warm_start import to_warm_start

#: Fields of ``retryPolicy``, by their names in the model, and the class of failures that each one speaks of.
RETRY_FIELDS: Mapping[str, FailureClass] = {
    "user_error": FailureClass.USER_ERROR,
    "out_of_memory": FailureClass.OUT_OF_MEMORY,
    "lost": FailureClass.LOST,
    "time_out": FailureClass.TIME_OUT,
    "infrastructure": FailureClass.INFRASTRUCTURE,
}


def to_spec(experiment: Experiment, *, template: Mapping[str, Any] | None = None) -> ExperimentSpec:
    """The core spec of ``experiment``, which has passed ``fill_defaults`` and ``validate``.

    template: the job where it comes from a ConfigMap. Raises SpecError, with YAML paths, on what core itself refuses.
    """
    spec, metadata = experiment.spec, experiment.metadata
    assert spec.objective is not None
    assert spec.algorithm is not None
    assert spec.trial_template is not None
    search = read_search(spec)
    if search.problems:
        raise SpecError(search.problems)
    return ExperimentSpec(
        key=Key(metadata.namespace or "default", metadata.name or ""),
        space=search.space,
        objective=replace(_objective(spec.objective), constraints=search.outcomes, repeats=spec.repeats or 1),
        algorithm=_component(spec.algorithm),
        budget=Budget(spec.parallel_trial_count or 1, spec.max_trial_count, spec.max_failed_trial_count),
        stopper=_component(spec.early_stopping) if spec.early_stopping else None,
        collector=_collector(spec.metrics_collector_spec or MetricsCollectorSpec()),
        template=_template(spec.trial_template, template),
        nas=spec.nas_config.tree() if spec.nas_config else None,
        resume_policy=ResumePolicy(spec.resume_policy or "Never"),
        labels=metadata.labels or {},
        seed=spec.seed,
        initial=search.initial,
        limits=Limits(*map(_seconds, (spec.max_duration, spec.max_trial_duration, spec.no_metric_timeout))),
        retry=_retry(spec.retry_policy) if spec.retry_policy else RetryPolicy(),
        warm_start=to_warm_start(spec.warm_start, metadata.namespace or "default"),
    )


def _seconds(text: str | None) -> float | None:
    return None if text is None else parse_duration(text)


def _retry(policy: RetryPolicySpec) -> RetryPolicy:
    """The default where the user says nothing of a class of failures."""
    given = {failure: getattr(policy, name) for name, failure in RETRY_FIELDS.items()}
    default = RetryPolicy()
    return RetryPolicy(
        limits={**default.limits, **{failure: count for failure, count in given.items() if count is not None}},
        backoff=default.backoff if (pause := _seconds(policy.backoff)) is None else pause,
        max_backoff=default.max_backoff if (longest := _seconds(policy.max_backoff)) is None else longest,
    )


def _objective(objective: ObjectiveSpec) -> Objective:
    strategies = {each.name or "": Strategy(each.value or "") for each in objective.metric_strategies or ()}
    return Objective(
        metric=objective.objective_metric_name or "",
        direction=Direction(objective.type or ""),
        goal=objective.goal,
        additional=tuple(objective.additional_metric_names or ()),
        strategies=strategies,
        others=tuple(
            Target(each.objective_metric_name or "", Direction(each.type or ""), each.goal)
            for each in (objective.objectives or ())[1:]
        ),
    )


def _component(component: AlgorithmSpec) -> Component:
    settings = {each.name or "": each.value or "" for each in component.algorithm_settings or ()}
    return Component(component.algorithm_name or "", settings)


def _collector(spec: MetricsCollectorSpec) -> CollectorSpec:
    """Standard output has no path; the options of the other kinds keep Katib's names."""
    collector, source = spec.collector or CollectorKind(), spec.source or SourceSpec()
    place = source.file_system_path or FileSystemPath()
    kind = collector.kind or "StdOut"
    options: dict[str, Any] = {"httpGet": source.http_get, "customCollector": collector.custom_collector}
    return CollectorSpec(
        kind=kind,
        path="" if kind == "StdOut" else place.path or "",
        format=place.format or "TEXT" if kind in ("File", "Custom") else "TEXT",
        filters=tuple((source.filter.metrics_format if source.filter else None) or ()),
        options={name: tree for name, tree in options.items() if tree is not None},
        directory=kind in ("TensorFlowEvent", "Custom") and place.kind == "Directory",
    )


def _template(template: TrialTemplateSpec, document: Mapping[str, Any] | None) -> TrialTemplate:
    return TrialTemplate(
        document=(document if document is not None else template.trial_spec) or {},
        parameters=tuple(
            TemplateParameter(each.name or "", each.reference or "") for each in template.trial_parameters or ()
        ),
        primary_container=template.primary_container_name or "",
        primary_pod_labels=template.primary_pod_labels or {},
        success_condition=template.success_condition or "",
        failure_condition=template.failure_condition or "",
        retain=bool(template.retain),
    )
