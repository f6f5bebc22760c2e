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
from katib.core.errors import Problem, SpecError
from katib.core.experiment import Component, ExperimentSpec
from katib.core.history import History
from katib.core.ports import Algorithm
from katib.core.space import Integer, SearchSpace
from katib.core.trial import Parameters, Proposal

SETTINGS = "spec.algorithm.algorithmSettings"
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
    min_resource: int = setting(1, low=1, help="smallest resource of a trial, with algorithms that have resource_name")


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
        self._resource = _resource(rest, settings.min_resource)
        resources = () if self._resource is None else (self._resource,)
        space = SearchSpace((*self._architectures.space, *resources))
        self._translation = Translation(space, self._point)
        self._inner = create(replace(spec, space=space, algorithm=rest, nas=None), self._architectures)

    def suggest(self, history: History, count: int) -> Proposal:
        """What the algorithm proposes, as trials' texts."""
        proposal = self._inner.suggest(self._translation.of(history), count)
        written = (replace(each, parameters=self._assignments(each.parameters)) for each in proposal.suggestions)
        return replace(proposal, suggestions=tuple(written))

    def _assignments(self, point: Parameters) -> Parameters:
        """The texts of a trial."""
        texts = self._architectures.assignments(point)
        return texts if self._resource is None else {**texts, self._resource.name: str(point[self._resource.name])}

    def _point(self, assignments: Parameters) -> Parameters:
        """The architecture of a trial, and its resource; one that is none of this space stays as it is, outside of
        it."""
        try:
            point = self._architectures.parameters(assignments)
            if self._resource is None:
                return point
            return {**point, self._resource.name: int(str(assignments.get(self._resource.name, "")))}
        except ValueError:
            return assignments


def _resource(algorithm: Component, least: int) -> Integer | None:
    """The parameter that carries the resource, where the algorithm is told its name. Raises SpecError."""
    name, most = algorithm.settings.get("resource_name", ""), algorithm.settings.get("r_l", "")
    if not name:
        return None
    try:
        highest = int(float(most))
    except (ValueError, OverflowError):  # which the algorithm complains of
        highest = least
    if highest < least:
        raise SpecError([Problem(f"{SETTINGS}[r_l]", f"got {most!r}, expected at least min_resource, {least}")])
    return Integer(name, least, highest)


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
