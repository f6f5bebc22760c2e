"""The network that holds all architectures of a cell space at once (Liu, Simonyan & Yang 2019, "DARTS").

It holds the weights alone. How operations are mixed is an argument of each call, so the architecture can be no part of
what the weights' optimiser trains. Batch normalisation goes by the batch at hand, also while measuring: the passes that
an architecture's gradient takes leave nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from algorithms.darts.grouped import GroupedNodes
from algorithms.darts.mixed import CellMix, CellPlan, MixedNodes
from algorithms.darts.wiring import NORMAL, REDUCE, SupernetShape
from algorithms.networks.layers import FactorizedReduce, Place, relu_conv_norm

Mix = Mapping[str, CellMix]  # of normal and of reduction cells


class SupernetCell(nn.Module):
    """A cell: two states go in, all intermediate nodes' outputs come out, one after the other in the channels."""

    def __init__(self, plan: CellPlan, inputs: tuple[int, int], *, halve_first: bool, fused: bool) -> None:
        """inputs: channels of the two cells before. halve_first: whether the last cell halved the image, so that the
        one before it has to be halved here."""
        super().__init__()
        self.kind = REDUCE if plan.stride == 2 else NORMAL
        first, second = (Place(channels, plan.channels, affine=False) for channels in inputs)
        halving = Place(inputs[0], plan.channels, 2, affine=False)
        self.first = FactorizedReduce(halving) if halve_first else relu_conv_norm(first, 1)
        self.second = relu_conv_norm(second, 1)
        nodes = MixedNodes(plan)
        self.nodes = GroupedNodes(nodes, plan) if fused else nodes

    def forward(self, before: Tensor, last: Tensor, mix: Mix) -> Tensor:
        """States (batch, channels, height, width) of the two cells before, to the output."""
        return torch.cat(self.nodes([self.first(before), self.second(last)], mix[self.kind]), dim=1)


class Supernet(nn.Module):
    """Stem, cells, and a linear classifier over the average of all pixels."""

    def __init__(self, shape: SupernetShape, *, fused: bool = True) -> None:
        """fused: whether edges from one state are computed together, which is quicker and gives the same; sampled
        operations, of which each edge computes one, need it to be False."""
        super().__init__()
        stem, channels = shape.stem * shape.channels, shape.channels
        self.stem = nn.Sequential(nn.Conv2d(shape.image[0], stem, 3, padding=1, bias=False), nn.BatchNorm2d(stem))
        self.cells = nn.ModuleList()
        inputs, reduced = (stem, stem), False
        for number in range(shape.cells):
            reduces = shape.reduces(number)
            channels *= 2 if reduces else 1
            plan = CellPlan(shape.mixed, shape.nodes, channels, 2 if reduces else 1, shape.parts(channels))
            self.cells.append(SupernetCell(plan, inputs, halve_first=reduced, fused=fused))
            inputs, reduced = (inputs[1], shape.nodes * channels), reduces
        self.classifier = nn.Linear(inputs[1], shape.classes)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.track_running_stats = False
                module.running_mean = module.running_var = module.num_batches_tracked = None

    def forward(self, images: Tensor, mix: Mix) -> Tensor:
        """(batch, channels, height, width) to numbers for each class, (batch, classes)."""
        before = last = self.stem(images)
        for cell in self.cells:
            before, last = last, cell(before, last, mix)
        logits: Tensor = self.classifier(last.mean(dim=(2, 3)))
        return logits
