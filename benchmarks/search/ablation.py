"""The Gaussian-process optimiser with one ingredient left out or exchanged, each a contestant of ``katib bench run``:

``--algorithms bayesianoptimization,benchmarks.search.ablation:HalfRankAlone,...``; ``katib bench report`` then ranks
them like any others. docs/benchmarks.md has the table by which the defaults were chosen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from algorithms.bayesian.recipe import Recipe, Turn
from algorithms.bayesian.warp import half_rank, standardized, yeo_johnson
from algorithms.bayesian_optimization import BayesianOptimization

DEFAULT = Recipe()


def _each_turn(**exchanged: Any) -> Recipe:
    """The default but for these fields of every turn."""
    return replace(DEFAULT, turns=tuple(turn._replace(**exchanged) for turn in DEFAULT.turns))


class NoWarp(BayesianOptimization):
    """Losses are standardised and nothing else."""

    recipe = _each_turn(warp=standardized, several=standardized)


class HalfRankAlone(BayesianOptimization):
    """The half-rank warp in every turn."""

    recipe = _each_turn(warp=half_rank, several=half_rank)


class YeoJohnsonAlone(BayesianOptimization):
    """The power transform in every turn."""

    recipe = _each_turn(warp=yeo_johnson, several=yeo_johnson)


class NoTrend(BayesianOptimization):
    """The power transform close to the incumbent, in place of losses as they are with a quadratic trend."""

    recipe = replace(DEFAULT, turns=(*DEFAULT.turns[:3], DEFAULT.turns[3]._replace(warp=yeo_johnson, trend=False)))


class TrendlessLosses(BayesianOptimization):
    """Losses as they are close to the incumbent, with no quadratic trend."""

    recipe = _each_turn(trend=False)


class CrowdsCount(BayesianOptimization):
    """Each trial counts in the choice of a warp, however close to others."""

    recipe = _each_turn(distinct=False)


class Near(BayesianOptimization):
    """Suggestions that may lie anywhere may lie next to former trials."""

    recipe = replace(DEFAULT, away=0.0)


class Unsure(BayesianOptimization):
    """Suggestions that may lie anywhere may be likely to fail, or to break a constraint on outcomes."""

    recipe = replace(DEFAULT, sure=0.0)


class NoReach(BayesianOptimization):
    """Every suggestion may lie anywhere."""

    recipe = _each_turn(reach=None)


class NoBranch(BayesianOptimization):
    """Branches of a conditional space get no turns of their own."""

    recipe = _each_turn(branch=False)


class OneLocalTurn(BayesianOptimization):
    """One suggestion in four stays near the incumbent, in place of two."""

    recipe = replace(
        DEFAULT,
        turns=(
            DEFAULT.turns[0],
            DEFAULT.turns[1]._replace(reach=None),
            DEFAULT.turns[2],
            DEFAULT.turns[3]._replace(reach=0.15),
        ),
    )


class MixedTurns(BayesianOptimization):
    """Both warps, each once anywhere and once near the incumbent."""

    recipe = replace(
        DEFAULT,
        turns=(
            *DEFAULT.turns[:2],
            DEFAULT.turns[2]._replace(warp=yeo_johnson),
            Turn(half_rank, 0.1),
        ),
    )


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
