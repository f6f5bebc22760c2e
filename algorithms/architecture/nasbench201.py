"""The cell of NAS-Bench-201 (Dong & Yang 2020, "NAS-Bench-201: extending the scope of reproducible neural architecture
search"): four nodes, an operation on each of the six edges from a node to every later one.

Its text is the benchmark's own: ``|op~0|+|op~0|op~1|+|op~0|op~1|op~2|``, node by node, ``op~k`` on the edge from node
k.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from algorithms.architecture.operations import NOTHING, PASSED_ON, Operation
from algorithms.architecture.wiring import SAME, Edge, Wiring
from katib.core.space import Choice, SearchSpace
from katib.core.trial import Parameters

NODES = 4
ARCHITECTURE = "architecture"  # the trial's parameter
OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")

_EDGE = re.compile(r"([^|~+]+)~(\d+)")


def edges() -> Iterator[tuple[int, int]]:
    """(from, to) of each edge, in the order of the text."""
    return ((source, node) for node in range(1, NODES) for source in range(node))


class NasBench201Cells:
    """All cells over some operations."""

    depth = NODES - 1

    def __init__(self, operations: Sequence[Operation]) -> None:
        names = tuple(operation.label for operation in operations)
        self.weights = {operation.label: operation.weights for operation in operations}
        self.space = SearchSpace(tuple(Choice(_edge_name(*edge), names) for edge in edges()))

    def assignments(self, point: Parameters) -> Parameters:
        """The cell's text."""
        nodes: dict[int, list[str]] = {}
        for source, node in edges():
            nodes.setdefault(node, []).append(f"{point[_edge_name(source, node)]}~{source}")
        return {ARCHITECTURE: "+".join(f"|{'|'.join(inputs)}|" for inputs in nodes.values())}

    def parameters(self, assignments: Parameters) -> Parameters:
        """The operation of each edge. Raises ValueError."""
        text = str(assignments.get(ARCHITECTURE, ""))
        point = {}
        for node, part in enumerate(text.split("+"), start=1):
            for name, source in _EDGE.findall(part):
                point[_edge_name(int(source), node)] = name
        if not self.space.contains(point):
            raise ValueError(f"{ARCHITECTURE}: got {text!r}, expected a cell such as |a~0|+|a~0|b~1|+|a~0|b~1|c~2|")
        return point

    def wirings(self, point: Parameters) -> tuple[Wiring, ...]:
        """The cell."""
        nodes: list[list[Edge]] = [[] for _ in range(1, NODES)]
        for source, node in edges():
            operation = str(point[_edge_name(source, node)])
            if operation != NOTHING:
                nodes[node - 1].append(Edge(SAME if operation in PASSED_ON else operation, source))
        return (Wiring(1, tuple(map(tuple, nodes))),)


def _edge_name(source: int, node: int) -> str:
    return f"edge-{source}-{node}"
