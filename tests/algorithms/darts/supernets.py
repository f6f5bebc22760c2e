"""Small supernets that tests of the search share."""

from __future__ import annotations

import torch

from algorithms.darts.mixed import CellMix
from algorithms.darts.wiring import NORMAL, REDUCE, SupernetShape, edges_of
from algorithms.networks.data import Examples

OPERATIONS = (
    "separable_convolution_3x3", "separable_convolution_5x5", "dilated_convolution_3x3", "dilated_convolution_5x5",
    "max_pooling_3x3", "avg_pooling_3x3", "skip_connection",
)  # fmt: skip


def shape_of(operations=OPERATIONS, nodes=2, cells=3, channels=4, size=8, **more):
    return SupernetShape(tuple(operations), nodes, cells, channels, (1, size, size), 3, **more)


def random_mix(shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    edges = len(edges_of(shape.nodes))

    def drawn(*size):
        return torch.rand(size, generator=generator, dtype=dtype).requires_grad_()

    return {kind: CellMix(drawn(edges, len(shape.mixed)), drawn(edges)) for kind in (NORMAL, REDUCE)}


def examples(count=24, size=8, classes=3, dtype=torch.float32):
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(count, 1, size, size, generator=generator, dtype=dtype)
    labels = torch.randint(classes, (count,), generator=generator)
    inputs[torch.arange(count), 0, labels, labels] += 3  # something to learn
    return Examples(inputs, labels)
