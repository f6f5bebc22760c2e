"""Parameters that are no real numbers: categories alone, a small grid, and all kinds mixed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from benchmarks.search.problem import Evaluation
from benchmarks.search.problems.parts import exact, numbers
from katib.core.space import Choice, Distribution, Integer, Ordinal, Real, SearchSpace
from katib.core.trial import Parameters

LEVELS = (3, 3, 4, 4, 5, 6, 7, 8)
_LETTERS = "abcdefgh"
CATEGORIES = SearchSpace(tuple(Choice(f"c{i + 1}", tuple(_LETTERS[:count])) for i, count in enumerate(LEVELS)))


class _Effects(NamedTuple):
    """single: of each level of each factor. pairs: of each two levels of two factors that interact, by their places."""

    single: tuple[NDArray[np.float64], ...]
    pairs: Mapping[tuple[int, int], NDArray[np.float64]]


@lru_cache
def _effects() -> _Effects:
    """Normal main effects, and interactions of half their size between a third of the pairs of factors."""
    rng = np.random.default_rng(8)
    single = tuple(rng.standard_normal(count) for count in LEVELS)
    every = list(combinations(range(len(LEVELS)), 2))
    chosen = sorted(rng.choice(len(every), size=len(every) // 3, replace=False))
    pairs = {every[k]: 0.5 * rng.standard_normal((LEVELS[every[k][0]], LEVELS[every[k][1]])) for k in chosen}
    return _Effects(single, pairs)


def categories(parameters: Parameters, rng: Generator) -> Evaluation:
    """The sum of the effects of eight factors' levels, and of the interactions between some."""
    effects = _effects()
    levels = [_LETTERS.index(str(parameters[f"c{i + 1}"])) for i in range(len(LEVELS))]
    loss = sum(float(effect[level]) for effect, level in zip(effects.single, levels, strict=True))
    loss += sum(float(effect[levels[i], levels[j]]) for (i, j), effect in effects.pairs.items())
    return exact({"loss": loss}, rng)


def category_losses() -> NDArray[np.float64]:
    """The loss of every point of CATEGORIES, an axis for each factor."""
    effects, total = _effects(), np.zeros(LEVELS)
    for i, effect in enumerate(effects.single):
        total = total + np.expand_dims(effect, tuple(k for k in range(len(LEVELS)) if k != i))
    for (i, j), effect in effects.pairs.items():
        total = total + np.expand_dims(effect, tuple(k for k in range(len(LEVELS)) if k not in (i, j)))
    return total


_SIZES = (1, 4, 16, 64)
GRID = SearchSpace((Choice("kind", ("a", "b", "c")), Ordinal("size", _SIZES), Integer("depth", 1, 5)))


@lru_cache
def grid_losses() -> NDArray[np.float64]:
    """The loss of every point of GRID, shape (3, 4, 5): a bowl for each kind, with irregularities."""
    rng = np.random.default_rng(345)
    level, size, depth = rng.random(3), rng.uniform(0, 3, 3), rng.uniform(0, 4, 3)
    sizes = (np.arange(4) - size[:, None]) ** 2
    depths = (np.arange(5) - depth[:, None]) ** 2
    bowls = level[:, None, None] + 0.3 * sizes[:, :, None] + 0.2 * depths[:, None, :]
    return np.asarray(bowls + 0.1 * rng.standard_normal(bowls.shape))


def grid(parameters: Parameters, rng: Generator) -> Evaluation:
    """Sixty points, no more."""
    n = numbers(parameters)
    place = (_LETTERS.index(str(parameters["kind"])), _SIZES.index(int(n["size"])), int(n["depth"]) - 1)
    return exact({"loss": float(grid_losses()[place])}, rng)


MIXED = SearchSpace(
    (
        Real("rate", 1e-5, 1.0, Distribution.LOG_UNIFORM),
        Integer("units", 8, 1024, Distribution.LOG_UNIFORM),
        Integer("layers", 1, 8),
        Real("dropout", 0.0, 0.8, step=0.05),
        Ordinal("batch", (16, 32, 64, 128, 256)),
        Real("decay", 1e-6, 1e-1, Distribution.LOG_UNIFORM),
        Choice("activation", ("relu", "tanh", "gelu")),
        Choice("norm", (True, False)),
    )
)
MIXED_OPTIMUM: Parameters = {
    "rate": 2e-3, "units": 97, "layers": 3, "dropout": 0.25, "batch": 64, "decay": 1e-4, "activation": "gelu",
    "norm": True,
}  # fmt: skip
_ACTIVATIONS = {"gelu": 0.0, "relu": 0.15, "tanh": 0.4}


def mixed(parameters: Parameters, rng: Generator) -> Evaluation:
    """A valley over a network's parameters, of loss 0 at MIXED_OPTIMUM: larger batches want larger rates (square root
    rule), wider layers want to be fewer and more dropout, and without a norm rates must be smaller."""
    n = numbers(parameters)
    batches = math.log2(n["batch"] / 64)
    width = math.log2(n["units"] / 97) / 2
    depth = (n["layers"] - 3) / 2
    rate = math.log10(n["rate"] / 2e-3) - 0.5 * batches * math.log10(2) + (0.0 if parameters["norm"] else 0.7)
    dropout = (n["dropout"] - 0.25) / 0.2 - 0.5 * width
    decay = math.log10(n["decay"] / 1e-4) / 2
    bowl = rate**2 + 0.5 * width**2 + 0.5 * depth**2 + 0.4 * width * depth + 0.3 * dropout**2 + 0.1 * decay**2
    waves = 0.05 * (1 - math.cos(2 * math.pi * rate))
    steps = 0.03 * batches**2 + _ACTIVATIONS[str(parameters["activation"])] + (0.0 if parameters["norm"] else 0.1)
    return exact({"loss": bowl + waves + steps}, rng)
