"""Points that were not tried yet: random draws first and, where these keep hitting tried ones, what is left.

Where constraints forbid most of a space, more draws are made, and the walk over what is left turns back as soon as the
values chosen so far break a constraint; it gives up after ``_MOST_STEPS`` steps, and the space counts as used up.

Two points are the same if their typed values are, after snapping to steps; coordinates and texts are never compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from katib.core.space import Parameter, SearchSpace
from katib.core.trial import Parameters, Value

Taken = Callable[[Parameters], bool]

_TRIES = 64
_CONSTRAINED_TRIES = 2048
_MOST_STEPS = 200_000


def first_unseen(
    space: SearchSpace, coordinates: Sequence[float] | NDArray[np.float64], rng: Callable[[], Generator], taken: Taken
) -> dict[str, Value] | None:
    """The point at ``coordinates`` or, if it is taken, a random one that is not; None if the space is used up."""
    parameters = space.from_unit(coordinates)
    if not taken(parameters):
        return parameters
    return next(unseen_points(space, rng(), taken), None)


def unseen_points(
    space: SearchSpace, rng: Generator, taken: Taken, tries: int | None = None
) -> Iterator[dict[str, Value]]:
    """Points that are not taken: those among ``tries`` random ones, then all the rest of a finite space.

    Finding the first of the rest costs one look-up for each taken point at most, however large the space is.
    """
    if tries is None:
        tries = _CONSTRAINED_TRIES if space.constraints else _TRIES
    for _ in range(tries):
        parameters = space.from_unit(rng.random(len(space)))
        if not taken(parameters):
            yield parameters
    steps = islice(_walk(space, rng, {}), _MOST_STEPS) if space.constraints else _walk(space, rng, {})
    yield from (parameters for parameters in steps if parameters is not None and not taken(parameters))


def _walk(
    space: SearchSpace, rng: Generator, chosen: dict[str, Value], depth: int = 0
) -> Iterator[dict[str, Value] | None]:
    """Every allowed point once, from a random start; inactive parameters are passed over, so no point comes twice.
    None for each step that leads to no point at once."""
    if depth == len(space):
        yield dict(chosen)
        return
    parameter = space.parameters[depth]
    if not space.active(parameter, chosen):
        yield from _walk(space, rng, chosen, depth + 1)
        return
    for value in _values(parameter, rng):
        chosen[parameter.name] = value
        if space.allows(chosen):  # a constraint on what is not chosen yet holds so far
            yield from _walk(space, rng, chosen, depth + 1)
        else:
            yield None
    del chosen[parameter.name]


def _values(parameter: Parameter, rng: Generator) -> Iterator[Value]:
    """All values of a parameter from a random one on; of a range without a step, some random ones."""
    if parameter.count == float("inf"):
        yield from (parameter.from_unit(float(rng.random())) for _ in range(_TRIES))
        return
    count = int(parameter.count)
    start = int(rng.integers(count))
    yield from (parameter.value_at((start + i) % count) for i in range(count))
