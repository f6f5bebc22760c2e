"""The network around a cell of NAS-Bench-201 (Dong & Yang 2020, "NAS-Bench-201: extending the scope of reproducible
neural architecture search", section 2): three stages of cells, with a residual block that halves the image between
them."""

from __future__ import annotations

from torch import Tensor, nn

from algorithms.architecture.operations import operation_named
from algorithms.architecture.reading import BenchmarkCell
from algorithms.networks.layers import Place, layer, relu_conv_norm

STAGES = 3


class DenseCell(nn.Module):
    """Each node is the sum of the operations on the edges from all earlier ones; the last node is the output."""

    def __init__(self, cell: BenchmarkCell, channels: int) -> None:
        super().__init__()
        self.nodes = nn.ModuleList(
            nn.ModuleList(layer(operation_named(label), Place(channels, channels)) for label, _ in node)
            for node in cell.nodes
        )

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to the same."""
        states = [x]
        for node in self.nodes:
            first, *others = (edge(state) for edge, state in zip(node, states, strict=True))
            for other in others:
                first = first + other
            states.append(first)
        return states[-1]


class ResidualBlock(nn.Module):
    """Two convolutions beside an average pooling and a 1x1 convolution: twice the channels, half the image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        outputs = 2 * channels
        self.convolutions = nn.Sequential(
            relu_conv_norm(Place(channels, outputs, 2), 3), relu_conv_norm(Place(outputs, outputs), 3)
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, 2, ceil_mode=True), nn.Conv2d(channels, outputs, 1, bias=False)
        )  # an odd size is rounded up, as the convolution does

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) to (batch, 2 channels, height / 2, width / 2), rounded up."""
        joined: Tensor = self.convolutions(x) + self.shortcut(x)
        return joined


class BenchmarkNetwork(nn.Module):
    """The benchmark's network: 16 channels and five cells a stage, unless told."""

    def __init__(
        self, cell: BenchmarkCell, classes: int, shape: tuple[int, int, int], *, channels: int = 16, cells: int = 5
    ) -> None:
        """shape: channels, height and width of an image. channels: of the first stage. cells: of each stage, at least
        1."""
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(shape[0], channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))
        blocks: list[nn.Module] = []
        for stage in range(STAGES):
            if stage:
                blocks.append(ResidualBlock(channels))
                channels *= 2
            blocks += [DenseCell(cell, channels) for _ in range(cells)]
        self.blocks = nn.Sequential(*blocks)
        self.end = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Images (batch, channels, height, width) to (batch, classes)."""
        scores: Tensor = self.classifier(self.end(self.blocks(self.stem(x))).mean(dim=(2, 3)))
        return scores
