"""Selection by what the supernet loses (Wang et al. 2021, "Rethinking architecture selection in differentiable NAS",
section 4.2, algorithm 1): of each edge the operation without which the supernet's accuracy falls most, then of each
node the two edges of which the same holds. After each decision the weights are trained for some steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from algorithms.architecture.cells import CELLS, INPUTS, Cell, Genotype
from algorithms.darts.search import Search
from algorithms.darts.wiring import NONE, NORMAL, REDUCE, edges_into, edges_of

_STREAM = 5  # of random numbers, behind those of the search


def project(search: Search, steps: int) -> Genotype:
    """The genotype of a search that is over. steps: of the weights, after each decision."""
    names, nodes = search.shape.operations, search.shape.nodes
    allowed = {kind: torch.ones(len(edges_of(nodes)), len(names), device=search.device) for kind in CELLS}
    for rows in allowed.values():
        rows[:, names.index(NONE)] = 0
    random = np.random.default_rng([search.schedule.seed, _STREAM])
    edges = [(kind, edge) for kind in CELLS for edge in range(len(edges_of(nodes)))]
    for number in random.permutation(len(edges)):
        kind, edge = edges[number]
        kept = _most_missed(
            search, allowed, kind, [(edge, column) for column in range(len(names)) if names[column] != NONE]
        )
        allowed[kind][edge] = 0
        allowed[kind][kept] = 1
        _train(search, allowed, steps)
    for kind in CELLS:
        for node in random.permutation(nodes):
            _keep_two(search, allowed, kind, int(node))
            _train(search, allowed, steps)
    return Genotype(_cell(allowed[NORMAL], names, nodes), _cell(allowed[REDUCE], names, nodes))


def _most_missed(
    search: Search, allowed: dict[str, Tensor], kind: str, places: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """The (edge, operation) without which the accuracy is least, by the loss where several are equal."""
    return min(places, key=lambda place: _without(search, allowed, kind, place))


def _without(search: Search, allowed: dict[str, Tensor], kind: str, place: tuple[int, int]) -> tuple[float, float]:
    """Accuracy and negative loss of the supernet without an operation on an edge."""
    rows = allowed[kind].clone()
    rows[place] = 0
    loss, accuracy = search.evaluate(search.moment(allowed={**allowed, kind: rows}))
    return accuracy, -loss


def _keep_two(search: Search, allowed: dict[str, Tensor], kind: str, node: int) -> None:
    """Leave a node the two inputs that it would miss most."""
    places = [(edge, int(allowed[kind][edge].argmax())) for edge in edges_into(node)]
    places.sort(key=lambda place: _without(search, allowed, kind, place))
    for edge, _ in places[INPUTS:]:
        allowed[kind][edge] = 0


def _train(search: Search, allowed: dict[str, Tensor], steps: int) -> None:
    for _ in range(steps):
        search.tune(search.moment(allowed=allowed))


def _cell(rows: Tensor, names: Sequence[str], nodes: int) -> Cell:
    """The operations that are left."""
    return tuple(
        tuple(
            (names[int(rows[edge].argmax())], state) for state, edge in enumerate(edges_into(node)) if rows[edge].any()
        )
        for node in range(nodes)
    )
