"""A network as one file of plain PyTorch, which needs neither this package nor anything but PyTorch.

The network is traced symbolically (torch.fx) as it classifies, so whatever is built of PyTorch's own layers can be
written, those of user's operations among them. Names of weights are those of the network, with underscores for dots.
"""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import fx, nn

from algorithms.networks.layers import Zero
from katib.core.errors import PermanentError

_HEAD = '''"""{about}"""

import torch
from torch import nn


class Network(nn.Module):
    """{inputs}"""

    def __init__(self):
        super().__init__()
{layers}

    def forward(self, x):
{steps}


def load(weights):
    """The network with the weights in the file, ready to classify; nothing in the file is run."""
    state = torch.load(weights, map_location="cpu", weights_only=True)
    network = Network()
    layers = dict(network.named_children())
    network.load_state_dict({{_named(name, layers): tensor for name, tensor in state.items()}})
    return network.eval()


def _named(name, layers):
    """cells_0_last.1.weight for cells.0.last.1.weight."""
    parts = name.split(".")
    for number in range(1, len(parts)):
        if (layer := "_".join(parts[:number])) in layers:
            return ".".join([layer, *parts[number:]])
    raise KeyError(name)
'''
LINE = 100  # characters of a line that is not broken
_OPERATORS = {operator.add: "+", operator.mul: "*", operator.sub: "-", operator.truediv: "/"}


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is written as one layer."""
        return isinstance(m, Zero) or _is_layer(m)


def plain_source(network: nn.Module, about: str, inputs: str) -> str:
    """The file's text. about: its first lines, in words. inputs: what goes in and comes out.

    Raises PermanentError for a layer that cannot be written.
    """
    training = network.training
    try:
        graph = _Tracer().trace(network.eval())
    except (fx.proxy.TraceError, TypeError) as error:
        raise PermanentError(f"the network cannot be written as source: {error}") from None
    finally:
        network.train(training)
    modules = dict(network.named_modules())
    layers, steps = [], []
    for node in graph.nodes:
        if node.op == "call_module" and not isinstance(modules[node.target], Zero | nn.Identity):
            layers += _assigned(f"self.{_flat(node.target)}", modules[node.target])
        if node.op != "placeholder":
            steps.append(_step(node, modules))
    written = {"layers": layers, "steps": steps}
    blocks = {name: "\n".join(f"        {line}" for line in lines) for name, lines in written.items()}
    return _HEAD.format(about=_quoted(about), inputs=_quoted(inputs), **blocks)


def _is_layer(module: nn.Module) -> bool:
    """Whether it is of PyTorch's own, or some of these one after the other."""
    if isinstance(module, nn.Sequential):
        return len(module) > 0 and all(map(_is_layer, module))
    return type(module).__module__.startswith("torch.nn") and not isinstance(module, nn.ModuleList | nn.ModuleDict)


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _quoted(words: str) -> str:
    return words.replace("\\", "\\\\").replace('"""', "'''")


def _assigned(name: str, module: nn.Module) -> list[str]:
    if not isinstance(module, nn.Sequential):
        return [f"{name} = {_written(module)}"]
    parts = [_written(each) for each in module]
    line = f"{name} = {_written(module)}"
    return [line] if len(line) <= LINE else [f"{name} = nn.Sequential(", *(f"    {each}," for each in parts), ")"]


def _written(module: nn.Module) -> str:
    if isinstance(module, nn.Sequential):  # one in another, as the names of weights have it
        return f"nn.Sequential({', '.join(map(_written, module))})"
    return f"nn.{_constructor(module)}"


def _constructor(module: nn.Module) -> str:
    """``Conv2d(16, 32, 3, padding=1)``: what is not the default, out of the attributes of the arguments' names."""
    kind = type(module)
    if kind.__module__.split(".")[0] != "torch":
        raise PermanentError(f"the layer {kind.__name__} cannot be written as source")
    arguments = []
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in ("device", "dtype") or parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if not hasattr(module, name):
            raise PermanentError(f"the layer {kind.__name__} cannot be written as source: it keeps no {name!r}")
        value = getattr(module, name)
        value = value is not None if name == "bias" and not isinstance(value, bool) else _side(value)
        if parameter.default is inspect.Parameter.empty:
            arguments.append(repr(value))
        elif value != parameter.default:
            arguments.append(f"{name}={value!r}")
    return f"{kind.__name__}({', '.join(arguments)})"


def _side(value: Any) -> Any:
    """3 for (3, 3)."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _step(node: fx.Node, modules: dict[str, nn.Module]) -> str:
    if node.op == "output":
        return f"return {_argument(node.args[0])}"
    if node.op == "call_module":
        (x,) = node.args
        return f"{node.name} = {_called(modules[node.target], _flat(str(node.target)), _argument(x))}"
    arguments = [*map(_argument, node.args), *(f"{name}={_argument(each)}" for name, each in node.kwargs.items())]
    if node.op == "call_method":
        return f"{node.name} = {arguments[0]}.{node.target}({', '.join(arguments[1:])})"
    if node.op == "call_function" and callable(node.target):
        return f"{node.name} = {_expression(node.target, arguments)}"
    raise PermanentError(f"the network cannot be written as source: {node.target} belongs to no layer of PyTorch's")


def _called(module: nn.Module, name: str, x: str) -> str:
    if isinstance(module, Zero):
        step = f"::{module.stride}" if module.stride > 1 else ":"
        return f"{x}[:, :1, {step}, {step}].expand(-1, {module.outputs}, -1, -1) * 0"
    return x if isinstance(module, nn.Identity) else f"self.{name}({x})"


def _expression(function: Callable[..., Any], arguments: list[str]) -> str:
    if function in _OPERATORS:
        return f" {_OPERATORS[function]} ".join(arguments)
    if function is operator.getitem:
        return f"{arguments[0]}[{arguments[1].removeprefix('(').removesuffix(')')}]"
    name = getattr(function, "__name__", "")
    for place, prefix in ((torch, "torch"), (nn.functional, "nn.functional")):
        if getattr(place, name, None) is function:
            return f"{prefix}.{name}({', '.join(arguments)})"
    raise PermanentError(f"the network cannot be written as source: it calls {function!r}")


def _argument(value: Any) -> str:
    if isinstance(value, slice):
        parts = [_argument(each) if each is not None else "" for each in (value.start, value.stop, value.step)]
        return ":".join(parts[: 3 if value.step is not None else 2])
    if isinstance(value, list | tuple):
        inner = ", ".join(map(_argument, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' if len(value) == 1 else ''})"
    return value.name if isinstance(value, fx.Node) else repr(value)
