"""What makes an Experiment valid: Katib's rules, and those that it lacks and finds out about only when trials fail.

All rules are applied before anything is raised, so that one reading of the message mends the whole document.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from katib.core.errors import Problem, SpecError, nearest_hint
from katib.core.experiment import ResumePolicy
from katib.core.objective import Direction, Strategy
from katib.resources.convert_search import read_search
from katib.resources.documents import API_VERSION, Experiment, ExperimentSpec
from katib.resources.python_function import is_python_function
from katib.resources.scalars import show
from katib.resources.shared_types import AlgorithmSpec, MetricsCollectorSpec, ObjectiveSpec
from katib.resources.space_update import SPACE_FIELDS, space_update_problems
from katib.resources.validation_collector import collector_problems
from katib.resources.validation_limits import limit_problems
from katib.resources.validation_space import LISTED, MAX_HINTS, choose_hint, space_problems
from katib.resources.validation_template import template_problems
from katib.resources.warm_start import warm_start_problems

MAX_NAME = 40  # names of trials are longer and have to fit the 63 characters of a label
NAME_RULE = f"at most {MAX_NAME} of a-z, 0-9 and '-', beginning with a letter and not ending with '-'"
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
EDITABLE = ("parallelTrialCount", "maxTrialCount", "maxFailedTrialCount")


@dataclass(frozen=True, slots=True)
class Known:
    """Names that may be asked for. Algorithms live on a higher floor, so their names are passed in."""

    algorithms: Collection[str]
    stoppers: Collection[str]


def validate(experiment: Experiment, known: Known, template: Mapping[str, Any] | None = None) -> None:
    """Raise SpecError with everything that is wrong with ``experiment``, whose defaults are filled in.

    template: the job read from a ConfigMap; an inline one is taken from the document. Without either the rules about
    the job are left out.
    """
    problems = find_problems(experiment, known, template)
    if problems:
        raise SpecError(problems)


def find_problems(experiment: Experiment, known: Known, template: Mapping[str, Any] | None = None) -> list[Problem]:
    """Everything that is wrong, in the order of the document's parts."""
    spec = experiment.spec
    inline = spec.trial_template.trial_spec if spec.trial_template is not None else None
    return [
        *_identity(experiment),
        *count_problems(spec),
        *_objective(spec.objective),
        *_component(spec.algorithm, "spec.algorithm", known.algorithms),
        *(_component(spec.early_stopping, "spec.earlyStopping", known.stoppers) if spec.early_stopping else ()),
        *_resume_policy(spec),
        *template_problems(spec, template if template is not None else inline),
        *_search(spec),
        *limit_problems(spec),
        *warm_start_problems(spec.warm_start, experiment.metadata.name or "", architecture=spec.nas_config is not None),
        *collector_problems(spec.metrics_collector_spec or MetricsCollectorSpec()),
    ]


def _search(spec: ExperimentSpec) -> list[Problem]:
    """Problems of the search space; those that need typed values only once the parameters themselves are right."""
    problems = list(space_problems(spec))
    return problems or read_search(spec).problems


def find_warnings(experiment: Experiment) -> list[Problem]:
    """What is allowed, but probably not meant."""
    spec, found = experiment.spec, []
    template = spec.trial_template
    references = {parameter.reference for parameter in (template.trial_parameters if template else None) or ()}
    by_name = template is not None and is_python_function(template.trial_spec or {})
    for index, parameter in enumerate(spec.parameters or ()):
        path = f"spec.parameters[{index}]"
        if parameter.name not in references and not by_name:
            found.append(Problem(path, f"no trialParameter refers to {show(parameter.name)}: no trial sees its value"))
        space = parameter.feasible_space
        if parameter.parameter_type in LISTED and space and space.distribution not in (None, "uniform"):
            found.append(Problem(f"{path}.feasibleSpace.distribution", "ignored: lists are sampled uniformly"))
    return found


