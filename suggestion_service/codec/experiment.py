"""ExperimentSpec <-> Experiment. Template and collector stay at home: no algorithm's business."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from katib.core.constraints import Constraint
from katib.core.errors import Problem, SpecError
from katib.core.experiment import Budget, Component, ExperimentSpec, ResumePolicy
from katib.core.objective import Direction, Objective, Strategy, Target
from katib.core.space import Parameter, SearchSpace
from katib.core.trial import Key
from katib.core.warm_start import FormerTrial, Source
from suggestion_service.codec.foreign import seed_of
from suggestion_service.codec.nas import decode_nas, encode_nas
from suggestion_service.codec.values import decode_json, decode_parameter, encode_json, encode_parameter
from suggestion_service.generated import api_pb2 as pb

_INT32_MAX = 2**31 - 1
_TYPES = {Direction.MINIMIZE: pb.MINIMIZE, Direction.MAXIMIZE: pb.MAXIMIZE}
_DIRECTION_OF = {number: direction for direction, number in _TYPES.items()}


def encode_experiment(spec: ExperimentSpec) -> pb.Experiment:
    """The message that says all of ``spec`` that an algorithm may read."""
    message = pb.Experiment(name=spec.key.name)
    target = message.spec
    for parameter in spec.space:
        encode_parameter(parameter, target.parameter_specs.parameters.add())
    target.objective.CopyFrom(encode_objective(spec.objective))
    _encode_component(spec.algorithm, target.algorithm)
    if spec.stopper is not None:
        _encode_component(spec.stopper, target.early_stopping)
    target.parallel_trial_count = min(spec.budget.parallel, _INT32_MAX)
    target.max_trial_count = min(spec.budget.max_trials or 0, _INT32_MAX)
    if spec.nas is not None:
        encode_nas(spec.nas, target.nas_config)
    _encode_record(spec, message.record)
    return message


def decode_experiment(message: pb.Experiment) -> ExperimentSpec:
    """The inverse, also for what a Katib controller sends. Raises SpecError."""
    record, source = message.record, message.spec
    ours = message.HasField("record")
    nas: Mapping[str, Any] | None = decode_nas(source.nas_config) if source.HasField("nas_config") else None
    algorithm = decode_component(source.algorithm)
    return ExperimentSpec(
        key=Key(record.namespace, message.name),
        space=decode_space(source.parameter_specs.parameters, record.space_revision, record.constraints),
        objective=decode_objective(source.objective),
        algorithm=algorithm,
        budget=_decode_budget(message),
        stopper=decode_component(source.early_stopping) if source.HasField("early_stopping") else None,
        nas=decode_json(record.nas, "nasConfig") if record.nas else nas,
        resume_policy=ResumePolicy(record.resume_policy) if ours else ResumePolicy.NEVER,
        labels=dict(record.labels),
        seed=_decode_seed(record.seed) if ours else seed_of(message.name, algorithm.settings),
        sources=tuple(map(_decode_source, record.sources)),
    )


def encode_objective(objective: Objective) -> pb.ObjectiveSpec:
    """The message of an objective; it is repeated in every trial, as Katib's services expect."""
    return pb.ObjectiveSpec(
        type=_TYPES[objective.direction],
        goal=objective.goal or 0.0,
        has_goal=objective.goal is not None,
        objective_metric_name=objective.metric,
        additional_metric_names=objective.additional,
        strategies={metric: strategy.value for metric, strategy in objective.strategies.items()},
        others=(pb.TargetRecord(metric=t.metric, type=_TYPES[t.direction], goal=t.goal) for t in objective.others),
        constraints=(constraint.text for constraint in objective.constraints),
        repeats=objective.repeats,
    )


def decode_objective(message: pb.ObjectiveSpec) -> Objective:
    """The inverse. Katib's goal 0 is read as no goal, which is what it nearly always means. Raises SpecError."""
    return Objective(
        metric=message.objective_metric_name,
        direction=_decode_direction(message.type),
        goal=message.goal if message.has_goal or message.goal else None,
        additional=tuple(message.additional_metric_names),
        strategies={metric: Strategy(strategy) for metric, strategy in message.strategies.items()},
        others=tuple(
            Target(target.metric, _decode_direction(target.type), target.goal if target.HasField("goal") else None)
            for target in message.others
        ),
        constraints=tuple(map(Constraint, message.constraints)),
        repeats=message.repeats or 1,
    )


def _decode_direction(type_: pb.ObjectiveType) -> Direction:
    direction = _DIRECTION_OF.get(type_)
    if direction is None:
        raise SpecError([Problem("objective.type", f"got {type_}, expected MINIMIZE or MAXIMIZE")])
    return direction


def decode_space(parameters: Any, revision: int = 0, constraints: Iterable[str] = ()) -> SearchSpace:
    """The space of ParameterSpec messages. Raises SpecError with the place of each wrong parameter."""
    decoded: list[Parameter] = []
    problems: list[Problem] = []
    for i, message in enumerate(parameters):
        try:
            decoded.append(decode_parameter(message))
        except SpecError as error:
            problems.extend(error.within(f"parameters[{i}]").problems)
    if problems:
        raise SpecError(problems)
    return SearchSpace(tuple(decoded), revision, tuple(map(Constraint, constraints)))


def _encode_component(component: Component, target: Any) -> None:
    target.algorithm_name = component.name
    for name, value in component.settings.items():
        target.algorithm_settings.add(name=name, value=value)


def decode_component(message: Any) -> Component:
    """The algorithm or early-stopping rule of an AlgorithmSpec or EarlyStoppingSpec."""
    return Component(message.algorithm_name, {setting.name: setting.value for setting in message.algorithm_settings})


def _encode_record(spec: ExperimentSpec, record: pb.ExperimentRecord) -> None:
    record.namespace = spec.key.namespace
    record.seed = "" if spec.seed is None else str(spec.seed)
    if spec.budget.max_trials is not None:
        record.max_trials = spec.budget.max_trials
    if spec.budget.max_failed is not None:
        record.max_failed = spec.budget.max_failed
    record.resume_policy = spec.resume_policy.value
    record.labels.update(spec.labels)
    record.space_revision = spec.space.revision
    record.constraints.extend(constraint.text for constraint in spec.space.constraints)
    record.nas = "" if spec.nas is None else encode_json(spec.nas)
    record.sources.extend(map(_encode_source, spec.sources))


def _encode_source(source: Source) -> pb.SourceRecord:
    trials = (
        pb.FormerTrialRecord(name=t.name, parameters=encode_json(dict(t.parameters)), losses=t.losses)
        for t in source.trials
    )
    key = source.key
    return pb.SourceRecord(namespace=key.namespace, name=key.name, finished=source.finished, trials=trials)


def _decode_source(message: pb.SourceRecord) -> Source:
    trials = tuple(
        FormerTrial(t.name, decode_json(t.parameters, f"parameters of {t.name!r}"), tuple(t.losses))
        for t in message.trials
    )
    return Source(Key(message.namespace, message.name), trials, message.finished)


def _decode_budget(message: pb.Experiment) -> Budget:
    record, parallel = message.record, max(message.spec.parallel_trial_count, 1)
    if not message.HasField("record"):
        return Budget(parallel, message.spec.max_trial_count or None)
    return Budget(
        parallel,
        record.max_trials if record.HasField("max_trials") else None,
        record.max_failed if record.HasField("max_failed") else None,
    )


def _decode_seed(text: str) -> int | None:
    return int(text) if text else None
