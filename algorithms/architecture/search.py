"""Any algorithm over architectures: it is shown trials as points of choices, and its points become trials' texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from algorithms.architecture.cells import DartsCells
from algorithms.architecture.macro import MacroChains
from algorithms.architecture.nasbench201 import OPERATIONS, NasBench201Cells
from algorithms.architecture.operations import operations_of
from algorithms.architecture.spaces import ArchitectureSpace, Graph
from algorithms.architecture.translation import Translation
from algorithms.settings import Settings, parse, setting
from katib.core.errors import SpecError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.ports import Algorithm
from katib.core.trial import Parameters, Proposal

FAMILIES = ("auto", "cells", "chain", "nasbench201")


@dataclass(frozen=True, slots=True)
class ArchitectureSettings(Settings):
    """Settings that every algorithm has where architectures are searched."""

    search_space: str = setting(
        "auto", choices=FAMILIES,
        help="cells: a normal and a reduction cell; chain: layers with skip connections; nasbench201: that benchmark's "
        "cell; auto: by the operations and the graph",
    )  # fmt: skip
    num_nodes: int = setting(4, low=1, help="intermediate nodes of a cell")
    own_operations: str = setting("", help="operations that only the trial's code knows, with commas between them")


_NAMES = tuple(ArchitectureSettings.__dataclass_fields__)


class ArchitectureSearch:
    """The algorithm of an experiment with ``nasConfig``."""

    def __init__(self, spec: ExperimentSpec, create: Callable[[ExperimentSpec, ArchitectureSpace], Algorithm]) -> None:
        """create: makes the algorithm over the choices of an architecture space. Raises SpecError on a bad nasConfig or
        setting."""
        given = spec.algorithm.settings
        own = {name: text for name, text in given.items() if name in _NAMES}
        rest = Component(spec.algorithm.name, {name: text for name, text in given.items() if name not in _NAMES})
        settings = parse(ArchitectureSettings, Component(spec.algorithm.name, own))
        self._architectures = architecture_space(spec, settings)
        self._translation = Translation(self._architectures.space, self._point)
        inner = replace(spec, space=self._architectures.space, algorithm=rest, nas=None)
        self._inner = create(inner, self._architectures)

    def suggest(self, history: History, count: int) -> Proposal:
        """What the algorithm proposes, as trials' texts."""
        proposal = self._inner.suggest(self._translation.of(history), count)
        written = (
            replace(each, parameters=self._architectures.assignments(each.parameters)) for each in proposal.suggestions
        )
        return replace(proposal, suggestions=tuple(written))

    def _point(self, assignments: Parameters) -> Parameters:
        """The architecture of a trial; one that is none of this space stays as it is, outside of it."""
        try:
            return self._architectures.parameters(assignments)
        except ValueError:
            return assignments


def architecture_space(spec: ExperimentSpec, settings: ArchitectureSettings) -> ArchitectureSpace:
    """The family that ``nasConfig`` and the settings ask for. Raises SpecError."""
    if spec.nas is None:
        raise SpecError("spec.nasConfig: missing")
    graph = Graph.of(spec.nas)
    operations = operations_of(spec.nas, [name.strip() for name in settings.own_operations.split(",")])
    family = settings.search_space
    if family == "auto":
        benchmark = {operation.type for operation in operations} <= set(OPERATIONS)
        family = "nasbench201" if benchmark else "chain" if graph.output_sizes else "cells"
    if family == "nasbench201":
        return NasBench201Cells(operations)
    return MacroChains(graph, operations) if family == "chain" else DartsCells(operations, settings.num_nodes)
