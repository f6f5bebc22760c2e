"""From an architecture of any family to its network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from algorithms.architecture.cells import Genotype
from algorithms.architecture.reading import Architecture, BenchmarkCell, read_architecture
from algorithms.networks.benchmark_network import BenchmarkNetwork
from algorithms.networks.cell_network import CellNetwork
from algorithms.networks.chain_network import ChainNetwork
from katib.core.errors import MissingExtraError, PermanentError

try:
    import torch
    from torch import nn
except ModuleNotFoundError as error:
    raise MissingExtraError("torch", "nas") from error


@dataclass(frozen=True, slots=True)
class Width:
    """How large a network is. channels: of its first part. cells: of a genotype's network in all, of NAS-Bench-201's in
    each of the three stages; a chain has its layers. auxiliary: whether a genotype's has a second classifier, for
    training. None: what the family is published with."""

    channels: int | None = None
    cells: int | None = None
    auxiliary: bool = False

    @property
    def given(self) -> dict[str, int]:
        """What is not left to the family."""
        return {name: value for name in ("channels", "cells") if (value := getattr(self, name)) is not None}


def network(
    architecture: str | Mapping[str, Any] | Architecture,
    classes: int,
    shape: tuple[int, int, int],
    width: Width | None = None,
    *,
    seed: int = 0,
) -> nn.Module:
    """The network of an architecture, its weights drawn by ``seed``.

    architecture: typed, a text, or a trial's parameters, as ``read_architecture`` takes them. classes: numbers that
    come out for an image. shape: channels, height and width of an image.

    Raises ValueError for a text that is no architecture, SpecError and PermanentError for an operation that is not
    known or has no layer.
    """
    width = width or Width()
    wrong = [f"{name} {value}" for name, value in width.given.items() if value < 1]
    if wrong:
        raise PermanentError(f"got {', '.join(wrong)}, expected whole numbers from 1 on")
    typed = read_architecture(architecture)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if isinstance(typed, Genotype):
            return CellNetwork(typed, classes, shape, auxiliary=width.auxiliary, **width.given)
        if isinstance(typed, BenchmarkCell):
            return BenchmarkNetwork(typed, classes, shape, **width.given)
        return ChainNetwork(typed, classes, shape, channels=width.channels or 32)


def parameter_count(module: nn.Module) -> int:
    """Numbers that are trained, without those of an auxiliary head."""
    return sum(each.numel() for name, each in module.named_parameters() if not name.startswith("auxiliary."))
