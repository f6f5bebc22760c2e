"""The ingredients of the optimiser that can be left out; ``benchmarks.search.ablation`` does so, one at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from algorithms.bayesian.warp import Warp, half_rank, standardized, yeo_johnson


class Turn(NamedTuple):
    """How one suggestion is made. warp: of losses. reach: how far from the incumbent it may lie along each numeric
    axis, in cubes; None for anywhere. branch: where parameters depend on others, one combination of what they depend
    on is drawn, and improved on in its own right. distinct: trials side by side count once in the choice of the warp.
    trend: the model has a quadratic one. several: the warp in place of both where there are several objectives; None
    for the same as with one."""

    warp: Warp
    reach: float | None = None
    branch: bool = False
    distinct: bool = False
    trend: bool = False
    several: Warp | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """turns: suggestion k is made as number k modulo their count says. middle: the first trial is the space's middle.
    least, most: space-filling trials, between which their number follows space and budget. failures: a model of where
    trials fail. pending: trials that still run are known to the model. away: of the cube's diagonal, how far from all
    trials one is that may lie anywhere; 0 for no matter how near. sure: how likely such a one is not to fail, and to
    keep to each outcome constraint, at least; 0 for no matter how likely.

    The turns are a small portfolio, for no single one is best everywhere. The half-rank warp looks at the good half
    alone, and finds good regions sooner; the power transform keeps how bad bad ones are, which rules regions out, and
    gets closer to the optimum in the end. Losses as they are, with a quadratic trend, find the bottom of a bowl,
    however narrow and turned; a front of several objectives is no such place, and the power transform serves it
    better. Every second suggestion stays near the incumbent, as in a trust region (Eriksson et al. 2019, "Scalable
    global optimization via local Bayesian optimization"). A branch of a conditional space is judged by its best
    point, so each gets its turn to be tuned. Suggestions that may lie anywhere look for another optimum: in the known
    one they would find its last digits, however little the model knows of other categories. They keep to where trials
    are all but sure to have a value, for in the end most is expected where none has; how far that part reaches is for
    the turns near the incumbent to find out.
    """

    turns: tuple[Turn, ...] = (
        Turn(half_rank, branch=True, distinct=True),
        Turn(yeo_johnson, 0.2),
        Turn(half_rank, distinct=True),
        Turn(standardized, 0.05, trend=True, several=yeo_johnson),
    )
    middle: bool = True
    least: int = 4
    most: int = 10
    failures: bool = True
    pending: bool = True
    away: float = 0.02
    sure: float = 0.9

    def turn(self, number: int, objectives: int = 1) -> Turn:
        """Of trial ``number`` of a search with so many objectives."""
        turn = self.turns[number % len(self.turns)]
        return turn if objectives == 1 or turn.several is None else turn._replace(warp=turn.several, trend=False)
