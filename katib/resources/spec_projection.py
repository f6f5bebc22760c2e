"""The ``spec`` of an Experiment resource: as the user gave it, or made from the core's types where there is no document
(experiments whose objective is a Python function)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic.alias_generators import to_camel

from katib.core.collector import CollectorSpec
from katib.core.experiment import Budget, Component, Experiment, ExperimentSpec, RetryPolicy
from katib.core.objective import Objective, Target
from katib.core.space import Choice, Integer, Ordinal, Parameter, Real, SearchSpace
from katib.resources.convert import RETRY_FIELDS
from katib.resources.durations import duration_text

Tree = dict[str, Any]


def experiment_spec(experiment: Experiment) -> Tree:
    """The spec to show, with the budget that is in force. Shares its parts with the experiment's document."""
    given = experiment.document.get("spec")
    spec = dict(given) if given else _spec(experiment.spec)
    for field in ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount"):
        spec.pop(field, None)
    return {**spec, **_budget(experiment.budget)}


def _spec(spec: ExperimentSpec) -> Tree:
    tree: Tree = {
        "objective": _objective(spec.objective),
        "algorithm": _component(spec.algorithm),
        "metricsCollectorSpec": _collector(spec.collector),
        "resumePolicy": spec.resume_policy.value,
    }
    if spec.nas is not None:
        tree["nasConfig"] = dict(spec.nas)
    else:
        tree["parameters"] = space_parameters(spec.space)
    if spec.stopper is not None:
        tree["earlyStopping"] = _component(spec.stopper)
    if spec.template.document:
        tree["trialTemplate"] = _template(spec)
    return {**tree, **_extensions(spec)}


def space_parameters(space: SearchSpace) -> list[Tree]:
    """``spec.parameters`` of a space."""
    return [{**_parameter(parameter), **_condition(parameter, space)} for parameter in space]


def _extensions(spec: ExperimentSpec) -> Tree:
    """What goes beyond Katib's fields; what says nothing is left out."""
    names = ("maxDuration", "maxTrialDuration", "noMetricTimeout")
    times = (spec.limits.experiment, spec.limits.trial, spec.limits.silence)
    constraints = (*spec.space.constraints, *spec.objective.constraints)
    tree: Tree = {name: duration_text(time) for name, time in zip(names, times, strict=True) if time is not None}
    if constraints:
        tree["constraints"] = [constraint.text for constraint in constraints]
    if spec.initial:
        tree["initialTrials"] = [
            {name: spec.space[name].format(value) for name, value in point.items()} for point in spec.initial
        ]
    if spec.retry != RetryPolicy():
        tree["retryPolicy"] = _retry(spec.retry)
    if spec.seed is not None:
        tree["seed"] = spec.seed
    if spec.objective.repeats > 1:
        tree["repeats"] = spec.objective.repeats
    return tree


def _retry(policy: RetryPolicy) -> Tree:
    counts = {to_camel(name): policy.limits.get(failure, 0) for name, failure in RETRY_FIELDS.items()}
    return {**counts, "backoff": duration_text(policy.backoff), "maxBackoff": duration_text(policy.max_backoff)}


def _budget(budget: Budget) -> Tree:
    counts = {
        "parallelTrialCount": budget.parallel,
        "maxTrialCount": budget.max_trials,
        "maxFailedTrialCount": budget.max_failed,
    }
    return {field: count for field, count in counts.items() if count is not None}


def _objective(objective: Objective) -> Tree:
    tree: Tree = {"type": objective.direction.value, "objectiveMetricName": objective.metric}
    if objective.goal is not None:
        tree["goal"] = objective.goal
    if objective.additional:
        tree["additionalMetricNames"] = list(objective.additional)
    if objective.others:
        tree["objectives"] = [_target(target) for target in objective.targets]
    strategies = {metric: objective.strategy(metric).value for metric in objective.metrics}
    return {**tree, "metricStrategies": named_values(strategies)}


def _target(target: Target) -> Tree:
    goal = {} if target.goal is None else {"goal": target.goal}
    return {"type": target.direction.value, "objectiveMetricName": target.metric, **goal}


def _component(component: Component) -> Tree:
    tree: Tree = {"algorithmName": component.name}
    if component.settings:
        tree["algorithmSettings"] = named_values(component.settings)
    return tree


def _collector(collector: CollectorSpec) -> Tree:
    """``options`` hold what has no field of its own, under Katib's names."""
    options = collector.options
    kind: Tree = {"kind": collector.kind}
    if "customCollector" in options:
        kind["customCollector"] = options["customCollector"]
    source: Tree = {"httpGet": options["httpGet"]} if "httpGet" in options else {}
    if collector.path:
        kind_of_path = "Directory" if collector.directory else "File"
        source["fileSystemPath"] = {"path": collector.path, "kind": kind_of_path}
        if collector.kind == "File" or collector.format != "TEXT":
            source["fileSystemPath"]["format"] = collector.format
    if collector.filters:
        source["filter"] = {"metricsFormat": list(collector.filters)}
    return {"collector": kind, "source": source} if source else {"collector": kind}


def _parameter(parameter: Parameter) -> Tree:
    kinds = {Real: "double", Integer: "int", Ordinal: "discrete", Choice: "categorical"}
    if isinstance(parameter, Ordinal | Choice):
        space: Tree = {"list": [parameter.format(value) for value in parameter.values]}
    else:
        space = {"min": parameter.format(parameter.low), "max": parameter.format(parameter.high)}
        if parameter.step is not None and (isinstance(parameter, Real) or parameter.step != 1):
            space["step"] = f"{parameter.step:.17g}"
        space["distribution"] = parameter.distribution.value
    tree: Tree = {"name": parameter.name, "parameterType": kinds[type(parameter)], "feasibleSpace": space}
    if parameter.default is not None:
        tree["default"] = parameter.format(parameter.default)
    return tree


def _condition(parameter: Parameter, space: SearchSpace) -> Tree:
    condition = parameter.condition
    if condition is None:
        return {}
    values = [space[condition.parent].format(value) for value in condition.values]
    return {"condition": {"parent": condition.parent, "values": values}}


def _template(spec: ExperimentSpec) -> Tree:
    template = spec.template
    fields = {
        "retain": template.retain,
        "trialSpec": dict(template.document),
        "trialParameters": [{"name": p.name, "reference": p.reference} for p in template.parameters],
        "primaryPodLabels": dict(template.primary_pod_labels),
        "primaryContainerName": template.primary_container,
        "successCondition": template.success_condition,
        "failureCondition": template.failure_condition,
    }
    return {field: value for field, value in fields.items() if value or field == "trialParameters"}


def named_values(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Katib's form of a map: a list of objects with ``name`` and ``value``."""
    return [{"name": name, "value": value} for name, value in values.items()]
