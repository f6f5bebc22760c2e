"""The Gaussian-process optimiser with one ingredient left out or exchanged, each a contestant of ``katib bench run``:

``--algorithms bayesianoptimization,benchmarks.search.ablation:HalfRankAlone,...``; ``katib bench report`` then ranks
them like any others. docs/benchmarks.md has the table by which the defaults were chosen.
"""

from __future__ import annotations

from dataclasses import replace

from algorithms.bayesian.recipe import Recipe, Turn
from algorithms.bayesian.warp import half_rank, standardized, yeo_johnson
from algorithms.bayesian_optimization import BayesianOptimization

DEFAULT = Recipe()


def _without_reach(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    return tuple(Turn(turn.warp) for turn in turns)


class NoWarp(BayesianOptimization):
    """Losses are standardised and nothing else."""

    recipe = replace(DEFAULT, turns=tuple(Turn(standardized, turn.reach) for turn in DEFAULT.turns))


class HalfRankAlone(BayesianOptimization):
    """The half-rank warp in every turn."""

    recipe = replace(DEFAULT, turns=tuple(Turn(half_rank, turn.reach) for turn in DEFAULT.turns))


class YeoJohnsonAlone(BayesianOptimization):
    """The power transform in every turn."""

    recipe = replace(DEFAULT, turns=tuple(Turn(yeo_johnson, turn.reach) for turn in DEFAULT.turns))


class NoReach(BayesianOptimization):
    """Every suggestion may lie anywhere."""

    recipe = replace(DEFAULT, turns=_without_reach(DEFAULT.turns))


class OneLocalTurn(BayesianOptimization):
    """One suggestion in four stays near the incumbent, in place of two."""

    recipe = replace(DEFAULT, turns=(Turn(half_rank), Turn(yeo_johnson), Turn(half_rank), Turn(yeo_johnson, 0.15)))


class MixedTurns(BayesianOptimization):
    """Both warps, each once anywhere and once near the incumbent."""

    recipe = replace(DEFAULT, turns=(Turn(half_rank), Turn(yeo_johnson, 0.2), Turn(yeo_johnson), Turn(half_rank, 0.1)))


class NoMiddle(BayesianOptimization):
    """The start is Sobol's sequence alone."""

    recipe = replace(DEFAULT, middle=False)


class TenInitialPoints(BayesianOptimization):
    """Ten space-filling trials whatever the space, as most others have."""

    recipe = replace(DEFAULT, least=10, most=10)


class FourInitialPoints(BayesianOptimization):
    """Four space-filling trials whatever the space."""

    recipe = replace(DEFAULT, least=4, most=4)


class FailuresIgnored(BayesianOptimization):
    """Failed trials are not learned from."""

    recipe = replace(DEFAULT, failures=False)


class PendingIgnored(BayesianOptimization):
    """Trials that still run are not known to the model."""

    recipe = replace(DEFAULT, pending=False)
