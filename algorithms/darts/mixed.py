"""The mixed operations of a cell, one module an edge: the definition that ``grouped`` is a faster form of.

An edge's output is the sum of all operations' outputs, each times its weight (Liu, Simonyan & Yang 2019, "DARTS",
equation 2). With partial channels only the first of ``parts`` equal parts of the channels goes through the operations;
the others pass, and the channels are shuffled, so that the next node's operations get others (Xu et al. 2020,
"PC-DARTS", equation 2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from algorithms.architecture.cells import INPUTS
from algorithms.architecture.operations import Operation
from algorithms.darts.wiring import NONE, edges_into, edges_of
from algorithms.networks.layers import Place, layer


@dataclass(frozen=True, slots=True)
class CellMix:
    """How the operations of a kind of cell are mixed.

    operations: (edges, operations), the weight of each operation's output, that of the whole edge included.
    edges: (edges,), the weights of whole edges, for channels that pass by the operations. chosen: the only operation
    of each edge that is computed, where one was sampled.
    """

    operations: Tensor
    edges: Tensor
    chosen: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class CellPlan:
    """What a cell mixes. operations: of each edge. nodes: intermediate ones. channels: of a state. stride: of the edges
    from the cell's two inputs; 1 or 2. parts: in how many parts the channels are divided."""

    operations: tuple[Operation, ...]
    nodes: int
    channels: int
    stride: int
    parts: int

    @property
    def width(self) -> int:
        """Channels that go through the operations."""
        return self.channels // self.parts

    def place(self, state: int) -> Place:
        """That of the operations on edges from a state. Nothing is learned in batch normalisation, which stands
        behind poolings too, so that weights of operations compare."""
        stride = self.stride if state < INPUTS else 1
        return Place(self.width, self.width, stride, affine=False, normalised_pooling=True)


def passed_by(stride: int) -> nn.Module:
    """What happens to the channels that pass by the operations. An odd size is rounded up, as by the operations."""
    return nn.MaxPool2d(2, 2, ceil_mode=True) if stride == 2 else nn.Identity()


def shuffled(mixed: Tensor, passed: Tensor, parts: int) -> Tensor:
    """(batch, width, height, width') and (batch, (parts - 1) width, ...) to all channels, one of each part in turn."""
    batch, width, *size = mixed.shape
    others = passed.view(batch, parts - 1, width, *size).transpose(1, 2)
    return torch.cat([mixed.unsqueeze(2), others], dim=2).flatten(1, 2)


class MixedOperation(nn.Module):
    """One edge."""

    def __init__(self, plan: CellPlan, state: int) -> None:
        super().__init__()
        place = plan.place(state)
        self.width, self.parts = plan.width, plan.parts
        self.layers = nn.ModuleList(layer(operation, place) for operation in plan.operations)
        self.absent = [operation.type == NONE for operation in plan.operations]
        self.passed = passed_by(place.stride)

    def forward(self, x: Tensor, weights: Tensor, edge: Tensor, chosen: int | None = None) -> Tensor:
        """x: (batch, channels, height, width). weights: (operations,). edge: a number. chosen: the only operation that
        is computed."""
        part = x[:, : self.width]
        numbers = range(len(self.layers)) if chosen is None else (chosen,)
        mixed = None
        for number in numbers:
            if self.absent[number] and len(numbers) > 1:
                continue  # adds zeros
            term = weights[number] * self.layers[number](part)
            mixed = term if mixed is None else mixed + term
        if self.parts == 1:
            return mixed
        return shuffled(mixed, edge * self.passed(x[:, self.width :]), self.parts)


class MixedNodes(nn.Module):
    """The intermediate nodes of a cell, edge by edge."""

    def __init__(self, plan: CellPlan) -> None:
        super().__init__()
        self.nodes = plan.nodes
        self.edges = nn.ModuleList(MixedOperation(plan, edge.state) for edge in edges_of(plan.nodes))

    def forward(self, inputs: Sequence[Tensor], mix: CellMix) -> list[Tensor]:
        """Two states to the intermediate nodes' outputs."""
        states = list(inputs)
        for node in range(self.nodes):
            terms = [
                self.edges[number](
                    states[state], mix.operations[number], mix.edges[number], mix.chosen and mix.chosen[number]
                )
                for state, number in enumerate(edges_into(node))
            ]
            states.append(sum(terms[1:], start=terms[0]))
        return states[INPUTS:]
