"""Chains of layers with skip connections, as ENAS's macro search has them (Pham et al. 2018, "Efficient neural
architecture search via parameter sharing", section 2.3): an operation for each layer, and for each earlier layer
whether its output is joined to the layer's input.

Texts of a trial, Katib's: ``architecture``, a row for each layer, the number of its operation and then a 0 or 1 for
each earlier layer; ``nn_config``, the graph and what the operations used are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from algorithms.architecture.operations import NOTHING, PASSED_ON, Operation
from algorithms.architecture.spaces import Graph
from algorithms.architecture.wire import quoted, unquoted
from algorithms.architecture.wiring import SAME, Edge, Wiring
from katib.core.space import Choice, SearchSpace
from katib.core.trial import Parameters

ARCHITECTURE, NETWORK = "architecture", "nn_config"  # the trial's parameters
SKIP, NO_SKIP = "1", "0"

_LAST, _JOINED = "last", "joined"  # where earlier outputs are joined to a layer's input: what happens to each of them
_OPERATION = "operation-"
_MOST = 10_000  # operations


def layers_of(space: SearchSpace) -> int:
    """The depth of the chains that ``space`` is made of; 0 if it is another one."""
    parameters = space.parameters
    layers = sum(parameter.name.startswith(_OPERATION) for parameter in parameters)
    return layers if layers and parameters == _choices(layers, int(min(parameters[0].count, _MOST))) else 0


class MacroChains:
    """All chains of the graph's depth over some operations."""

    def __init__(self, graph: Graph, operations: Sequence[Operation]) -> None:
        self._graph = graph
        self._operations = tuple(operations)
        self.space = SearchSpace(_choices(graph.layers, len(operations)))
        self.weights = {operation.label: operation.weights for operation in operations}
        self.depth = 2 * graph.layers  # a layer's operation, and that which joins its input
        # Worked out once, since searchers look at thousands of chains.
        self._names = [_names(layer) for layer in range(graph.layers)]
        self._applied = [_applied(operation) for operation in operations]

    def rows(self, point: Parameters) -> list[list[int]]:
        """For each layer the number of its operation, and then a 0 or 1 for each earlier layer."""
        return [[int(str(point[name])) for name in names] for names in self._names]

    def point(self, rows: Sequence[Sequence[int]]) -> Parameters:
        """The inverse. Raises ValueError if the rows are none of this space."""
        shapes = [len(row) for row in rows] == [layer + 1 for layer in range(self._graph.layers)]
        if not shapes or not all(self._is_row(row) for row in rows):
            raise ValueError(f"{ARCHITECTURE}: got {rows!r}, expected {self._graph.layers} rows of numbers")
        point: dict[str, str] = {}
        for layer, row in enumerate(rows):
            point |= dict(zip(self._names[layer], map(str, row), strict=True))
        return point

    def assignments(self, point: Parameters) -> Parameters:
        """Katib's two texts."""
        rows = self.rows(point)
        used = sorted({row[0] for row in rows})
        network: dict[str, Any] = {
            "num_layers": self._graph.layers,
            "input_sizes": list(self._graph.input_sizes),
            "output_sizes": list(self._graph.output_sizes),
            "embedding": {str(number): _described(number, self._operations[number]) for number in used},
        }
        return {ARCHITECTURE: quoted(rows), NETWORK: quoted(network)}

    def parameters(self, assignments: Parameters) -> Parameters:
        """The choices behind Katib's text. Raises ValueError."""
        try:
            rows = unquoted(str(assignments.get(ARCHITECTURE, "")))
        except ValueError as error:
            raise ValueError(f"{ARCHITECTURE}: {error}") from None
        if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
            raise ValueError(f"{ARCHITECTURE}: got {rows!r}, expected a list of rows")
        return self.point(rows)

    def wirings(self, point: Parameters) -> tuple[Wiring, ...]:
        """The chain; of each layer what is joined to its input, then its output. State 0 is the network's input, state
        2 (l + 1) the output of layer l, counted from 0."""
        nodes: list[tuple[Edge, ...]] = []
        for layer, (number, *skips) in enumerate(self.rows(point)):
            joined = [Edge(_JOINED, 2 * (source + 1)) for source, skip in enumerate(skips) if skip]
            nodes.append((Edge(_LAST if joined else SAME, 2 * layer), *joined))
            nodes.append(tuple(Edge(label, 2 * layer + 1) for label in self._applied[number]))
        return (Wiring(1, tuple(nodes)),)

    def _is_row(self, row: Sequence[int]) -> bool:
        operation, *skips = row
        whole = isinstance(operation, int) and not isinstance(operation, bool)
        return whole and 0 <= operation < len(self._operations) and all(skip in (0, 1) for skip in skips)


def _applied(operation: Operation) -> tuple[str, ...]:
    """The label of what is applied: one, none by an operation that gives zeros."""
    if operation.type == NOTHING:
        return ()
    return (SAME if operation.type in PASSED_ON else operation.label,)


def _described(number: int, operation: Operation) -> dict[str, Any]:
    return {"opt_id": number, "opt_type": operation.type, "opt_params": dict(operation.parameters)}


def _names(layer: int) -> list[str]:
    """Of the parameters of a layer: its operation, and then a skip from each earlier layer."""
    return [f"{_OPERATION}{layer}", *(f"skip-{source}-{layer}" for source in range(layer))]


def _choices(layers: int, operations: int) -> tuple[Choice, ...]:
    """The parameters of all layers."""
    numbers = tuple(str(number) for number in range(operations))
    choices: list[Choice] = []
    for layer in range(layers):
        operation, *skips = _names(layer)
        choices += [Choice(operation, numbers), *(Choice(name, (NO_SKIP, SKIP)) for name in skips)]
    return tuple(choices)
