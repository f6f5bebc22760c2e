"""Small moves from one set of parameters to another: "explore" of population based training.

A number is multiplied by 0.8 or 1.2 and put on the nearest allowed value; one that a step keeps where it was moves on
by one step, so an integer 1 is no trap. A value of an ordered list becomes one of its neighbours; so does one of an
unordered list, whose ends are neighbours too (as in Katib). Bounds hold, types stay, and parameters that become active
are drawn from their prior.
"""

from __future__ import annotations

import math

from numpy.random import Generator

from katib.core.space import Choice, Integer, Ordinal, Parameter, Real, SearchSpace
from katib.core.trial import Parameters, Value

FACTORS = (0.8, 1.2)


def explore(space: SearchSpace, parameters: Parameters, rng: Generator, resample: float) -> dict[str, Value]:
    """A point near ``parameters``. resample: probability, for each parameter, of a fresh draw from its prior."""
    moved: dict[str, Value] = {}
    for parameter in space:
        if not space.active(parameter, moved):
            continue
        if parameter.name not in parameters or rng.random() < resample:
            moved[parameter.name] = parameter.from_unit(float(rng.random()))
        else:
            moved[parameter.name] = perturb(parameter, parameters[parameter.name], rng)
    return moved


def perturb(parameter: Parameter, value: Value, rng: Generator) -> Value:
    """A neighbour of ``value``; the value itself where the bounds leave none on the side that the dice chose."""
    if isinstance(parameter, Choice):
        step = int(rng.choice((-1, 1)))
        return parameter.values[(parameter.index(value) + step) % len(parameter.values)]
    if isinstance(parameter, Ordinal):
        place = parameter.index(value)
        neighbours = [i for i in (place - 1, place + 1) if 0 <= i < len(parameter.values)] or [place]
        return parameter.values[int(rng.choice(neighbours))]
    return _scale(parameter, parameter.check(value), rng)


def _scale(parameter: Real | Integer, value: float, rng: Generator) -> float:
    factor = float(rng.choice(FACTORS))
    wanted = value * factor
    moved = parameter.nearest(wanted)
    if moved != value:
        return moved
    if parameter.step is not None:
        return parameter.nearest(value + math.copysign(parameter.step, (wanted - value) or (factor - 1)))
    return moved if value else parameter.from_unit(float(rng.random()))  # no factor leads away from 0
