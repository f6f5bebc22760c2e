"""Parameters as optimisers know them: whatever kind there is, as one of three kinds of axes.

Ordinals, and ranges of numbers with a step, are axes of whole numbers from 0, so that the order of values is told to
optimisers that have no kind of their own for it. Axes have names of their own ("x000", "x001", ...), which every
package takes and none sorts into another order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

# Some packages reckon in single precision and overshoot the bounds a little: as much is put right.
_SLACK = 1e-6


class Axis(NamedTuple):
    """One parameter. label: the user's name for it, by which points are answered.

    kind: "real" or "integer" in [low, high], on a log scale where ``log``, or "category", a place 0..high in a list
    that has no order. values: the list that places stand for, None of numbers. step: of a grid of numbers from
    ``first`` on, whose index the axis is, or onto which values are rounded where it is on a log scale; None without.
    parent: name of the axis that it depends on; parent_places: it is active where that one has one of these; None if it
    always is.
    """

    name: str
    label: str
    kind: str
    low: float
    high: float
    log: bool = False
    values: Sequence[Any] | None = None
    first: float = 0.0
    step: float | None = None
    parent: str | None = None
    parent_places: tuple[float, ...] = ()

    @property
    def places(self) -> range:
        """The whole numbers of an axis that has no others."""
        return range(int(self.low), int(self.high) + 1)

    def value(self, place: Any) -> Any:
        """What the user's parameter is at ``place``; what lies out of bounds stays there, for others to refuse."""
        if self.values is not None:
            return self.values[int(place)]
        number, slack = float(place), _SLACK * (self.high - self.low)
        if self.low - slack <= number <= self.high + slack:
            number = min(max(number, self.low), self.high)
        if self.step is None:
            return number
        return self.first + self.step * round((number - self.first) / self.step if self.log else number)

    def place(self, value: Any) -> float:
        """Where ``value`` lies; of a list, by equality that tells True from 1. Raises StopIteration if it does not."""
        if self.values is not None:
            return next(i for i, each in enumerate(self.values) if same(each, value))
        return float(value) if self.step is None or self.log else float(round((value - self.first) / self.step))


def axes_of(parameters: Sequence[Mapping[str, Any]]) -> tuple[Axis, ...]:
    """The axes of what a setup says of parameters."""
    axes: dict[str, Axis] = {}
    for number, parameter in enumerate(parameters):
        axis, parent = _axis(f"x{number:03d}", parameter), parameter["parent"]
        if parent is not None:
            places = tuple(axes[parent].place(value) for value in parameter["parent_values"])
            axis = axis._replace(parent=axes[parent].name, parent_places=places)
        axes[axis.label] = axis
    return tuple(axes.values())


def active(axis: Axis, places: Mapping[str, Any]) -> bool:
    """Whether an axis takes part, given the places on the axes before it, by their names."""
    return axis.parent is None or (axis.parent in places and float(places[axis.parent]) in axis.parent_places)


def point(axes: Sequence[Axis], places: Mapping[str, Any]) -> dict[str, Any]:
    """What is answered: the user's value of each axis that has a place."""
    return {axis.label: axis.value(places[axis.name]) for axis in axes if axis.name in places}


def same(one: Any, other: Any) -> bool:
    """Equality that tells True from 1."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _axis(name: str, parameter: Mapping[str, Any]) -> Axis:
    label, kind, values = parameter["name"], parameter["kind"], parameter["values"]
    if values is not None:
        listed = "category" if kind == "categorical" else "integer"
        return Axis(name, label, listed, 0, len(values) - 1, values=values)
    low, high, log, step = parameter["low"], parameter["high"], parameter["log"], parameter["step"]
    if step is None or (kind == "integer" and step == 1):
        return Axis(name, label, kind, low, high, log)
    if log:
        return Axis(name, label, kind, low, high, True, first=low, step=step)
    # Rounded first: 0.9 / 0.1 falls just short of 9.
    return Axis(name, label, "integer", 0, int(round((high - low) / step, 9)), first=low, step=step)
