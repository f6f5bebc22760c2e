"""What an experiment can ask for beyond a plain search, and which of it an algorithm can use.

Each algorithm's class names its features in ``supports``. A spec that uses more is refused before anything runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec


class Feature(StrEnum):
    """Something that an algorithm may be unable to use. The value says it to users."""

    CONDITIONS = "conditional parameters"
    CONSTRAINTS = "constraints on parameters"
    OUTCOME_CONSTRAINTS = "constraints on metrics"
    OBJECTIVES = "several objectives"
    REPEATS = "repeated runs"
    WIDENING = "a search space that widens"
    DECLARED = "parameters that trials declare"


#: What an algorithm supports that draws every point through ``algorithms.unseen`` and keeps nothing of its own.
SPACE_FEATURES = frozenset({Feature.CONDITIONS, Feature.CONSTRAINTS, Feature.WIDENING})

# Feature -> whether a spec uses it, and where the user wrote it.
_USES: Mapping[Feature, tuple[Callable[[ExperimentSpec], bool], str]] = {
    Feature.CONDITIONS: (lambda spec: spec.space.conditional, "spec.parameters"),
    Feature.CONSTRAINTS: (lambda spec: bool(spec.space.constraints), "spec.constraints"),
    Feature.OUTCOME_CONSTRAINTS: (lambda spec: bool(spec.objective.constraints), "spec.constraints"),
    Feature.OBJECTIVES: (lambda spec: bool(spec.objective.others), "spec.objective.objectives"),
    Feature.REPEATS: (lambda spec: spec.objective.repeats > 1, "spec.repeats"),
    Feature.DECLARED: (lambda spec: spec.space.open, "space"),
    Feature.WIDENING: (lambda spec: spec.space.revision > 0, "spec.parameters"),
}


def uses(spec: ExperimentSpec) -> frozenset[Feature]:
    """What ``spec`` asks for."""
    return frozenset(feature for feature, (asks, _) in _USES.items() if asks(spec))


def check_features(spec: ExperimentSpec, supports: frozenset[Feature]) -> None:
    """Raise SpecError with every feature that ``spec`` uses and its algorithm cannot."""
    name = spec.algorithm.name
    problems = [
        Problem(_USES[feature][1], f"{name} cannot use {feature.value}; see 'katib algorithms {name}' for what it can")
        for feature in Feature
        if feature in uses(spec) - supports
    ]
    if problems:
        raise SpecError(problems)
