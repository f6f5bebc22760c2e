"""Grid search: every combination of the values that steps and lists allow, each once, in shuffled order.

* The order is a permutation keyed by the seed, so a grid that the budget cuts short was covered evenly, not along its
  first edge. Place k of it is found by arithmetic: no list of combinations exists, however many there are.
* A parameter whose condition does not hold multiplies nothing: each point comes once.
* A point that any trial has is passed over, whoever proposed it and however it ended. The search is exhausted when
  nothing is left. Where constraints forbid nearly all of a large grid, what they allow is searched for at random.
* Every double needs a step, and ``maxTrialCount`` may not exceed the number of combinations (both as in Katib).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from algorithms.batch import Batch, filled
from algorithms.features import Feature
from algorithms.random_search import RANDOM_STATE_HELP
from algorithms.randomness import generator, permuted, seed_of
from algorithms.settings import Settings, parse, setting
from algorithms.unseen import unseen_points
from algorithms.walk import next_place, place_label
from katib.core.errors import Problem, SpecError
from katib.core.experiment import ExperimentSpec
from katib.core.history import History
from katib.core.space import Choice, Ordinal, Parameter, SearchSpace
from katib.core.trial import Proposal, Value

LEAD = "grid/lead"

_MOST_STEPS = 10_000  # places that are passed over where constraints forbid points


@dataclass(frozen=True, slots=True)
class GridSettings(Settings):
    """Settings of ``grid``."""

    random_state: int | None = setting(None, low=0, help=RANDOM_STATE_HELP)


class Grid:
    """Every combination of steps and lists once, in an order of the seed's choice."""

    settings_class = GridSettings
    supports = frozenset(Feature) - {Feature.DECLARED}

    def __init__(self, spec: ExperimentSpec) -> None:
        """Raises SpecError on a bad setting, a double without a step, or a budget beyond the grid."""
        settings = parse(GridSettings, spec.algorithm)
        self._seed = seed_of(settings.random_state, spec.seed)
        problems = list(_unbounded(spec.space))
        if problems:
            raise SpecError(problems)
        self._grid = Combinations(spec.space)
        limit, runs = spec.budget.max_trials, self._grid.count * spec.objective.repeats
        if limit is not None and limit > runs:
            times = f", each {spec.objective.repeats} times" if spec.objective.repeats > 1 else ""
            too_many = f"got {limit}, more than all {self._grid.count} possible combinations of the grid{times}"
            raise SpecError([Problem("spec.maxTrialCount", too_many)])

    def suggest(self, history: History, count: int) -> Proposal:
        """The next ``count`` combinations, or fewer and ``exhausted`` if no more exist."""
        grid = self._grid if history.space is self._grid.space else Combinations(history.space)
        return filled(history, count, partial(self._add_next, grid))

    def _add_next(self, grid: Combinations, batch: Batch) -> bool:
        """Go on from the place reached, and past the end once more from the start, to a point that is not taken."""
        first, place, space = next_place(batch, LEAD), 0, batch.history.space
        for step in range(min(grid.count, _MOST_STEPS) if space.constraints else grid.count):
            place = (first + step) % grid.count
            parameters = grid.at(permuted(self._seed, place, grid.count))
            if not batch.taken(parameters):
                batch.add(parameters, place_label(batch, LEAD, place))
                return True
        # Constraints forbid nearly all of the grid, so what they allow is searched for.
        rng = generator(self._seed, batch.number)
        rest = next(unseen_points(space, rng, batch.taken), None) if grid.count > _MOST_STEPS else None
        if rest is not None:
            batch.add(rest, place_label(batch, LEAD, place))
        return rest is not None


def _unbounded(space: SearchSpace) -> Iterator[Problem]:
    for index, parameter in enumerate(space):
        if parameter.count == math.inf:
            missing = f"missing: grid needs the step of double {parameter.name!r}"
            yield Problem(f"spec.parameters[{index}].feasibleSpace.step", missing)


class Combinations:
    """The points of a finite space, numbered from 0 to ``count`` - 1.

    Conditions make each parameter the child of at most one other, so the space is a forest: the points of trees
    multiply, and below one parameter they add up over its values.
    """

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        nodes: dict[str, _Node] = {}
        for parameter in reversed(space.parameters):  # children are listed after their parents
            children = [p for p in space if p.condition is not None and p.condition.parent == parameter.name]
            nodes[parameter.name] = _Node(parameter, [nodes[child.name] for child in children])
        self._roots = [nodes[p.name] for p in space if p.condition is None]
        self.count: int = math.prod(node.count for node in self._roots)

    def at(self, index: int) -> dict[str, Value]:
        """The parameters of point ``index``, in the space's order."""
        chosen: dict[str, Value] = {}
        _choose(self._roots, index, chosen)
        return {p.name: chosen[p.name] for p in self.space if p.name in chosen}


class _Node:
    """A parameter with what hangs on it. count: points of the tree below."""

    def __init__(self, parameter: Parameter, children: list[_Node]) -> None:
        self._parameter = parameter
        values = int(parameter.count)
        # Values with children come first, one block of points each; then all others, one point each.
        self._blocks: list[tuple[int, list[_Node], int]] = []
        for index in _places(parameter, children):
            value = parameter.value_at(index)
            active = [child for child in children if value in child.parent_values]
            self._blocks.append((index, active, math.prod(child.count for child in active)))
        self.count: int = values - len(self._blocks) + sum(size for _, _, size in self._blocks)

    @property
    def parent_values(self) -> tuple[Value, ...]:
        """Values of the parent at which this parameter takes part."""
        return self._parameter.condition.values if self._parameter.condition else ()

    def choose(self, index: int, chosen: dict[str, Value]) -> None:
        """Put the values of point ``index`` of this tree into ``chosen``."""
        for place, active, size in self._blocks:
            if index < size:
                chosen[self._parameter.name] = self._parameter.value_at(place)
                _choose(active, index, chosen)
                return
            index -= size
        for place, _, _ in self._blocks:  # in rising order: the index among the others becomes one among all
            index += place <= index
        chosen[self._parameter.name] = self._parameter.value_at(index)


def _choose(nodes: list[_Node], index: int, chosen: dict[str, Value]) -> None:
    for node in nodes:
        index, rest = divmod(index, node.count)
        node.choose(rest, chosen)


def _places(parameter: Parameter, children: list[_Node]) -> list[int]:
    """Places, in rising order, of the parameter's values that some child depends on."""
    if isinstance(parameter, Ordinal | Choice):
        candidates = set(range(len(parameter.values)))
    else:
        wanted = [float(value) for child in children for value in child.parent_values]  # type: ignore[arg-type]
        candidates = {round((value - parameter.low) / (parameter.step or 1)) for value in wanted}
    inside = sorted(place for place in candidates if 0 <= place < parameter.count)
    return [place for place in inside if any(parameter.value_at(place) in child.parent_values for child in children)]
