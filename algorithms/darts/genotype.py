"""From the strengths of operations to a genotype (Liu, Simonyan & Yang 2019, "DARTS", section 2.4): of each edge the
strongest operation, of each node the two strongest edges. ``none`` is never chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from algorithms.architecture.cells import CELLS, INPUTS, Cell, Genotype
from algorithms.darts.wiring import NONE, NORMAL, REDUCE, SKIPS, edges_into

Strengths = Mapping[str, Sequence[Sequence[float]]]  # of each kind of cell: edges, of which each has its operations
COLLAPSED = 0.5  # a normal cell with a larger share of skip connections has collapsed


@dataclass(frozen=True, slots=True)
class Selection:
    """How genotypes are selected. operations: labels, in the order of the strengths. nodes: of a cell. most_skips:
    skip connections of the normal cell at most, None for any number."""

    operations: tuple[str, ...]
    nodes: int
    most_skips: int | None = None

    def strongest(self, strengths: Strengths) -> Genotype:
        """The genotype of the strongest operations. Too many skip connections lose their weakest one, edge by edge
        (Chen et al. 2019, "P-DARTS", section 3.3.2)."""
        values = {kind: self._without_none(strengths[kind]) for kind in CELLS}
        while True:
            genotype = Genotype(self._cell(values[NORMAL]), self._cell(values[REDUCE]))
            if self.allows(genotype) or not self._forbid_weakest_skip(values[NORMAL], genotype.normal):
                return genotype

    def ranked(self, strengths: Strengths, count: int) -> list[Genotype]:
        """At most ``count`` genotypes, the strongest first: those that differ from it in one operation or one edge, by
        how much strength (as the logarithm) that costs."""
        best = self.strongest(strengths)
        changed: list[tuple[float, Genotype]] = []
        normal, reduce = (self._without_none(strengths[kind]) for kind in CELLS)
        changed += [(loss, best._replace(normal=other)) for loss, other in self._changes(normal, best.normal)]
        changed += [(loss, best._replace(reduce=other)) for loss, other in self._changes(reduce, best.reduce)]
        changed.sort(key=lambda each: each[0])
        others = [genotype for loss, genotype in changed if math.isfinite(loss) and self.allows(genotype)]
        return [best, *others[: count - 1]]

    def allows(self, genotype: Genotype) -> bool:
        """Whether it has no more skip connections than allowed."""
        return self.most_skips is None or skips(genotype.normal) <= self.most_skips

    def _without_none(self, rows: Sequence[Sequence[float]]) -> np.ndarray:
        values = np.array(rows, dtype=float)
        values[:, [label == NONE for label in self.operations]] = -np.inf
        return values

    def _cell(self, values: np.ndarray) -> Cell:
        nodes = []
        for node in range(self.nodes):
            rows = values[list(edges_into(node))]
            order = np.argsort(-rows.max(axis=1), kind="stable")[:INPUTS]
            nodes.append(tuple((self.operations[int(rows[state].argmax())], int(state)) for state in sorted(order)))
        return tuple(nodes)

    def _forbid_weakest_skip(self, values: np.ndarray, cell: Cell) -> bool:
        """Whether there was one on an edge that has other operations."""
        places = [
            (edges_into(node)[state], self.operations.index(label))
            for node, inputs in enumerate(cell)
            for label, state in inputs
            if label in SKIPS and np.isfinite(values[edges_into(node)[state]]).sum() > 1
        ]
        if places:
            values[min(places, key=lambda place: values[place])] = -np.inf
        return bool(places)

    def _changes(self, values: np.ndarray, cell: Cell) -> Iterator[tuple[float, Cell]]:
        """Every cell with one other operation, or one other edge, and the strength that it costs."""
        logs = np.log(np.maximum(values, np.finfo(float).tiny))
        logs[~np.isfinite(values)] = -np.inf
        for node, inputs in enumerate(cell):
            rows = logs[list(edges_into(node))]
            taken = [state for _, state in inputs]
            for place, (label, state) in enumerate(inputs):
                strength = rows[state, self.operations.index(label)]
                options = [(column, state) for column in range(len(self.operations))]
                options += [(int(rows[other].argmax()), other) for other in range(len(rows)) if other not in taken]
                for column, other in options:
                    edge = (self.operations[column], other)
                    if edge != (label, state):
                        changed = tuple(sorted((*inputs[:place], edge, *inputs[place + 1 :]), key=lambda each: each[1]))
                        yield strength - rows[other, column], (*cell[:node], changed, *cell[node + 1 :])


def skips(cell: Cell) -> int:
    """Edges of a cell that are skip connections."""
    return sum(label in SKIPS for node in cell for label, _ in node)


def skip_share(genotype: Genotype) -> float:
    """The share of the normal cell's edges that are skip connections, 0 to 1."""
    return skips(genotype.normal) / sum(map(len, genotype.normal))


def entropy(strengths: Strengths) -> float:
    """The mean entropy of the edges' operations in nats; 0 where each edge has one left."""
    shares = np.concatenate([np.array(strengths[kind], dtype=float) for kind in CELLS])
    shares = shares / shares.sum(axis=1, keepdims=True)
    return float(-(shares * np.log(np.maximum(shares, np.finfo(float).tiny))).sum(axis=1).mean())
