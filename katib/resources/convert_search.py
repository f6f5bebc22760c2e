"""What is searched: parameters, the conditions and constraints between them, and the points to try first.

Rules that need typed values are checked here, while they are made; ``validation`` collects the problems.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from katib.core.constraints import Constraint
from katib.core.errors import Problem, SpecError, nearest_hint
from katib.core.parameters import Choice, Condition, Integer, Ordinal, Parameter, Real
from katib.core.priors import Distribution
from katib.core.space import SearchSpace
from katib.core.trial import Parameters, Value
from katib.resources.documents import ExperimentSpec, FeasibleSpace, ParameterSpec
from katib.resources.scalars import show
from katib.resources.shared_types import ObjectiveSpec
from katib.resources.validation_space import MAX_HINTS, parse_number

SAMPLES = 2000  # random points, of which one must satisfy all constraints


@dataclass(frozen=True, slots=True)
class Search:
    """space, with its constraints on parameters; initial: points to try first; outcomes: constraints that speak of
    metrics. problems: all that is wrong; then the rest is not to be used."""

    space: SearchSpace = field(default_factory=SearchSpace)
    initial: tuple[Parameters, ...] = ()
    outcomes: tuple[Constraint, ...] = ()
    problems: list[Problem] = field(default_factory=list)


def read_search(spec: ExperimentSpec) -> Search:
    """The typed search of a spec whose parameters have passed ``space_problems``."""
    parameters, problems = _parameters(spec.parameters or ())
    constraints, outcomes, bad = _constraints(spec, {parameter.name for parameter in parameters})
    problems += bad
    if problems:
        return Search(problems=problems)
    space = SearchSpace(tuple(parameters), constraints=tuple(constraints))
    problems += _constraint_problems(space, outcomes, spec)
    initial: list[Parameters] = []
    if any(parameter.default is not None for parameter in parameters):
        try:
            initial.append(space.complete({}))
        except SpecError as error:
            said = "; ".join(problem.message for problem in error.problems)
            problems.append(Problem("spec.constraints", f"the point of the parameters' defaults: {said}"))
    for index, given in enumerate(spec.initial_trials or ()):
        try:
            point = _initial_point(space, given)
        except SpecError as error:
            problems += error.within(f"spec.initialTrials[{index}]").problems
            continue
        if point not in initial:
            initial.append(point)
    return Search(space, tuple(initial), tuple(outcomes), problems)


def _parameters(specs: Sequence[ParameterSpec]) -> tuple[list[Parameter], list[Problem]]:
    parameters: list[Parameter] = []
    problems: list[Problem] = []
    for index, spec in enumerate(specs):
        path = f"spec.parameters[{index}]"
        try:
            parameter = _parameter(spec)
            if spec.condition is not None:
                parameter = replace(parameter, condition=_condition(spec, parameters))
            parameters.append(parameter)
        except SpecError as error:
            problems += error.within(path).problems
            continue
        try:
            if spec.default is not None:
                parameters[-1] = replace(parameter, default=_value(parameter, spec.default))
        except SpecError as error:
            problems += error.within(f"{path}.default").problems
    return parameters, problems


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


def _value(parameter: Parameter, text: str) -> Value:
    """The value that ``text`` writes; one of those that are tried. Raises SpecError."""
    value = parameter.parse(text)
    stepped = isinstance(parameter, Integer | Real) and parameter.step is not None
    if stepped and parameter.from_unit(parameter.to_unit(value)) != value:
        below = parameter.format(parameter.from_unit(parameter.to_unit(value)))
        raise SpecError(f"got {show(text)}, expected a value that the step leads to from min, for example {below}")
    return value


def _condition(spec: ParameterSpec, earlier: Sequence[Parameter]) -> Condition:
    condition = spec.condition
    assert condition is not None
    parents = {parameter.name: parameter for parameter in earlier}
    parent = parents.get(condition.parent or "")
    if parent is None:
        hint = nearest_hint(condition.parent or "", list(parents)[:MAX_HINTS])
        expected = f"expected the name of a parameter listed before this one{hint}"
        raise SpecError([Problem("condition.parent", f"got {show(condition.parent)}, {expected}")])
    if isinstance(parent, Real):
        expected = "expected a parameter of the type int, discrete or categorical"
        raise SpecError([Problem("condition.parent", f"got {show(parent.name)}, which is a double; {expected}")])
    if not condition.values:
        raise SpecError([Problem("condition.values", f"missing, expected values of {show(parent.name)}")])
    values = []
    for index, text in enumerate(condition.values):
        try:
            values.append(_value(parent, text))
        except SpecError as error:
            raise error.within(f"condition.values[{index}]") from None
    return Condition(parent.name, tuple(values))


def _initial_point(space: SearchSpace, given: Mapping[str, str]) -> Parameters:
    """A whole point from what the user gave of it. Raises SpecError."""
    problems: list[Problem] = []
    typed: dict[str, Value] = {}
    for name, text in given.items():
        if name not in space:
            hint = nearest_hint(name, [parameter.name for parameter in space][:MAX_HINTS])
            problems.append(Problem(name, f"no such parameter in the search space{hint}"))
            continue
        try:
            typed[name] = _value(space[name], text)
        except SpecError as error:
            problems += error.within(name).problems
    if problems:
        raise SpecError(problems)
    return space.complete(typed)


# ------------------------------------------------------------------------------------------------- constraints


def metric_names(objective: ObjectiveSpec | None) -> set[str]:
    """Every metric that trials are asked to report."""
    if objective is None:
        return set()
    targets = (target.objective_metric_name for target in objective.objectives or ())
    return {n for n in (objective.objective_metric_name, *targets, *(objective.additional_metric_names or ())) if n}


def _constraints(
    spec: ExperimentSpec, parameters: set[str]
) -> tuple[list[Constraint], list[Constraint], list[Problem]]:
    """The constraints on parameters, those that speak of metrics too, and what is wrong with the rest."""
    on_parameters: list[Constraint] = []
    on_metrics: list[Constraint] = []
    problems: list[Problem] = []
    known = parameters | metric_names(spec.objective)
    for index, text in enumerate(spec.constraints or ()):
        path = f"spec.constraints[{index}]"
        try:
            constraint = Constraint(text)
        except SpecError as error:
            problems += error.within(path).problems
            continue
        unknown = sorted(constraint.names - known)
        if unknown or not constraint.names:
            found = f"{show(unknown[0])} is neither a parameter nor a metric" if unknown else "it names nothing"
            hint = _name_hint(unknown[0], known) if unknown else ""
            problems.append(Problem(path, f"{found}{hint}; metrics are listed under spec.objective"))
        elif constraint.names <= parameters:
            on_parameters.append(constraint)
        else:
            on_metrics.append(constraint)
    return on_parameters, on_metrics, problems


def _name_hint(name: str, known: set[str]) -> str:
    """A name with dashes reads as a subtraction: say how it is written."""
    dashed = next((each for each in sorted(known) if name in each.split("-") and each != name), None)
    return f" (write `{dashed}` in backticks)" if dashed else nearest_hint(name, sorted(known)[:MAX_HINTS])


def _constraint_problems(space: SearchSpace, outcomes: Sequence[Constraint], spec: ExperimentSpec) -> Iterator[Problem]:
    """Constraints that can never be worked out, and constraints that leave next to nothing of the space."""
    if not (space.constraints or outcomes):
        return
    dice = random.Random(0)  # noqa: S311 - the same points at each reading
    samples = [space.from_unit([dice.random() for _ in space]) for _ in range(SAMPLES if space.constraints else 10)]
    metrics = dict.fromkeys(metric_names(spec.objective), 1.0)
    places = {text: f"spec.constraints[{index}]" for index, text in enumerate(spec.constraints or ())}
    misfits = False
    for constraint in (*space.constraints, *outcomes):
        misfit = next(filter(None, (constraint.misfit({**metrics, **point}) for point in samples[:10])), "")
        if misfit:
            misfits = True
            yield Problem(places[constraint.text], f"{constraint.text!r} cannot be worked out: {misfit}")
    if not misfits and not any(map(space.allows, samples)):
        yield Problem("spec.constraints", f"none of {SAMPLES} random points of the space satisfies all of them")
