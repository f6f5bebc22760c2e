"""How the search space of a living experiment may change: what its parameters may be, not which ones there are.

An open space has new ones too, which its trials declare. Ranges and lists may grow or shrink, and steps, distributions,
defaults, the values in a condition and the constraints may change. A trial of before lies in the new space or out of
it, as ``SearchSpace.locate`` says; it stays either way.
"""

from __future__ import annotations

from collections.abc import Iterator

from katib.core.errors import Problem, SpecError
from katib.core.parameters import Choice, Integer, Ordinal, Parameter, Real
from katib.core.space import SearchSpace
from katib.core.values import Value

_INSTEAD = "a new experiment can learn from this one's trials: spec.warmStart"


def space_changes(old: SearchSpace, new: SearchSpace) -> list[str]:
    """What is different in ``new``, one text a change; empty if nothing is. Raises SpecError, with paths into the YAML,
    on a change that would make the trials of before and those to come two different searches."""
    problems = [Problem(path, f"{problem}; {_INSTEAD}") for path, problem in _problems(old, new)]
    if problems:
        raise SpecError(problems)
    pairs = ((old[after.name], after) for after in new if after.name in old)
    changes = [f"{after.name}: {change}" for before, after in pairs for change in _differences(before, after)]
    declared = [f"+ {parameter.name}" for parameter in new if parameter.name not in old]
    return [*changes, *declared, *(f"constraints: {change}" for change in _constraints(old, new))]


def revised(old: SearchSpace, new: SearchSpace) -> SearchSpace:
    """``new`` as the next revision of ``old``."""
    return SearchSpace(new.parameters, old.revision + 1, new.constraints, new.open)


def _problems(old: SearchSpace, new: SearchSpace) -> Iterator[tuple[str, str]]:
    names = [parameter.name for parameter in old]
    for index, parameter in enumerate(new):
        path = f"spec.parameters[{index}]"
        if parameter.name not in old:
            if new.open:  # trials of before lack it, as those of an open space may
                continue
            yield path, f"{parameter.name!r} is new; trials of before have no value of it"
        elif type(parameter) is not type(old[parameter.name]):
            yield f"{path}.parameterType", f"the type of {parameter.name!r} cannot change"
        elif _parent(parameter) != _parent(old[parameter.name]):
            yield f"{path}.condition", f"the parameter that {parameter.name!r} depends on cannot change"
    for name in names:
        if name not in new:
            yield "spec.parameters", f"{name!r} is gone; trials of before have a value of it"
    if set(names) == {p.name for p in new} and names != [p.name for p in new]:
        yield "spec.parameters", f"the order of the parameters cannot change, it is {', '.join(names)}"


def _parent(parameter: Parameter) -> str:
    return parameter.condition.parent if parameter.condition else ""


def _differences(old: Parameter, new: Parameter) -> Iterator[str]:
    if isinstance(old, Real | Integer) and isinstance(new, Real | Integer):
        for name, before, after in (
            ("min", old.low, new.low),
            ("max", old.high, new.high),
            ("step", old.step, new.step),
            ("distribution", old.distribution.value, new.distribution.value),
        ):
            if before != after:
                yield f"{name} {_text(before)} -> {_text(after)}"
    if isinstance(old, Ordinal | Choice) and isinstance(new, Ordinal | Choice):
        yield from (f"+ {new.format(value)}" for value in new.values if not _has(old, value))
        yield from (f"- {old.format(value)}" for value in old.values if not _has(new, value))
        if sorted(old.values, key=repr) == sorted(new.values, key=repr) and old.values != new.values:
            yield "order of the list"
    if old.default != new.default:
        yield f"default {_text(old.default)} -> {_text(new.default)}"
    if old.condition != new.condition and new.condition is not None:
        yield f"active if {new.condition.parent} is {' or '.join(map(str, new.condition.values))}"


def _has(parameter: Ordinal | Choice, value: Value) -> bool:
    try:
        parameter.index(value)
    except SpecError:
        return False
    return True


def _constraints(old: SearchSpace, new: SearchSpace) -> Iterator[str]:
    yield from (f"+ {each.text}" for each in new.constraints if each not in old.constraints)
    yield from (f"- {each.text}" for each in old.constraints if each not in new.constraints)


def _text(value: Value) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
