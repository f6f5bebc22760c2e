"""Points that were not tried yet: random draws first and, where these keep hitting tried ones, what is left.

Two points are the same if their typed values are, after snapping to steps; coordinates and texts are never compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from katib.core.space import Parameter, SearchSpace
from katib.core.trial import Parameters, Value

Taken = Callable[[Parameters], bool]

_TRIES = 64


def first_unseen(
    space: SearchSpace, coordinates: Sequence[float] | NDArray[np.float64], rng: Callable[[], Generator], taken: Taken
) -> dict[str, Value] | None:
    """The point at ``coordinates`` or, if it is taken, a random one that is not; None if the space is used up."""
    parameters = space.from_unit(coordinates)
    if not taken(parameters):
        return parameters
    return next(unseen_points(space, rng(), taken), None)


def unseen_points(space: SearchSpace, rng: Generator, taken: Taken, tries: int = _TRIES) -> Iterator[dict[str, Value]]:
    """Points that are not taken: those among ``tries`` random ones, then all the rest of a finite space.

    Finding the first of the rest costs one look-up for each taken point at most, however large the space is.
    """
    for _ in range(tries):
        parameters = space.from_unit(rng.random(len(space)))
        if not taken(parameters):
            yield parameters
    yield from (parameters for parameters in _walk(space, rng, {}) if not taken(parameters))


def _walk(space: SearchSpace, rng: Generator, chosen: dict[str, Value], depth: int = 0) -> Iterator[dict[str, Value]]:
    """Every point once, from a random start; inactive parameters are passed over, so no point comes twice."""
    if depth == len(space):
        yield dict(chosen)
        return
    parameter = space.parameters[depth]
    if not space.active(parameter, chosen):
        yield from _walk(space, rng, chosen, depth + 1)
        return
    for value in _values(parameter, rng):
        chosen[parameter.name] = value
        yield from _walk(space, rng, chosen, depth + 1)
    del chosen[parameter.name]


def _values(parameter: Parameter, rng: Generator) -> Iterator[Value]:
    """All values of a parameter from a random one on; of a range without a step, some random ones."""
    if parameter.count == float("inf"):
        yield from (parameter.from_unit(float(rng.random())) for _ in range(_TRIES))
        return
    count = int(parameter.count)
    start = int(rng.integers(count))
    yield from (parameter.value_at((start + i) % count) for i in range(count))
