"""Search spaces: parameters in order, the conditions between them, and the unit cube that algorithms work on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from katib.core.constraints import Constraint
from katib.core.errors import Problem, SpecError
from katib.core.parameters import Choice, Condition, Integer, Ordinal, Parameter, Real
from katib.core.priors import Distribution
from katib.core.trial import Parameters, Value

__all__ = ["Choice", "Condition", "Distribution", "Integer", "Ordinal", "Parameter", "Real", "SearchSpace"]


@dataclass(frozen=True)
class SearchSpace:
    """Parameters in the user's order. revision: 0 at creation, one more at each later widening. constraints: what else
    must hold of a point; they speak of parameters only. open: trials declare the parameters as they go, so there may be
    more to come, and a trial may lack any of them.

    Raises SpecError on duplicate names, on conditions whose parent is missing, later in the order or never has one of
    the values, and on constraints that name no parameter.
    """

    parameters: tuple[Parameter, ...] = ()
    revision: int = 0
    constraints: tuple[Constraint, ...] = ()
    open: bool = False
    _by_name: Mapping[str, Parameter] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, Parameter] = {}
        for parameter in self.parameters:
            if parameter.name in by_name:
                raise SpecError([Problem("", f"parameter {parameter.name!r} is defined twice")])
            _check_condition(parameter, by_name)
            by_name[parameter.name] = parameter
        object.__setattr__(self, "_by_name", by_name)
        for constraint in self.constraints:
            for name in sorted(constraint.names - by_name.keys()):
                raise SpecError([Problem("", f"constraint {constraint.text!r} names {name!r}, which is no parameter")])

    def __len__(self) -> int:
        return len(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        return self._by_name[name]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @property
    def cardinality(self) -> float:
        """Upper bound of the number of different points, by arithmetic; math.inf if a range has no step."""
        return math.prod(parameter.count for parameter in self.parameters)

    @property
    def conditional(self) -> bool:
        """Whether any parameter has a condition, or may be lacking without one."""
        return self.open or any(parameter.condition for parameter in self.parameters)

    def active(self, parameter: Parameter, chosen: Parameters) -> bool:
        """Whether ``parameter`` takes part, given the values chosen for the ones before it."""
        condition = parameter.condition
        return condition is None or (condition.parent in chosen and chosen[condition.parent] in condition.values)

    def violated(self, values: Parameters) -> Constraint | None:
        """The first constraint that does not hold, None if ``values`` are allowed."""
        return next((each for each in self.constraints if not each.holds(values)), None)

    def allows(self, values: Parameters) -> bool:
        """Whether every constraint holds."""
        return not self.constraints or self.violated(values) is None

    def complete(self, given: Parameters) -> dict[str, Value]:
        """The point with the values ``given``; what they leave out has its default, else its prior's median.

        Raises SpecError on unknown, inactive, out-of-range or forbidden values.
        """
        chosen: dict[str, Value] = {}
        for parameter in self.parameters:
            if self.active(parameter, chosen):
                default = parameter.from_unit(0.5) if parameter.default is None else parameter.default
                chosen[parameter.name] = given.get(parameter.name, default)
        return self.check({**chosen, **given})

    def from_unit(self, coordinates: Sequence[float] | NDArray[np.float64]) -> dict[str, Value]:
        """Typed values at a point of the cube, shape (d,); inactive parameters are left out."""
        chosen: dict[str, Value] = {}
        for parameter, u in zip(self.parameters, coordinates, strict=True):
            if parameter.condition is None or self.active(parameter, chosen):
                chosen[parameter.name] = parameter.from_unit(float(u))
        return chosen

    def to_unit(self, values: Parameters) -> NDArray[np.float64]:
        """The point of the cube, shape (d,), NaN where a parameter is inactive. Raises SpecError on a bad value."""
        return np.array(self._coordinates(values))

    def locate(self, values: Parameters) -> list[float] | None:
        """The point as ``to_unit`` gives it, None if ``values`` is no point of this space. In an open space any set
        of some parameters is one."""
        try:
            if self.open:
                return self._coordinates(values) if values and values.keys() <= self._by_name.keys() else None
            if self.conditional or self.constraints or values.keys() != self._by_name.keys():
                self.check(values)
            return self._coordinates(values)
        except SpecError:
            return None

    def _coordinates(self, values: Parameters) -> list[float]:
        return [p.to_unit(values[p.name]) if p.name in values else math.nan for p in self.parameters]

    def check(self, values: Parameters) -> dict[str, Value]:
        """The values, typed. Raises SpecError on unknown, missing, inactive, out-of-range or forbidden ones."""
        problems: list[Problem] = [Problem(n, "no such parameter in the search space") for n in values if n not in self]
        checked: dict[str, Value] = {}
        for parameter in self.parameters:
            if self.active(parameter, checked) != (parameter.name in values):
                wrong = "has a value but its condition does not hold" if parameter.name in values else "has no value"
                problems.append(Problem(parameter.name, wrong))
            elif parameter.name in values:
                try:
                    checked[parameter.name] = parameter.check(values[parameter.name])
                except SpecError as error:
                    problems.extend(error.problems)
        if not problems and (broken := self.violated(checked)):
            problems.append(Problem("", f"constraint {broken.text!r} does not hold"))
        if problems:
            raise SpecError(problems)
        return checked

    def contains(self, values: Parameters) -> bool:
        """Whether ``values`` is a point of this space."""
        return self.locate(values) is not None


def _check_condition(parameter: Parameter, earlier: Mapping[str, Parameter]) -> None:
    condition = parameter.condition
    if condition is None:
        return
    if condition.parent not in earlier:
        raise SpecError(
            [
                Problem(
                    "",
                    f"parameter {parameter.name!r}: condition on {condition.parent!r}, "
                    "which is not a parameter listed before it",
                )
            ]
        )
    for value in condition.values:
        earlier[condition.parent].check(value)
