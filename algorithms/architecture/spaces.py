"""Families of architectures as search spaces of choices, so that every algorithm can search them.

A point of such a space is a typed architecture; ``assignments`` writes it as the texts that trials get, and
``parameters`` reads them back, so a trial's own parameters are the only memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from algorithms.architecture.wiring import Wiring
from katib.core.errors import Problem, SpecError
from katib.core.space import SearchSpace
from katib.core.trial import Parameters

GRAPH = "spec.nasConfig.graphConfig"


class ArchitectureSpace(Protocol):
    """One family over the operations of an experiment."""

    @property
    def space(self) -> SearchSpace:
        """The choices that make an architecture."""
        ...

    @property
    def weights(self) -> Mapping[str, float]:
        """How many weights each operation has, for people who compare: multiples of the channels squared, by label."""
        ...

    @property
    def depth(self) -> int:
        """Operations that a path from an input to the output has at most."""
        ...

    def assignments(self, point: Parameters) -> Parameters:
        """The parameters of the trial that evaluates the architecture ``point``."""
        ...

    def parameters(self, assignments: Parameters) -> Parameters:
        """The architecture that a trial evaluates. Raises ValueError if its texts are none of this space."""
        ...

    def wirings(self, point: Parameters) -> tuple[Wiring, ...]:
        """What it computes: a graph of operations, or one for each of its cells."""
        ...


@dataclass(frozen=True, slots=True)
class Graph:
    """``nasConfig.graphConfig``: depth, and shapes of the input and of the output; empty where none are given."""

    layers: int
    input_sizes: tuple[int, ...] = ()
    output_sizes: tuple[int, ...] = ()

    @classmethod
    def of(cls, nas: Mapping[str, Any]) -> Graph:
        """That of ``nasConfig``. Raises SpecError without a depth."""
        tree = nas.get("graphConfig") or {}
        layers = tree.get("numLayers")
        if not isinstance(layers, int) or layers < 1:
            raise SpecError([Problem(f"{GRAPH}.numLayers", f"got {layers!r}, expected a whole number from 1 on")])
        sizes = (tuple(map(int, tree.get(name) or ())) for name in ("inputSizes", "outputSizes"))
        return cls(layers, *sizes)
