"""Changes of one parameter: a random one, as evolution makes them, and all of a finite space, as local search tries."""

from __future__ import annotations

from collections.abc import Iterator

from numpy.random import Generator

from katib.core.space import Choice, Ordinal, Parameter, SearchSpace
from katib.core.trial import Parameters, Value

STEP = 0.2  # standard deviation of a number's change, in the unit cube
TRIES = 10  # draws until a number has changed


def mutated(space: SearchSpace, parameters: Parameters, rng: Generator) -> dict[str, Value]:
    """The point with another value of one active parameter; parameters that become active are drawn from their prior.

    A list's new value is any other one, with the same probability; a number moves by a normal step. Where a number
    cannot move, the point is the same.
    """
    active = [parameter for parameter in space if parameter.name in parameters]
    chosen = active[int(rng.integers(len(active)))]
    return completed(space, {**parameters, chosen.name: _another(chosen, parameters[chosen.name], rng)}, rng)


def neighbours(space: SearchSpace, parameters: Parameters, rng: Generator) -> Iterator[dict[str, Value]]:
    """Every point that differs in one parameter, in random order: a list's other values, a number one step away."""
    changes = [
        (parameter.name, value)
        for parameter in space
        if parameter.name in parameters
        for value in _others(parameter, parameters[parameter.name])
    ]
    for place in rng.permutation(len(changes)):
        name, value = changes[place]
        yield completed(space, {**parameters, name: value}, rng)


def completed(space: SearchSpace, wanted: Parameters, rng: Generator) -> dict[str, Value]:
    """``wanted`` without what is inactive, and with draws of what has become active."""
    point: dict[str, Value] = {}
    for parameter in space:
        if space.active(parameter, point):
            given = wanted.get(parameter.name)
            point[parameter.name] = parameter.from_unit(float(rng.random())) if given is None else given
    return point


def _another(parameter: Parameter, value: Value, rng: Generator) -> Value:
    if isinstance(parameter, Choice | Ordinal):
        others = [other for other in parameter.values if other != value]
        return others[int(rng.integers(len(others)))] if others else value
    place, moved = parameter.to_unit(value), value
    for _ in range(TRIES):
        moved = parameter.from_unit(float(min(max(place + rng.normal(0.0, STEP), 0.0), 1.0)))
        if moved != value:
            break
    return moved


def _others(parameter: Parameter, value: Value) -> list[Value]:
    if isinstance(parameter, Choice):
        return [other for other in parameter.values if other != value]
    if isinstance(parameter, Ordinal):
        place = parameter.index(value)
        return [parameter.values[i] for i in (place - 1, place + 1) if 0 <= i < len(parameter.values)]
    step = parameter.step or 1
    number = parameter.check(value)
    return [moved for sign in (-1, 1) if (moved := parameter.nearest(number + sign * step)) != number]
