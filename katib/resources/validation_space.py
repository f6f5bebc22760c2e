"""Rules of the search space: parameters of an ordinary search, and the outline of a neural architecture search."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

from katib.core.errors import Problem, nearest_hint
from katib.core.priors import Distribution
from katib.resources.documents import ExperimentSpec, FeasibleSpace, NasConfig, ParameterSpec
from katib.resources.scalars import show

NUMERIC, LISTED = ("double", "int"), ("discrete", "categorical")
PARAMETER_TYPES = (*NUMERIC, *LISTED)
DISTRIBUTIONS = tuple(distribution.value for distribution in Distribution)
MAX_HINTS = 50  # names of the user's own that a misspelt one is compared with: comparing takes long
MAX_INTEGER = 2**53  # up to here every integer is a float of its own
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def parse_number(text: str) -> float | int | None:
    """The number that ``text`` writes, exact if it is an integer in digits; None if it is no finite number."""
    if not _NUMBER.fullmatch(text) or len(text) > 400:
        return None
    value = float(text)
    if abs(value) == float("inf"):
        return None
    return int(text) if text.lstrip("+-").isdigit() else value


def choose_hint(value: str | None, allowed: Sequence[str]) -> str:
    """What to say of a value outside a fixed list."""
    return f"got {show(value)}, expected one of {', '.join(allowed)}{nearest_hint(value or '', allowed)}"


def space_problems(spec: ExperimentSpec) -> Iterator[Problem]:
    """Everything that is wrong with ``parameters`` and ``nasConfig``."""
    if spec.parameters and spec.nas_config is not None:
        yield Problem("spec.nasConfig", "got it beside parameters, expected only one of the two")
    if not spec.parameters and spec.nas_config is None:
        found = "got an empty list" if spec.parameters is not None else "missing"
        yield Problem("spec.parameters", f"{found}, expected at least one parameter, or nasConfig instead")
    yield from _parameters(spec.parameters or (), "spec.parameters")
    if spec.nas_config is not None:
        yield from _nas(spec.nas_config)


def _parameters(parameters: Sequence[ParameterSpec], path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, parameter in enumerate(parameters):
        place = f"{path}[{index}]"
        if not parameter.name:
            yield Problem(f"{place}.name", "missing, expected a name")
        elif parameter.name in seen:
            yield Problem(f"{place}.name", f"got {show(parameter.name)} for a second time, expected another name")
        seen.add(parameter.name or "")
        yield from _feasible(parameter, place)


def _feasible(parameter: ParameterSpec, place: str) -> Iterator[Problem]:
    space, path = parameter.feasible_space or FeasibleSpace(), f"{place}.feasibleSpace"
    if parameter.parameter_type not in PARAMETER_TYPES:
        yield Problem(f"{place}.parameterType", choose_hint(parameter.parameter_type, PARAMETER_TYPES))
    if space.distribution and space.distribution not in DISTRIBUTIONS:
        yield Problem(f"{path}.distribution", choose_hint(space.distribution, DISTRIBUTIONS))
    if parameter.parameter_type in NUMERIC:
        yield from _range(space, path, integer=parameter.parameter_type == "int")
    elif parameter.parameter_type in LISTED:
        yield from _list(space, path, numbers=parameter.parameter_type == "discrete")


def _range(space: FeasibleSpace, path: str, *, integer: bool) -> Iterator[Problem]:
    """Rules of double and int: numbers, in order, positive on a logarithmic scale."""
    if space.values is not None:
        yield Problem(f"{path}.list", f"got {show(space.values)}, expected min and max: only lists of values have it")
    problems = [
        *_bound(space.min, f"{path}.min", integer=integer),
        *_bound(space.max, f"{path}.max", integer=integer),
        *(_bound(space.step, f"{path}.step", integer=integer) if space.step else ()),
    ]
    yield from problems
    if problems:
        return
    low, high = parse_number(space.min or ""), parse_number(space.max or "")
    step = parse_number(space.step) if space.step else 1
    assert low is not None
    assert high is not None
    assert step is not None
    if low > high:
        yield Problem(f"{path}.max", f"got {space.max}, expected at least min, which is {space.min}")
    width = float(high) - float(low)
    if not math.isfinite(width):
        yield Problem(f"{path}.max", f"got {space.max}, expected a number nearer to min, which is {space.min}")
    if step <= 0:
        yield Problem(f"{path}.step", f"got {space.step}, expected a number greater than 0")
    elif not math.isfinite(width / step):
        yield Problem(f"{path}.step", f"got {space.step}, expected a larger one: the range has too many steps of it")
    if space.distribution in ("logUniform", "logNormal") and low <= 0:
        yield Problem(f"{path}.min", f"got {space.min}, expected more than 0 for the distribution {space.distribution}")


def _bound(text: str | None, path: str, *, integer: bool) -> Iterator[Problem]:
    expected = "an integer from -2^53 to 2^53" if integer else "a number"
    number = parse_number(text) if text else None
    if not text:
        yield Problem(path, f"missing, expected {expected}")
    elif number is None:
        yield Problem(path, f"got {show(text)}, expected {expected}")
    elif integer and number != int(number):
        yield Problem(path, f"got {show(text)}, expected an integer: the parameterType is int")
    elif integer and abs(number) > MAX_INTEGER:
        yield Problem(path, f"got {show(text)}, expected {expected}")


def _list(space: FeasibleSpace, path: str, *, numbers: bool) -> Iterator[Problem]:
    """Rules of discrete and categorical: values, each once; numbers if discrete."""
    for name, text in (("min", space.min), ("max", space.max), ("step", space.step)):
        if text:
            yield Problem(f"{path}.{name}", f"got {show(text)}, expected a list instead")
    if not space.values:
        found = "missing" if space.values is None else "got an empty list"
        yield Problem(f"{path}.list", f"{found}, expected at least one value")
    seen: set[object] = set()
    for index, text in enumerate(space.values or ()):
        value = parse_number(text) if numbers else text
        if value is None:
            yield Problem(f"{path}.list[{index}]", f"got {show(text)}, expected a number; categorical takes any text")
        elif value in seen:
            yield Problem(f"{path}.list[{index}]", f"got {show(text)} for a second time, expected each value once")
        seen.add(value)


def _nas(config: NasConfig) -> Iterator[Problem]:
    graph = config.graph_config
    if graph is None:
        yield Problem("spec.nasConfig.graphConfig", "missing, expected numLayers, inputSizes and outputSizes")
    else:
        for name, sizes in (("inputSizes", graph.input_sizes), ("outputSizes", graph.output_sizes)):
            for index, size in enumerate(sizes or ()):
                if size < 1:
                    yield Problem(f"spec.nasConfig.graphConfig.{name}[{index}]", f"got {size}, expected at least 1")
        if graph.num_layers is not None and graph.num_layers < 1:
            yield Problem("spec.nasConfig.graphConfig.numLayers", f"got {graph.num_layers}, expected at least 1")
    if not config.operations:
        yield Problem("spec.nasConfig.operations", "missing or empty, expected at least one operation")
    for index, operation in enumerate(config.operations or ()):
        path = f"spec.nasConfig.operations[{index}]"
        if not operation.operation_type:
            yield Problem(f"{path}.operationType", "missing, expected the name of an operation")
        yield from _operation_parameters(operation.parameters or (), f"{path}.parameters")


def _operation_parameters(parameters: Sequence[ParameterSpec], path: str) -> Iterator[Problem]:
    """As for an ordinary search, but one bound of a range is enough, and an operation may have no parameter at all."""
    names = Counter(parameter.name for parameter in parameters)
    for index, parameter in enumerate(parameters):
        space = parameter.feasible_space or FeasibleSpace()
        if parameter.parameter_type in NUMERIC and bool(space.min) != bool(space.max):
            parameter = parameter.model_copy(update={"feasible_space": _one_bound(space)})
        yield from _feasible(parameter, f"{path}[{index}]")
        if not parameter.name or names[parameter.name] > 1:
            yield Problem(f"{path}[{index}].name", f"got {show(parameter.name)}, expected a name of its own")


def _one_bound(space: FeasibleSpace) -> FeasibleSpace:
    return space.model_copy(update={"min": space.min or space.max, "max": space.max or space.min})
