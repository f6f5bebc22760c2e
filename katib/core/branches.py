"""The conditions of an open space, as the finished trials show them: which parameter is there with which values of
another. A function of the trials alone, so it is the same after a restart.

A parameter that some trials lack depends on one that was declared before it, if the values of that one tell the trials
with it from those without: on a category by any split, on a number or a place in a list by one threshold. Of several
that do, a category comes before a number, and the one declared last before the others. A guess that is wrong gives
trials that ask for what they were not given; these draw it, and so put the guess right.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from katib.core.parameters import Choice, Condition, Integer, Ordinal, Parameter
from katib.core.space import SearchSpace
from katib.core.values import Parameters, Value

_MOST_VALUES = 64  # of a number that something may depend on


@dataclass(slots=True)
class _Seen:
    """Of a parameter and one before it, places of the values of that one. lacking: neither was there; without: the
    parameter was, and the one before it was not."""

    present: set[int] = field(default_factory=set)
    absent: set[int] = field(default_factory=set)
    lacking: int = 0
    without: int = 0


class Branches:
    """What trials that ran to their end have shown of one open space; grows by one trial at a time."""

    def __init__(self, space: SearchSpace) -> None:
        """space: as it was declared, without conditions."""
        self._space = space
        self._parents = [p for p in space if p.count <= _MOST_VALUES and isinstance(p, Choice | Integer | Ordinal)]
        self._place = {parameter.name: i for i, parameter in enumerate(space)}
        self._seen: defaultdict[tuple[str, str], _Seen] = defaultdict(_Seen)
        self._lacked: set[str] = set()

    def take(self, parameters: Parameters) -> None:
        """Take in what a trial asked for, and got."""
        for child in self._space:
            has = child.name in parameters
            if not has:
                self._lacked.add(child.name)
            for parent in self._before(child):
                seen = self._seen[child.name, parent.name]
                if parent.name in parameters:
                    (seen.present if has else seen.absent).add(_index(parent, parameters[parent.name]))
                else:
                    seen.without += has
                    seen.lacking += not has

    def space(self) -> SearchSpace:
        """The space with the conditions that explain what was seen."""
        return replace(self._space, parameters=tuple(self._explained(child) for child in self._space))

    def _before(self, child: Parameter) -> Iterable[Parameter]:
        return (parent for parent in self._parents if self._place[parent.name] < self._place[child.name])

    def _explained(self, child: Parameter) -> Parameter:
        if child.name not in self._lacked:
            return child
        latest_first = list(self._before(child))[::-1]
        for parent in sorted(latest_first, key=lambda parent: not isinstance(parent, Choice)):
            values = _active(parent, self._seen[child.name, parent.name])
            if values:
                return replace(child, condition=Condition(parent.name, tuple(values)))
        return child


def _index(parameter: Parameter, value: Value) -> int:
    """Place of a value among all that a parameter may have."""
    if isinstance(parameter, Choice | Ordinal):
        return parameter.index(value)
    return round((float(parameter.check(value)) - parameter.low) / (parameter.step or 1))


def _active(parent: Parameter, seen: _Seen) -> Sequence[Value]:
    """Values of the parent with which the child is there, empty if it is not the parent that decides that."""
    if not seen.present or seen.without or seen.present & seen.absent or not (seen.absent or seen.lacking):
        return ()
    places = range(int(parent.count))
    if isinstance(parent, Choice):
        return [parent.value_at(i) for i in places if i not in seen.absent]
    if not seen.absent:
        return [parent.value_at(i) for i in places]
    if max(seen.absent) < min(seen.present):
        edge = (max(seen.absent) + min(seen.present)) / 2
        return [parent.value_at(i) for i in places if i >= edge]
    if max(seen.present) < min(seen.absent):
        edge = (max(seen.present) + min(seen.absent)) / 2
        return [parent.value_at(i) for i in places if i <= edge]
    return ()
