"""The cells of DARTS (Liu, Simonyan & Yang 2019, "DARTS: differentiable architecture search", section 2.1): a normal
and a reduction cell, in which each of the intermediate nodes has two of the states before it as inputs, each through an
operation. States 0 and 1 are the outputs of the two cells before.

A genotype is such a pair of cells. Its text is that which Katib's trial image prints.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Sequence
from typing import NamedTuple

from algorithms.architecture.operations import NOTHING, PASSED_ON, Operation
from algorithms.architecture.wiring import SAME, Wiring
from algorithms.architecture.wiring import Edge as Applied
from katib.core.space import Choice, SearchSpace
from katib.core.trial import Parameters

GENOTYPE = "genotype"  # the trial's parameter
CELLS = ("normal", "reduce")
INPUTS = 2  # states that a cell begins with, and inputs that a node has

Edge = tuple[str, int]  # label of the operation, number of the state
Cell = tuple[tuple[Edge, ...], ...]  # the inputs of each node

_BESIDE = "concatenation"  # how nodes come to the output: not added up
_TEXT = re.compile(r"Genotype\((.*)\)", re.DOTALL)


class Genotype(NamedTuple):
    """normal, reduce: the two cells. normal_concat, reduce_concat: numbers of the states that a cell's output is made
    of; the intermediate nodes', unless given."""

    normal: Cell
    reduce: Cell
    normal_concat: tuple[int, ...] = ()
    reduce_concat: tuple[int, ...] = ()

    def __str__(self) -> str:
        """As Katib's trial image prints it."""
        parts = []
        for name, cell, concat in zip(CELLS, self[:2], self[2:], strict=True):
            nodes = [list(node) for node in cell]
            parts += [f"{name}={nodes!r}", f"{name}_concat=range({INPUTS}, {INPUTS + len(cell)})"]
            if concat and tuple(concat) != tuple(range(INPUTS, INPUTS + len(cell))):
                parts[-1] = f"{name}_concat={list(concat)!r}"
        return f"Genotype({', '.join(parts)})"


def read_genotype(text: str) -> Genotype:
    """The genotype in a text such as ``Best-Genotype=Genotype(normal=[[('skip_connection', 0), ...``; each node has
    a list of its inputs, or all inputs stand in one list, two for each node. Raises ValueError."""
    found = _TEXT.search(text)
    try:
        given = _arguments(found[1] if found else "")
        normal, reduce = (_cell(given[name]) for name in CELLS)
        return Genotype(normal, reduce, *(_states(given.get(f"{name}_concat")) for name in CELLS))
    except (KeyError, SyntaxError, TypeError, ValueError) as error:
        raise ValueError(f"got {text!r}, expected Genotype(normal=..., reduce=...): {error}") from None


class DartsCells:
    """All genotypes over some operations, with ``nodes`` intermediate nodes in each cell."""

    def __init__(self, operations: Sequence[Operation], nodes: int) -> None:
        self._nodes = nodes
        self.weights = {operation.label: operation.weights for operation in operations}
        self.depth = nodes + 1  # with the one that brings a node to the output
        labels = tuple(operation.label for operation in operations)
        parameters = []
        for cell, node in itertools.product(CELLS, range(nodes)):
            pairs = tuple(f"{a},{b}" for a, b in itertools.combinations(range(INPUTS + node), INPUTS))
            if len(pairs) > 1:
                parameters.append(Choice(f"{cell}-{node}-inputs", pairs))
            parameters += [Choice(f"{cell}-{node}-operation-{place}", labels) for place in range(INPUTS)]
        self.space = SearchSpace(tuple(parameters))

    def genotype(self, point: Parameters) -> Genotype:
        """The cells of a point."""
        normal, reduce = (tuple(self._node(point, cell, node) for node in range(self._nodes)) for cell in CELLS)
        return Genotype(normal, reduce)

    def assignments(self, point: Parameters) -> Parameters:
        """The genotype's text."""
        return {GENOTYPE: str(self.genotype(point))}

    def parameters(self, assignments: Parameters) -> Parameters:
        """The choices behind a genotype's text. Raises ValueError."""
        genotype = read_genotype(str(assignments.get(GENOTYPE, "")))
        point: dict[str, str] = {}
        for cell, nodes in zip(CELLS, genotype[:2], strict=True):
            for node, inputs in enumerate(nodes):
                (one, first), (other, second) = sorted(inputs, key=lambda edge: edge[1])
                point[f"{cell}-{node}-inputs"] = f"{first},{second}"
                point |= {f"{cell}-{node}-operation-0": one, f"{cell}-{node}-operation-1": other}
        wanted = {parameter.name: point.get(parameter.name) for parameter in self.space}
        if not self.space.contains(wanted):
            raise ValueError(f"{GENOTYPE}: got {genotype}, which is none of this space")
        return wanted

    def wirings(self, point: Parameters) -> tuple[Wiring, ...]:
        """The two cells. Their output has each node's channels beside the others'. What a reduction cell passes on from
        its inputs is halved on the way, so it is an operation there."""
        return tuple(
            _wiring(cell, halved=name == "reduce") for name, cell in zip(CELLS, self.genotype(point)[:2], strict=True)
        )

    def _node(self, point: Parameters, cell: str, node: int) -> tuple[Edge, ...]:
        states = str(point.get(f"{cell}-{node}-inputs", "0,1")).split(",")
        return tuple((str(point[f"{cell}-{node}-operation-{i}"]), int(state)) for i, state in enumerate(states))


def _wiring(cell: Cell, halved: bool) -> Wiring:
    """halved: whether the cell has half the width and height of its inputs."""

    def applied(operation: str, state: int) -> Applied:
        same = operation in PASSED_ON and not (halved and state < INPUTS)
        return Applied(SAME if same else operation, state)

    nodes = [tuple(applied(*edge) for edge in node if edge[0] != NOTHING) for node in cell]
    output = tuple(Applied(_BESIDE, INPUTS + node) for node in range(len(cell)))
    return Wiring(INPUTS, (*nodes, output))


def _arguments(text: str) -> dict[str, object]:
    """The keywords of a call and their literals. Raises SyntaxError, ValueError."""
    call = ast.parse(f"f({text})", mode="eval").body
    if not isinstance(call, ast.Call) or call.args:
        raise ValueError("keywords alone are expected")
    return {str(each.arg): _literal(each.value) for each in call.keywords}


def _states(value: object) -> tuple[int, ...]:
    return tuple(int(each) for each in value) if isinstance(value, list | tuple) else ()


def _literal(node: ast.expr) -> object:
    """A literal, or ``range(a, b)``."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        return tuple(range(*(ast.literal_eval(each) for each in node.args)))
    return ast.literal_eval(node)


def _cell(value: object) -> Cell:
    """Nodes of (operation, state) pairs."""
    if not isinstance(value, list | tuple):
        raise ValueError(f"got {value!r}, expected a list of nodes")
    items = list(value)
    if items and isinstance(items[0], tuple):  # all inputs in one list
        items = [items[i : i + INPUTS] for i in range(0, len(items), INPUTS)]
    cell = tuple(tuple((str(name), int(state)) for name, state in node) for node in items)
    for node, inputs in enumerate(cell):
        states = [state for _, state in inputs]
        if len(inputs) != INPUTS or len(set(states)) != INPUTS or not all(0 <= s < INPUTS + node for s in states):
            raise ValueError(
                f"node {node} has the inputs {states}, expected two different ones of the states before it"
            )
    return cell
