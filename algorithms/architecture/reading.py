"""One architecture of any family, typed, out of what a trial was given or printed, or a user has in a file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from algorithms.architecture import macro, nasbench201
from algorithms.architecture.cells import GENOTYPE, Edge, Genotype, read_genotype
from algorithms.architecture.operations import Operation, ParameterValue
from algorithms.architecture.wire import quoted, unquoted

# The metrics that a search within one trial prints.
BEST_GENOTYPE, BEST_ARCHITECTURE = "Best-Genotype", "Best-Architecture"
_WHOLE = (GENOTYPE, BEST_GENOTYPE, BEST_ARCHITECTURE)  # names of one text that is all of it
_BENCHMARK_EDGE = re.compile(r"([^|~+\s]+)~(\d+)")
_NAMED = re.compile(r"\s*[\w-]+=")


class BenchmarkCell(NamedTuple):
    """A cell of NAS-Bench-201. nodes: for each node but the first the operations on the edges from all earlier ones,
    (label, number of the node that the edge comes from)."""

    nodes: tuple[tuple[Edge, ...], ...]

    def __str__(self) -> str:
        """The benchmark's own text."""
        return "+".join(f"|{'|'.join(f'{label}~{source}' for label, source in node)}|" for node in self.nodes)


class ChainLayer(NamedTuple):
    """operation: with its parameters. skips: numbers of earlier layers that are joined to the input, ascending."""

    operation: Operation
    skips: tuple[int, ...] = ()


class Chain(NamedTuple):
    """Layers one after the other. Layer 0 is fed by the image."""

    layers: tuple[ChainLayer, ...]

    def __str__(self) -> str:
        """JSON with Katib's two texts as trees, which ``read_architecture`` takes."""
        operations = list(dict.fromkeys(each.operation for each in self.layers))
        rows = [
            [operations.index(layer.operation), *(int(source in layer.skips) for source in range(number))]
            for number, layer in enumerate(self.layers)
        ]
        embedding = {
            str(number): {"opt_id": number, "opt_type": each.type, "opt_params": dict(each.parameters)}
            for number, each in enumerate(operations)
        }
        return json.dumps({macro.ARCHITECTURE: rows, macro.NETWORK: {"embedding": embedding}})


Architecture = Genotype | BenchmarkCell | Chain


def read_architecture(given: str | Mapping[str, Any] | Architecture) -> Architecture:
    """The architecture in a text or in a trial's parameters.

    Texts are ``Genotype(...)``, a cell of NAS-Bench-201 ``|op~0|+|op~0|op~1|...``, or a JSON object with a trial's
    parameters: ``genotype``, or ``architecture``, for chains beside ``nn_config``; with or without the name of a
    metric, ``Best-Genotype=``. Raises ValueError.
    """
    if isinstance(given, Genotype | BenchmarkCell | Chain):
        return given
    if not isinstance(given, str):
        return _of_parameters(given)
    text = given.strip()
    if named := _NAMED.match(text):
        text = text[named.end() :].strip()
    if "Genotype(" in text:
        return read_genotype(text)
    if text.startswith("{"):
        return _of_parameters(_object(text))
    return read_benchmark_cell(text)


def holds_architecture(parameters: Mapping[str, Any]) -> bool:
    """Whether there is one among a trial's parameters or metrics, by their names."""
    return any(name in parameters for name in (*_WHOLE, macro.ARCHITECTURE))


def read_benchmark_cell(text: str) -> BenchmarkCell:
    """The cell in a text such as ``|a~0|+|a~0|b~1|+|a~0|b~1|c~2|``. Raises ValueError."""
    nodes = tuple(
        tuple((label, int(source)) for label, source in _BENCHMARK_EDGE.findall(part)) for part in text.split("+")
    )
    cell = BenchmarkCell(nodes)
    complete = [[source for _, source in node] for node in nodes] == [list(range(n + 1)) for n in range(len(nodes))]
    if not complete or len(nodes) != nasbench201.NODES - 1 or str(cell) != text.strip():
        expected = "Genotype(normal=..., reduce=...), a cell such as |a~0|+|a~0|b~1|+|a~0|b~1|c~2|, or a JSON object"
        raise ValueError(f"got {text!r}, expected {expected}")
    return cell


def read_chain(rows: Any, network: Any) -> Chain:
    """The chain in Katib's ``architecture`` and ``nn_config``, each a text or a tree. Raises ValueError."""
    rows, network = (unquoted(each) if isinstance(each, str) else each for each in (rows, network))
    try:
        embedding = {int(number): _operation(tree) for number, tree in network["embedding"].items()}
        layers = tuple(_layer(number, row, embedding) for number, row in enumerate(rows))
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{macro.NETWORK}: got {network!r}, expected an embedding with every operation: {error!r}"
        ) from None
    if not layers:
        raise ValueError(f"{macro.ARCHITECTURE}: expected a row for each layer, got none")
    return Chain(layers)


def chain_parameters(chain: Chain) -> dict[str, str]:
    """Katib's two texts of a chain."""
    tree = json.loads(str(chain))
    return {name: quoted(tree[name]) for name in (macro.ARCHITECTURE, macro.NETWORK)}


def _of_parameters(parameters: Mapping[str, Any]) -> Architecture:
    for name in _WHOLE:
        if name in parameters:
            return read_architecture(str(parameters[name]))
    if macro.ARCHITECTURE not in parameters:
        names = ", ".join(parameters) or "none"
        raise ValueError(f"got the parameters {names}, expected {GENOTYPE} or {macro.ARCHITECTURE} among them")
    if macro.NETWORK in parameters:
        return read_chain(parameters[macro.ARCHITECTURE], parameters[macro.NETWORK])
    text = str(parameters[macro.ARCHITECTURE])
    if text.lstrip().startswith("["):
        raise ValueError(f"{macro.NETWORK}: missing; it says what the operations of a chain are")
    return read_architecture(text)


def _object(text: str) -> Mapping[str, Any]:
    try:
        tree = json.loads(text)
    except ValueError as error:
        raise ValueError(f"got {text!r}, expected a JSON object: {error}") from None
    if not isinstance(tree, dict):
        raise ValueError(f"got {text!r}, expected a JSON object")
    return tree


def _operation(tree: Mapping[str, Any]) -> Operation:
    parameters = tree.get("opt_params") or {}
    return Operation(str(tree["opt_type"]), tuple((str(name), _value(value)) for name, value in parameters.items()))


def _value(value: Any) -> ParameterValue:
    """Katib writes numbers as texts or as numbers, by their kind in the document."""
    if isinstance(value, str):
        try:
            return int(value)
        except ValueError:
            return value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _layer(number: int, row: Sequence[int], embedding: Mapping[int, Operation]) -> ChainLayer:
    operation, *bits = row
    if len(bits) != number or any(bit not in (0, 1) for bit in bits):
        raise ValueError(f"{macro.ARCHITECTURE}: layer {number} has the skips {bits}, expected {number} of 0 and 1")
    return ChainLayer(embedding[operation], tuple(source for source, bit in enumerate(bits) if bit))
