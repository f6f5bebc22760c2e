"""The final network of a DARTS genotype (Liu, Simonyan & Yang 2019, "DARTS: differentiable architecture search",
section 3 and appendix A): a stem, cells of which those at one third and at two thirds of the depth reduce the image,
and a linear classifier over the average of all pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from algorithms.architecture.cells import Cell, Genotype
from algorithms.architecture.operations import operation_named
from algorithms.networks.layers import FactorizedReduce, Place, layer, relu_conv_norm

STEM = 3  # channels of the stem, as multiples of the first cell's
NO_OPERATION = "none"


class DropPath(nn.Module):
    """Leaves an edge out for a whole image, with the probability ``rate``, and scales the others up (Larsson, Maire &
    Shakhnarovich 2017, "FractalNet"). Does nothing while it is not training."""

    def __init__(self) -> None:
        super().__init__()
        self.rate = 0.0

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same."""
        if not self.training or self.rate == 0:
            return x
        kept = x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(1 - self.rate)
        return x * kept / (1 - self.rate)


class GenotypeCell(nn.Module):
    """One cell: two states go in, the intermediate nodes' sums come out, one after the other in the channels."""

    def __init__(self, cell: Cell, concat: Sequence[int], before: Place, last: Place, *, reduced_before: bool) -> None:
        """before: of the cell before the last one; last: of the last one, its stride is the cell's. reduced_before:
        whether the last cell halved the image, so that the state before it must be halved here."""
        super().__init__()
        channels = last.outputs
        halve = Place(before.inputs, channels, 2)
        self.before = FactorizedReduce(halve) if reduced_before else relu_conv_norm(Place(before.inputs, channels), 1)
        self.last = relu_conv_norm(Place(last.inputs, channels), 1)
        self.nodes = nn.ModuleList(nn.ModuleList(_edge(each, channels, last.stride) for each in node) for node in cell)
        self._sources = [[state for _, state in node] for node in cell]
        self._concat = tuple(concat)
        self.outputs = channels * len(self._concat)

    def forward(self, before: Tensor, last: Tensor) -> Tensor:
        """States (batch, channels, height, width) of the two cells before to the output."""
        states = [self.before(before), self.last(last)]
        for node, sources in zip(self.nodes, self._sources, strict=True):
            first, second = (edge(states[source]) for edge, source in zip(node, sources, strict=True))
            states.append(first + second)
        return torch.cat([states[number] for number in self._concat], dim=1)


class CellNetwork(nn.Module):
    """Cells of a genotype on top of each other. ``forward`` gives a number for each class; ``outputs`` also those of
    the auxiliary head, which is there for training only."""

    def __init__(
        self,
        genotype: Genotype,
        classes: int,
        shape: tuple[int, int, int],
        *,
        channels: int = 16,
        cells: int = 8,
        auxiliary: bool = False,
    ) -> None:
        """shape: channels, height and width of an image. channels: of the first cell's nodes, doubled at each
        reduction. cells: at least 1. auxiliary: whether there is a second classifier at two thirds of the depth."""
        super().__init__()
        width = STEM * channels
        self.stem = nn.Sequential(nn.Conv2d(shape[0], width, 3, padding=1, bias=False), nn.BatchNorm2d(width))
        self.cells = nn.ModuleList()
        reductions = {cells // 3, 2 * cells // 3}
        self._branch = 2 * cells // 3
        before, last, reduced = width, width, False
        for number in range(cells):
            reduces = number in reductions
            channels = 2 * channels if reduces else channels
            kind, concat = (
                (genotype.reduce, genotype.reduce_concat) if reduces else (genotype.normal, genotype.normal_concat)
            )
            places = Place(before, channels), Place(last, channels, 2 if reduces else 1)
            states = concat or range(2, 2 + len(kind))
            cell = GenotypeCell(kind, tuple(states), *places, reduced_before=reduced)
            self.cells.append(cell)
            before, last, reduced = last, cell.outputs, reduces
            if number == self._branch:
                self.auxiliary = _auxiliary(cell.outputs, classes) if auxiliary else None
        self.classifier = nn.Linear(last, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, channels, height, width) to (batch, classes)."""
        return self.outputs(x)[0]

    def outputs(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """What ``forward`` gives, and the same of the auxiliary head, None without one and while not training."""
        before = last = self.stem(x)
        branch = None
        for number, cell in enumerate(self.cells):
            before, last = last, cell(before, last)
            if number == self._branch and self.training and self.auxiliary is not None:
                branch = self.auxiliary(last)
        return self.classifier(last.mean(dim=(2, 3))), branch

    def set_drop_path(self, rate: float) -> None:
        """rate: probability by which an edge is left out for an image, at least 0 and below 1."""
        for module in self.modules():
            if isinstance(module, DropPath):
                module.rate = rate


def _edge(edge: tuple[str, int], channels: int, stride: int) -> nn.Module:
    """An operation; inputs of the cell are halved in one that reduces. What has no weights is never left out."""
    label, state = edge
    module = layer(operation_named(label), Place(channels, channels, stride if state < 2 else 1))
    if isinstance(module, nn.Identity) or label == NO_OPERATION:
        return module
    return nn.Sequential(module, DropPath())


def _auxiliary(inputs: int, classes: int) -> nn.Module:
    """The second classifier of Szegedy et al. 2015 ("Going deeper with convolutions"), as DARTS has it, for images of
    any size."""
    return nn.Sequential(
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Conv2d(inputs, 128, 1, bias=False),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.Conv2d(128, 768, 2, bias=False),
        nn.BatchNorm2d(768),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(768, classes),
    )
