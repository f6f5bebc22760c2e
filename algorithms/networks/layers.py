"""Operations of cells as PyTorch modules that keep the size of an image, or divide it by the stride.

The layers of Liu, Simonyan & Yang 2019 ("DARTS: differentiable architecture search", section 3.1: ReLU, convolution,
batch normalisation; separable ones applied twice) and of Dong & Yang 2020 ("NAS-Bench-201", section 2). A table has
them by the type of operation; user's own are added to it by ``register_layer``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from algorithms.architecture.operations import Operation
from katib.core.errors import PermanentError

MOMENTUM = 0.1  # of the running means of batch normalisation


@dataclass(frozen=True, slots=True)
class Place:
    """Where a layer stands. inputs, outputs: channels. stride: 1 or 2. affine: whether batch normalisation learns a
    scale and a shift, as it does in final networks, and does not in a supernet. normalised_pooling: whether batch
    normalisation stands behind a pooling, so that operations are on one scale while they are mixed."""

    inputs: int
    outputs: int
    stride: int = 1
    affine: bool = True
    normalised_pooling: bool = False

    def norm(self, channels: int | None = None) -> nn.BatchNorm2d:
        """A batch normalisation, of the outputs unless told."""
        return nn.BatchNorm2d(self.outputs if channels is None else channels, momentum=MOMENTUM, affine=self.affine)


Factory = Callable[[Operation, Place], nn.Module]


class Zero(nn.Module):
    """No connection: zeros of the layer's shape."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.outputs, self.stride = place.outputs, place.stride

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) to (batch, outputs, height / stride, width / stride)."""
        height, width = (-(-size // self.stride) for size in x.shape[2:])
        return x.new_zeros(x.shape[0], self.outputs, height, width)


class FactorizedReduce(nn.Module):
    """A skip connection that halves the image: two 1x1 convolutions of stride 2, one of them moved by a pixel, so that
    no pixel is left out (Liu et al. 2019). An odd size is filled up with zeros.

    The stride is taken by ``thinned``."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        half = place.outputs // 2
        self.even = nn.Conv2d(place.inputs, half, 1, bias=False)
        self.odd = nn.Conv2d(place.inputs, place.outputs - half, 1, bias=False)
        self.norm = place.norm()

    def forward(self, x: Tensor) -> Tensor:
        """(batch, inputs, height, width) to (batch, outputs, height / 2, width / 2), rounded up."""
        even, odd = in_two(torch.relu(x))
        joined: Tensor = self.norm(torch.cat([self.even(even), self.odd(odd)], dim=1))
        return joined


def thinned(x: Tensor, stride: int) -> Tensor:
    """Every ``stride``-th row and column of (batch, channels, height, width): what a 1x1 convolution of stride 1 takes
    to be one of that stride.

    Its gradient by the kernel, with channels last, fewer than eight of them and one thread, writes beyond its memory in
    PyTorch 2.13 (oneDNN 3.12, processors with AVX2 alone), so 1x1 convolutions here are of stride 1.
    """
    return x[:, :, ::stride, ::stride]


def in_two(x: Tensor) -> tuple[Tensor, Tensor]:
    """What the two convolutions of a ``FactorizedReduce`` see: even rows and columns, and odd ones, beyond the border
    zeros; (batch, channels, height / 2, width / 2) each, rounded up."""
    return thinned(x, 2), thinned(nn.functional.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:], 2)


def layer(operation: Operation, place: Place) -> nn.Module:
    """The module of an operation. Raises PermanentError for a type that has none."""
    factory = _FACTORIES.get(operation.type)
    if factory is None:
        known = ", ".join(sorted(_FACTORIES))
        raise PermanentError(f"the operation {operation.type!r} has no layer; known: {known}")
    return factory(operation, place)


def register_layer(type: str, factory: Factory) -> None:
    """Give an operation of one's own a layer. Raises PermanentError if there is another one by that name."""
    if _FACTORIES.setdefault(type, factory) is not factory:
        raise PermanentError(f"the operation {type!r} has a layer already")


def relu_conv_norm(place: Place, kernel: int) -> nn.Module:
    """ReLU, convolution, batch normalisation."""
    return nn.Sequential(nn.ReLU(), _convolution(place, kernel), place.norm())


def _convolution(place: Place, kernel: int) -> nn.Conv2d:
    return nn.Conv2d(place.inputs, place.outputs, kernel, place.stride, kernel // 2, bias=False)


def _depthwise(channels: int, kernel: int, stride: int, dilation: int = 1) -> nn.Conv2d:
    padding = dilation * (kernel // 2)
    return nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)


def _separable(operation: Operation, place: Place) -> nn.Module:
    kernel = _size(operation)
    return nn.Sequential(
        nn.ReLU(),
        _depthwise(place.inputs, kernel, place.stride),
        nn.Conv2d(place.inputs, place.inputs, 1, bias=False),
        place.norm(place.inputs),
        nn.ReLU(),
        _depthwise(place.inputs, kernel, 1),
        nn.Conv2d(place.inputs, place.outputs, 1, bias=False),
        place.norm(),
    )


def _once(dilation: int) -> Factory:
    """A depthwise convolution and a pointwise one, once."""

    def build(operation: Operation, place: Place) -> nn.Module:
        return nn.Sequential(
            nn.ReLU(),
            _depthwise(place.inputs, _size(operation), place.stride, dilation),
            nn.Conv2d(place.inputs, place.outputs, 1, bias=False),
            place.norm(),
        )

    return build


def _pooling(operation: Operation, place: Place) -> nn.Module:
    size = _size(operation)
    if operation.type.startswith("max"):
        pool: nn.Module = nn.MaxPool2d(size, place.stride, padding=size // 2)
    else:
        pool = nn.AvgPool2d(size, place.stride, padding=size // 2, count_include_pad=False)
    parts = [pool, *([place.norm(place.inputs)] if place.normalised_pooling else [])]
    return nn.Sequential(*_widened(place), *parts)


def _widened(place: Place) -> list[nn.Module]:
    """What makes the outputs' channels out of the inputs', for layers that cannot; nothing where they are as many."""
    if place.inputs == place.outputs:
        return []
    return [relu_conv_norm(Place(place.inputs, place.outputs, affine=place.affine), 1)]


def _skip(operation: Operation, place: Place) -> nn.Module:
    if place.stride == 1:
        return nn.Sequential(*_widened(place)) if place.inputs != place.outputs else nn.Identity()
    return FactorizedReduce(place)


def _size(operation: Operation) -> int:
    return int(dict(operation.parameters).get("filter_size", 3))


_FACTORIES: dict[str, Factory] = {
    "none": lambda operation, place: Zero(place),
    "skip_connection": _skip,
    "skip_connect": _skip,
    "convolution": lambda operation, place: relu_conv_norm(place, _size(operation)),
    "separable_convolution": _separable,
    "dilated_convolution": _once(dilation=2),
    "depthwise_convolution": _once(dilation=1),
    "max_pooling": _pooling,
    "avg_pooling": _pooling,
    "nor_conv_1x1": lambda operation, place: relu_conv_norm(place, 1),
    "nor_conv_3x3": lambda operation, place: relu_conv_norm(place, 3),
    "avg_pool_3x3": _pooling,
}