def validate_update(old: Experiment, new: Experiment) -> None:
    """Raise SpecError if the spec of ``old``, as stored with its status, may not become that of ``new``.

    Only the three counts may change, and what the parameters may be; a completed experiment takes changes only if it
    can be restarted.
    """
    before, after = old.spec.tree(), new.spec.tree()
    if before == after:
        return
    problems = []
    if _completed(old) and not _restartable(old):
        problems.append(
            Problem(
                "spec",
                f"the experiment is complete{_end(old)}; only one that ended by maxTrialCount, with the resumePolicy "
                "LongRunning or FromVolume, can go on",
            )
        )
    limit, made = new.spec.max_trial_count, old.status.trials if old.status else None
    if limit is not None and made is not None and limit <= made:
        expected = f"more than the {made} trials that exist"
        problems.append(Problem("spec.maxTrialCount", f"got {limit}, expected {expected}"))
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    for name in changed:
        if name not in (*EDITABLE, *SPACE_FIELDS):
            allowed = ", ".join((*EDITABLE, *SPACE_FIELDS))
            problems.append(Problem(f"spec.{name}", f"cannot be changed; only {allowed} can"))
    if any(name in SPACE_FIELDS for name in changed):
        problems.extend(space_update_problems(old.spec, new.spec))
    if problems:
        raise SpecError(problems)


def _completed(experiment: Experiment) -> bool:
    status = experiment.status
    return status is not None and any(status.holds(condition) for condition in ("Succeeded", "Failed"))


def _end(experiment: Experiment) -> str:
    """How a completed experiment ended, and its policy, where they are known."""
    status = experiment.status
    end = (status.holds("Succeeded") or status.holds("Failed")) if status else None
    facts = [end.reason if end else None, f"resumePolicy {experiment.spec.resume_policy}"]
    return f" ({', '.join(filter(None, facts))})"


def _restartable(experiment: Experiment) -> bool:
    succeeded = experiment.status.holds("Succeeded") if experiment.status else None
    by_limit = succeeded is not None and succeeded.reason == "ExperimentMaxTrialsReached"
    return by_limit and experiment.spec.resume_policy in (ResumePolicy.LONG_RUNNING, ResumePolicy.FROM_VOLUME)


def is_experiment_name(name: str) -> bool:
    """Whether an experiment may have this name: ``NAME_RULE``."""
    return _NAME.fullmatch(name) is not None and len(name) <= MAX_NAME


def _identity(experiment: Experiment) -> Iterator[Problem]:
    if experiment.api_version != API_VERSION:
        yield Problem("apiVersion", f"got {show(experiment.api_version)}, expected {API_VERSION}")
    if experiment.kind != "Experiment":
        yield Problem("kind", f"got {show(experiment.kind)}, expected Experiment")
    name, namespace = experiment.metadata.name or "", experiment.metadata.namespace or ""
    if not is_experiment_name(name):
        found = f"got {show(name)}" if name else "missing"
        yield Problem("metadata.name", f"{found}, expected {NAME_RULE}")
    if not _NAMESPACE.fullmatch(namespace) or len(namespace) > 63:
        yield Problem("metadata.namespace", f"got {show(namespace)}, expected at most 63 of a-z, 0-9 and '-'")


def count_problems(spec: ExperimentSpec) -> Iterator[Problem]:
    """What is wrong with the three counts, each by itself and beside each other."""
    failed, limit, parallel = spec.max_failed_trial_count, spec.max_trial_count, spec.parallel_trial_count
    if failed is not None and failed < 0:
        yield Problem("spec.maxFailedTrialCount", f"got {failed}, expected 0 or more")
    for name, count in (("maxTrialCount", limit), ("parallelTrialCount", parallel)):
        if count is not None and count <= 0:
            yield Problem(f"spec.{name}", f"got {count}, expected 1 or more")
    if limit is None or limit <= 0:
        return
    for name, count in (("maxFailedTrialCount", failed), ("parallelTrialCount", parallel)):
        if count is not None and count > limit:
            yield Problem(f"spec.{name}", f"got {count}, expected at most maxTrialCount, which is {limit}")


