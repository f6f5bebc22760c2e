"""A validated Experiment document -> the ``ExperimentSpec`` that the engine works with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from katib.core.errors import SpecError
from katib.core.experiment import (
    Budget,
    CollectorSpec,
    Component,
    ExperimentSpec,
    ResumePolicy,
    TemplateParameter,
    TrialTemplate,
)
from katib.core.objective import Direction, Objective, Strategy
from katib.core.parameters import Choice, Integer, Ordinal, Parameter, Real
from katib.core.priors import Distribution
from katib.core.space import SearchSpace
from katib.core.trial import Key
from katib.resources.documents import Experiment, FeasibleSpace, ParameterSpec, TrialTemplateSpec
from katib.resources.shared_types import (
    AlgorithmSpec,
    CollectorKind,
    FileSystemPath,
    MetricsCollectorSpec,
    ObjectiveSpec,
    SourceSpec,
)
from katib.resources.validation_space import parse_number

T = TypeVar("T")


def to_spec(
    experiment: Experiment, *, template: Mapping[str, Any] | None = None, seed: int | None = None
) -> ExperimentSpec:
    """The core spec of ``experiment``, which has passed ``fill_defaults`` and ``validate``.

    template: the job where it comes from a ConfigMap. Raises SpecError, with YAML paths, on what core itself refuses.
    """
    spec, metadata = experiment.spec, experiment.metadata
    assert spec.objective is not None
    assert spec.algorithm is not None
    assert spec.trial_template is not None
    return ExperimentSpec(
        key=Key(metadata.namespace or "default", metadata.name or ""),
        space=_at("spec.parameters", lambda: SearchSpace(tuple(_parameters(spec.parameters or ())))),
        objective=_objective(spec.objective),
        algorithm=_component(spec.algorithm),
        budget=Budget(spec.parallel_trial_count or 1, spec.max_trial_count, spec.max_failed_trial_count),
        stopper=_component(spec.early_stopping) if spec.early_stopping else None,
        collector=_collector(spec.metrics_collector_spec or MetricsCollectorSpec()),
        template=_template(spec.trial_template, template),
        nas=spec.nas_config.tree() if spec.nas_config else None,
        resume_policy=ResumePolicy(spec.resume_policy or "Never"),
        labels=metadata.labels or {},
        seed=seed,
    )


def _at(path: str, build: Callable[[], T]) -> T:
    try:
        return build()
    except SpecError as error:
        raise error.within(path) from None


def _parameters(parameters: Sequence[ParameterSpec]) -> list[Parameter]:
    return [_at(f"[{index}]", partial(_parameter, each)) for index, each in enumerate(parameters)]


def _parameter(parameter: ParameterSpec) -> Parameter:
    name, space = parameter.name or "", parameter.feasible_space or FeasibleSpace()
    texts = tuple(space.values or ())
    if parameter.parameter_type == "categorical":
        return Choice(name, texts)
    if parameter.parameter_type == "discrete":
        return Ordinal(name, tuple(_number(text) for text in texts), texts)
    distribution = Distribution(space.distribution or "uniform")
    low, high = _number(space.min or ""), _number(space.max or "")
    step = _number(space.step) if space.step else None
    if parameter.parameter_type == "int":
        return Integer(name, int(low), int(high), distribution, 1 if step is None else int(step))
    return Real(name, float(low), float(high), distribution, step)


def _number(text: str) -> float | int:
    number = parse_number(text)
    if number is None:
        raise SpecError(f"got {text!r}, expected a number")
    return number


def _objective(objective: ObjectiveSpec) -> Objective:
    strategies = {each.name or "": Strategy(each.value or "") for each in objective.metric_strategies or ()}
    return Objective(
        metric=objective.objective_metric_name or "",
        direction=Direction(objective.type or ""),
        goal=objective.goal,
        additional=tuple(objective.additional_metric_names or ()),
        strategies=strategies,
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
        format=place.format or "TEXT" if kind == "File" else "TEXT",
        filters=tuple((source.filter.metrics_format if source.filter else None) or ()),
        options={name: tree for name, tree in options.items() if tree is not None},
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
