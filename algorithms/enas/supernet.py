"""One network that holds every chain of a space, with shared weights (Pham et al. 2018, "Efficient neural architecture
search via parameter sharing", section 2.3): each layer has all operations, and a chain is a path through them.

Operations differ in channels, strides and pools, so a 1x1 convolution brings an output of another width to the one that
all layers have in common, and outputs that are joined to a smaller image are averaged down to it. Such a convolution
also stands behind operations without weights, so that what comes out of all operations is on one scale. As the weights
belong to many chains, images are normalised by their own batch, while training and afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from algorithms.architecture.operations import Operation
from algorithms.architecture.reading import ChainLayer
from algorithms.networks.chain_network import Size, chain_layer
from algorithms.networks.layers import Place, relu_conv_norm

Rows = Sequence[Sequence[int]]  # for each layer the number of its operation, and a 0 or 1 for each earlier layer


class SharedLayer(nn.Module):
    """All operations of one layer, and the joins with the layers before it."""

    def __init__(self, operations: Sequence[Operation], earlier: int, channels: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(_operation(each, channels) for each in operations)
        self.joins = nn.ModuleList(nn.Conv2d(channels, channels, 1, bias=False) for _ in range(earlier + 1))
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, last: Tensor, earlier: Sequence[Tensor], row: Sequence[int]) -> Tensor:
        """(batch, channels, height, width) of the last layer and of all earlier ones to this layer's."""
        operation, *skips = row
        if any(skips):
            joined = self.joins[-1](functional.relu(last))
            for join, output, skip in zip(self.joins[:-1], earlier, skips, strict=True):
                if skip:
                    joined = joined + join(functional.relu(_as_small(output, last)))
            last = self.norm(joined)
        made: Tensor = self.operations[operation](last)
        return made


class ChainSupernet(nn.Module):
    """Layers behind a convolution, before a linear classifier over the average of all pixels."""

    def __init__(
        self, operations: Sequence[Operation], layers: int, classes: int, shape: tuple[int, int, int], channels: int
    ) -> None:
        """shape: channels, height and width of an image. channels: that all layers have in common."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(shape[0], channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.layers = nn.ModuleList(SharedLayer(operations, earlier, channels) for earlier in range(layers))
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor, rows: Rows) -> Tensor:
        """Images (batch, channels, height, width) through one chain to (batch, classes)."""
        x = self.stem(x)
        outputs: list[Tensor] = []
        for layer, row in zip(self.layers, rows, strict=True):
            x = layer(x, outputs, row)
            outputs.append(x)
        scores: Tensor = self.classifier(torch.relu(x).mean(dim=(2, 3)))
        return scores


def _operation(operation: Operation, channels: int) -> nn.Module:
    module, size = chain_layer(ChainLayer(operation), Size(channels, 1), channels)
    if size.channels == channels and any(True for _ in module.parameters()):
        return module
    return nn.Sequential(module, relu_conv_norm(Place(size.channels, channels), 1))


def _as_small(output: Tensor, last: Tensor) -> Tensor:
    return output if output.shape[2:] == last.shape[2:] else functional.adaptive_avg_pool2d(output, last.shape[2:])