def _objective(objective: ObjectiveSpec | None) -> Iterator[Problem]:
    path = "spec.objective"
    if objective is None:
        yield Problem(path, "missing, expected type and objectiveMetricName")
        return
    directions = tuple(direction.value for direction in Direction)
    if objective.type not in directions:
        yield Problem(f"{path}.type", choose_hint(objective.type, directions))
    if not objective.objective_metric_name:
        yield Problem(f"{path}.objectiveMetricName", "missing, expected the name of a metric")
    if objective.goal is not None and not math.isfinite(objective.goal):
        yield Problem(f"{path}.goal", f"got {show(objective.goal)}, expected a finite number")
    metrics = {objective.objective_metric_name or "": None}  # a set in order
    for index, name in enumerate(objective.additional_metric_names or ()):
        if not name or name in metrics:
            expected = "a metric that is neither the objective nor listed before"
            yield Problem(f"{path}.additionalMetricNames[{index}]", f"got {show(name)}, expected {expected}")
        metrics[name] = None
    yield from _targets(objective, metrics)
    targets = {target.objective_metric_name or "": None for target in objective.objectives or ()}
    yield from _strategies(objective, metrics | targets)


def _targets(objective: ObjectiveSpec, listed: Collection[str]) -> Iterator[Problem]:
    """Rules of several objectives: each a metric of its own, the first the one that Katib's fields name."""
    path, seen = "spec.objective.objectives", set[str]()
    if objective.objectives is not None and len(objective.objectives) < 2:
        yield Problem(path, f"got {len(objective.objectives)}, expected two or more; one alone needs no list")
    for index, target in enumerate(objective.objectives or ()):
        place, name = f"{path}[{index}]", target.objective_metric_name
        if target.type not in tuple(Direction):
            yield Problem(f"{place}.type", choose_hint(target.type, tuple(Direction)))
        if target.goal is not None and not math.isfinite(target.goal):
            yield Problem(f"{place}.goal", f"got {show(target.goal)}, expected a finite number")
        if not name or name in seen or (index and name in listed):
            yield Problem(f"{place}.objectiveMetricName", f"got {show(name)}, expected a metric that is named once")
        seen.add(name or "")
    first = next(iter(objective.objectives or ()), None)
    if first is None:
        return
    for field, shown in (("type", "type"), ("objective_metric_name", "objectiveMetricName"), ("goal", "goal")):
        own, theirs = getattr(objective, field), getattr(first, field)
        if own != theirs and not (field == "goal" and theirs is None):
            expected = f"{show(theirs)} as in the first of objectives, or nothing"
            yield Problem(f"spec.objective.{shown}", f"got {show(own)}, expected {expected}")


def _strategies(objective: ObjectiveSpec, metrics: Collection[str]) -> Iterator[Problem]:
    values = tuple(strategy.value for strategy in Strategy)
    counts = Counter(strategy.name for strategy in objective.metric_strategies or ())
    for index, strategy in enumerate(objective.metric_strategies or ()):
        path = f"spec.objective.metricStrategies[{index}]"
        if strategy.name not in metrics:
            hint = nearest_hint(strategy.name or "", list(metrics)[:MAX_HINTS])
            yield Problem(f"{path}.name", f"got {show(strategy.name)}, expected a metric of the objective{hint}")
        elif counts[strategy.name] > 1:
            yield Problem(f"{path}.name", f"got {show(strategy.name)} more than once, expected one strategy a metric")
        if strategy.value not in values:
            yield Problem(f"{path}.value", choose_hint(strategy.value, values))


def _component(component: AlgorithmSpec | None, path: str, known: Collection[str]) -> Iterator[Problem]:
    """Rules of an algorithm or an early stopping rule: a known name, and each setting once."""
    if component is None or not component.algorithm_name:
        yield Problem(f"{path}.algorithmName", f"missing, expected one of {', '.join(sorted(known))}")
    elif component.algorithm_name not in known:
        yield Problem(f"{path}.algorithmName", choose_hint(component.algorithm_name, sorted(known)))
    settings = (component.algorithm_settings if component else None) or ()
    counts = Counter(setting.name for setting in settings)
    for index, setting in enumerate(settings):
        place = f"{path}.algorithmSettings[{index}]"
        if not setting.name:
            yield Problem(f"{place}.name", "missing, expected the name of a setting")
        elif counts[setting.name] > 1:
            yield Problem(f"{place}.name", f"got {show(setting.name)} more than once, expected each setting once")


def _resume_policy(spec: ExperimentSpec) -> Iterator[Problem]:
    policies = tuple(policy.value for policy in ResumePolicy)
    if spec.resume_policy not in policies:
        yield Problem("spec.resumePolicy", choose_hint(spec.resume_policy, policies))
