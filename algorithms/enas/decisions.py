"""A finite search space as a row of decisions: each parameter's value is told by its place among all its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from algorithms.architecture.macro import layers_of
from katib.core.errors import Problem, SpecError
from katib.core.space import SearchSpace
from katib.core.trial import Parameters, Value

MOST = 10_000  # values of a parameter


@dataclass(frozen=True, slots=True)
class Decisions:
    """names, values: of the parameters, in the order of the space. layers: depth of the chains that the architectures
    are, 0 if they are none."""

    names: tuple[str, ...]
    values: tuple[tuple[Value, ...], ...]
    layers: int

    @classmethod
    def of(cls, space: SearchSpace) -> Decisions:
        """Those of a space. Raises SpecError if a parameter has too many values, or it has no parameter."""
        problems = [
            Problem("spec.parameters", f"enas chooses among values, and {parameter.name!r} is a range without a step")
            for parameter in space
            if parameter.count == float("inf")
        ]
        problems += [
            Problem("spec.parameters", f"{parameter.name!r} has {parameter.count:g} values, expected at most {MOST}")
            for parameter in space
            if MOST < parameter.count < float("inf")
        ]
        if not len(space):
            problems.append(Problem("spec.nasConfig", "missing: enas searches architectures"))
        if problems:
            raise SpecError(problems)
        values = tuple(tuple(each.value_at(place) for place in range(int(each.count))) for each in space)
        return cls(tuple(each.name for each in space), values, layers_of(space))

    @property
    def options(self) -> tuple[int, ...]:
        """How many values each parameter has."""
        return tuple(map(len, self.values))

    def choices(self, point: Parameters) -> list[int]:
        """The place of each parameter's value. Raises ValueError if one is none of its values."""
        return [values.index(point[name]) for name, values in zip(self.names, self.values, strict=True)]

    def point(self, choices: Sequence[int]) -> dict[str, Value]:
        """The inverse."""
        rows = zip(self.names, self.values, choices, strict=True)
        return {name: values[choice] for name, values, choice in rows}
