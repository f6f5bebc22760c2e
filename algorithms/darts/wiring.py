"""How a cell of a supernet is wired: every intermediate node has every state before it as an input (Liu, Simonyan &
Yang 2019, "DARTS: differentiable architecture search", section 2.1). Edges are numbered node by node, and within a
node by the state that they come from; states 0 and 1 are the outputs of the two cells before.
"""

from __future__ import annotations

from dataclasses import dataclass

from algorithms.architecture.cells import CELLS, INPUTS
from algorithms.architecture.operations import Operation, operation_named
from katib.core.errors import PermanentError

NONE = "none"
LEAST_WIDTH = 4  # channels of a part
SKIPS = frozenset({"skip_connection", "skip_connect"})
NORMAL, REDUCE = CELLS


@dataclass(frozen=True, slots=True)
class Edge:
    """An input of an intermediate node. node: from 0 on. state: where it comes from, less than ``node + 2``."""

    node: int
    state: int


def edges_of(nodes: int) -> tuple[Edge, ...]:
    """All edges of a cell with ``nodes`` intermediate nodes, in the order of their numbers."""
    return tuple(Edge(node, state) for node in range(nodes) for state in range(INPUTS + node))


def edges_into(node: int) -> range:
    """The numbers of a node's edges."""
    first = sum(INPUTS + before for before in range(node))
    return range(first, first + INPUTS + node)


def edges_from(state: int, nodes: int) -> tuple[int, ...]:
    """The numbers of the edges that leave a state, by the node they lead to."""
    return tuple(number for number, edge in enumerate(edges_of(nodes)) if edge.state == state)


@dataclass(frozen=True, slots=True)
class SupernetShape:
    """What a supernet looks like.

    operations: labels, each once; ``none``, the absence of an edge, is put in front of them where it is not there, as
    DARTS and Katib's trial image have it: without it the operations of an edge share one, whatever the edge is worth.
    nodes: intermediate nodes of a cell. cells: in all; those at one third and two thirds of the depth halve the image
    and double the channels. channels: of the first cell's states. image: channels, height and width. stem: channels of
    the stem, as multiples of ``channels``. partial: only one of so many channels goes through the operations (Xu et
    al. 2020, "PC-DARTS", section 3.2). auxiliary_skip: whether every edge has a further skip connection, whose weight
    is no part of the architecture (Chu et al. 2021, "DARTS-", section 3.2); left out if there is no skip to choose.
    """

    operations: tuple[str, ...]
    nodes: int
    cells: int
    channels: int
    image: tuple[int, int, int]
    classes: int
    stem: int = 3
    partial: int = 1
    auxiliary_skip: bool = False

    def __post_init__(self) -> None:
        """Raises PermanentError if there is nothing to choose, or an operation twice."""
        labels = tuple(label for label in self.operations if label != NONE)
        if not labels or len(set(labels)) != len(labels):
            raise PermanentError(f"operations: got {self.operations!r}, expected some, each once")
        object.__setattr__(self, "operations", (NONE, *labels))
        if not SKIPS.intersection(labels):
            object.__setattr__(self, "auxiliary_skip", False)

    @property
    def mixed(self) -> tuple[Operation, ...]:
        """What is mixed on an edge: the operations, and the auxiliary skip connection behind them."""
        further = ("skip_connection",) if self.auxiliary_skip else ()
        return tuple(operation_named(label) for label in (*self.operations, *further))

    def reduces(self, number: int) -> bool:
        """Whether a cell halves the image."""
        return number in (self.cells // 3, 2 * self.cells // 3)

    def parts(self, channels: int) -> int:
        """In how many parts the channels of a cell are divided: ``partial``, or less, since a part has four channels
        at least; narrower ones say little of an operation."""
        return max(parts for parts in range(1, self.partial + 1) if channels % parts == 0 and fits(channels, parts))


def fits(channels: int, parts: int) -> bool:
    """Whether each of the parts is wide enough."""
    return parts == 1 or channels // parts >= LEAST_WIDTH
