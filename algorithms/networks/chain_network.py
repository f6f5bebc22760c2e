"""The network of a chain of layers with skip connections (Pham et al. 2018, "Efficient neural architecture search via
parameter sharing", section 2.3), every parameter of each layer's operation in effect.

Earlier layers that are joined to a layer's input are averaged down to its size, put behind its channels, and a 1x1
convolution makes as many channels of them as there were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from algorithms.architecture.operations import Operation
from algorithms.architecture.reading import Chain, ChainLayer
from algorithms.networks.layers import Place, layer, relu_conv_norm

DILATION = 2


class Size(NamedTuple):
    """channels of a layer's output, and how many times smaller than the image it is on each side."""

    channels: int
    reduction: int


class Join(nn.Module):
    """The input of a layer, out of the last layer's output and of earlier ones."""

    def __init__(self, last: Size, skips: tuple[Size, ...]) -> None:
        super().__init__()
        self.pools = nn.ModuleList(_pooled(last.reduction // each.reduction) for each in skips)
        self.joined = relu_conv_norm(Place(last.channels + sum(each.channels for each in skips), last.channels), 1)

    def forward(self, last: Tensor, skips: list[Tensor]) -> Tensor:
        """(batch, channels, height, width) of the last layer and of earlier ones to the last one's shape."""
        pooled = [pool(skip) for pool, skip in zip(self.pools, skips, strict=True)]
        joined: Tensor = self.joined(torch.cat([last, *pooled], dim=1))
        return joined


class ChainNetwork(nn.Module):
    """Layers one after the other, behind a convolution, before a linear classifier over the average of all pixels."""

    def __init__(self, chain: Chain, classes: int, shape: tuple[int, int, int], *, channels: int = 32) -> None:
        """shape: channels, height and width of an image. channels: of the first convolution, and of operations that
        have no num_filter."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(shape[0], channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        self.joins, self.layers = nn.ModuleDict(), nn.ModuleList()
        self._skips = [each.skips for each in chain.layers]
        size, sizes = Size(channels, 1), list[Size]()
        for number, each in enumerate(chain.layers):
            if each.skips:
                self.joins[str(number)] = Join(size, tuple(sizes[source] for source in each.skips))
            module, size = chain_layer(each, size, channels)
            self.layers.append(module)
            sizes.append(size)
        self.classifier = nn.Linear(size.channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, channels, height, width) to (batch, classes)."""
        x = self.stem(x)
        outputs: list[Tensor] = []
        for number, (module, skips) in enumerate(zip(self.layers, self._skips, strict=True)):
            if skips:
                x = self.joins[str(number)](x, [outputs[source] for source in skips])
            x = module(x)
            outputs.append(x)
        scores: Tensor = self.classifier(torch.relu(x).mean(dim=(2, 3)))
        return scores


def _pooled(ratio: int) -> nn.Module:
    return nn.AvgPool2d(ratio, ratio, ceil_mode=True) if ratio > 1 else nn.Identity()


def chain_layer(each: ChainLayer, size: Size, channels: int) -> tuple[nn.Module, Size]:
    """The module of a layer without its joins, and the size of its output. size: of the input. channels: of operations
    that have no num_filter."""
    operation = each.operation
    build = _BUILT.get(operation.type)
    if build is not None:
        return build(operation, size, channels)
    stride = _whole(operation, "stride", 1)  # an operation of cells, or of the user's own: as wide as its input
    return layer(operation, Place(size.channels, size.channels, stride)), Size(size.channels, size.reduction * stride)


def _whole(operation: Operation, name: str, default: int) -> int:
    return int(dict(operation.parameters).get(name, default))


def _convolution(dilation: int) -> Callable[[Operation, Size, int], tuple[nn.Module, Size]]:
    def build(operation: Operation, size: Size, channels: int) -> tuple[nn.Module, Size]:
        kernel, stride = _whole(operation, "filter_size", 3), _whole(operation, "stride", 1)
        outputs = _whole(operation, "num_filter", channels)
        padding = dilation * (kernel // 2)
        convolution = nn.Conv2d(size.channels, outputs, kernel, stride, padding, dilation, bias=False)
        module = nn.Sequential(nn.ReLU(), convolution, nn.BatchNorm2d(outputs))
        return module, Size(outputs, size.reduction * stride)

    return build


def _depthwise(*, pointwise: bool) -> Callable[[Operation, Size, int], tuple[nn.Module, Size]]:
    """depth_multiplier filters for each channel; with ``pointwise``, or a num_filter, a 1x1 convolution behind them."""

    def build(operation: Operation, size: Size, channels: int) -> tuple[nn.Module, Size]:
        kernel, stride = _whole(operation, "filter_size", 3), _whole(operation, "stride", 1)
        width = size.channels * _whole(operation, "depth_multiplier", 1)
        parts: list[nn.Module] = [
            nn.ReLU(),
            nn.Conv2d(size.channels, width, kernel, stride, kernel // 2, groups=size.channels, bias=False),
        ]
        outputs = _whole(operation, "num_filter", channels if pointwise else width)
        if pointwise or outputs != width:
            parts.append(nn.Conv2d(width, outputs, 1, bias=False))
        return nn.Sequential(*parts, nn.BatchNorm2d(outputs)), Size(outputs, size.reduction * stride)

    return build


def _reduction(operation: Operation, size: Size, channels: int) -> tuple[nn.Module, Size]:
    pool = _whole(operation, "pool_size", 2)
    average = dict(operation.parameters).get("reduction_type") == "avg_pooling"
    kind = nn.AvgPool2d if average else nn.MaxPool2d
    return kind(pool, pool, ceil_mode=True), Size(size.channels, size.reduction * pool)


_BUILT: Mapping[str, Callable[[Operation, Size, int], tuple[nn.Module, Size]]] = {
    "convolution": _convolution(1),
    "dilated_convolution": _convolution(DILATION),
    "separable_convolution": _depthwise(pointwise=True),
    "depthwise_convolution": _depthwise(pointwise=False),
    "reduction": _reduction,
}
