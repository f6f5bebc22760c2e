"""Katib's ``nasConfig`` tree, as the Experiment's YAML has it, <-> NasConfig."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from katib.core.errors import Problem, SpecError
from suggestion_service.generated import api_pb2 as pb

# YAML's word for a kind of parameter or distribution -> the wire's.
_TYPES = {"double": pb.DOUBLE, "int": pb.INT, "discrete": pb.DISCRETE, "categorical": pb.CATEGORICAL}
_TYPE_NAMES = {number: name for name, number in _TYPES.items()}
_DISTRIBUTIONS = {
    "uniform": pb.UNIFORM,
    "logUniform": pb.LOG_UNIFORM,
    "normal": pb.NORMAL,
    "logNormal": pb.LOG_NORMAL,
}
_DISTRIBUTION_NAMES = {number: name for name, number in _DISTRIBUTIONS.items()}


def encode_nas(tree: Mapping[str, Any], target: pb.NasConfig) -> None:
    """Write the tree into ``target``. Raises SpecError on a tree that is no nasConfig."""
    try:
        graph = tree.get("graphConfig", {})
        target.graph_config.num_layers = int(graph.get("numLayers", 0))
        target.graph_config.input_sizes.extend(map(int, graph.get("inputSizes", ())))
        target.graph_config.output_sizes.extend(map(int, graph.get("outputSizes", ())))
        for operation in tree.get("operations", ()):
            message = target.operations.operation.add(operation_type=str(operation["operationType"]))
            for parameter in operation.get("parameters", ()):
                _encode_parameter(parameter, message.parameter_specs.parameters.add())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SpecError([Problem("nasConfig", f"not of the expected shape: {error!r}")]) from error


def decode_nas(message: pb.NasConfig) -> dict[str, Any]:
    """The inverse, for what a Katib controller sends."""
    graph = message.graph_config
    return {
        "graphConfig": {
            "numLayers": graph.num_layers,
            "inputSizes": list(graph.input_sizes),
            "outputSizes": list(graph.output_sizes),
        },
        "operations": [
            {
                "operationType": operation.operation_type,
                "parameters": [_decode_parameter(p) for p in operation.parameter_specs.parameters],
            }
            for operation in message.operations.operation
        ],
    }


def _encode_parameter(parameter: Mapping[str, Any], message: pb.ParameterSpec) -> None:
    space = parameter.get("feasibleSpace", {})
    message.name = str(parameter["name"])
    message.parameter_type = _TYPES[parameter["parameterType"]]
    message.feasible_space.min = str(space.get("min", ""))
    message.feasible_space.max = str(space.get("max", ""))
    message.feasible_space.step = str(space.get("step", ""))
    message.feasible_space.list.extend(map(str, space.get("list", ())))
    message.feasible_space.distribution = _DISTRIBUTIONS.get(space.get("distribution", ""), pb.DISTRIBUTION_UNSPECIFIED)


def _decode_parameter(message: pb.ParameterSpec) -> dict[str, Any]:
    feasible = message.feasible_space
    bounds = {"min": feasible.min, "max": feasible.max, "step": feasible.step}
    space: dict[str, Any] = {name: text for name, text in bounds.items() if text}
    if feasible.list:
        space["list"] = list(feasible.list)
    if feasible.distribution in _DISTRIBUTION_NAMES:
        space["distribution"] = _DISTRIBUTION_NAMES[feasible.distribution]
    if message.parameter_type not in _TYPE_NAMES:
        raise SpecError([Problem("nasConfig", f"parameter {message.name!r}: unknown type {message.parameter_type}")])
    return {"name": message.name, "parameterType": _TYPE_NAMES[message.parameter_type], "feasibleSpace": space}
