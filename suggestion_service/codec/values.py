"""Values and parameters <-> the texts that Katib's messages carry. Numbers are texts here and nowhere else.

A value travels as its parameter's text. Where that text would not give the same value of the same type back (``True``
or ``1`` in a list of choices, a value outside the space), its JSON travels beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from katib.core.errors import Problem, SpecError
from katib.core.parameters import Choice, Condition, Integer, Ordinal, Parameter, Real, number_of
from katib.core.priors import Distribution
from katib.core.space import SearchSpace
from katib.core.trial import Parameters, Value
from suggestion_service.generated import api_pb2 as pb

_DISTRIBUTIONS = {
    Distribution.UNIFORM: pb.UNIFORM,
    Distribution.LOG_UNIFORM: pb.LOG_UNIFORM,
    Distribution.NORMAL: pb.NORMAL,
    Distribution.LOG_NORMAL: pb.LOG_NORMAL,
}
_DISTRIBUTION_OF = {number: distribution for distribution, number in _DISTRIBUTIONS.items()}
_TYPES: Mapping[type[Parameter], pb.ParameterType] = {
    Real: pb.DOUBLE,
    Integer: pb.INT,
    Ordinal: pb.DISCRETE,
    Choice: pb.CATEGORICAL,
}
_TYPE_OF = {number: kind for kind, number in _TYPES.items()}


def encode_json(value: object) -> str:
    """``value`` as JSON, the same text for equal values."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)


def decode_json(text: str, what: str) -> Any:
    """The value that ``text`` writes. Raises SpecError that names ``what``."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SpecError([Problem("", f"{what}: got {text[:80]!r}, expected JSON")]) from error


def decode_value(text: str, what: str) -> Value:
    """A scalar written as JSON. Raises SpecError."""
    value = decode_json(text, what)
    if value is not None and not isinstance(value, str | int | float):
        raise SpecError([Problem("", f"{what}: got {text[:80]!r}, expected a number, text, boolean or null")])
    return value


# ------------------------------------------------------------------------------------------------- assignments


def encode_assignments(space: SearchSpace, parameters: Parameters, assignments: Any) -> None:
    """Append ``parameters`` to ``assignments``, a repeated ParameterAssignment."""
    for name, value in parameters.items():
        text = _plain_text(space[name], value) if name in space else value if isinstance(value, str) else None
        if text is not None:
            assignments.add(name=name, value=text)
        else:
            assignments.add(name=name, value=str(value), typed_value=encode_json(value))


def decode_assignments(space: SearchSpace, assignments: Iterable[pb.ParameterAssignment]) -> dict[str, Value]:
    """The inverse. A foreign text that is no value of its parameter stays a number or text, out of the space."""
    values: dict[str, Value] = {}
    for assignment in assignments:
        name, text = assignment.name, assignment.value
        if assignment.typed_value:
            values[name] = decode_value(assignment.typed_value, f"parameter {name!r}")
        else:
            values[name] = _parse(space[name], text) if name in space else text
    return values


def _plain_text(parameter: Parameter, value: Value) -> str | None:
    """The text of ``value`` if it alone gives exactly ``value`` back, else None."""
    try:
        text = parameter.format(value)
        back = parameter.parse(text)
    except SpecError:
        return None
    return text if back == value and type(back) is type(value) else None


def _parse(parameter: Parameter, text: str) -> Value:
    try:
        return parameter.parse(text)
    except SpecError:
        pass
    try:
        return number_of(parameter.name, text) if not isinstance(parameter, Choice) else text
    except SpecError:
        return text


# -------------------------------------------------------------------------------------------------- parameters


def encode_parameter(parameter: Parameter, target: pb.ParameterSpec) -> None:
    """Write ``parameter`` into ``target``."""
    target.name = parameter.name
    target.parameter_type = _TYPES[type(parameter)]
    feasible = target.feasible_space
    if isinstance(parameter, Real | Integer):
        whole = isinstance(parameter, Integer)
        feasible.min, feasible.max = _number_text(parameter.low, whole), _number_text(parameter.high, whole)
        feasible.distribution = _DISTRIBUTIONS[parameter.distribution]
        if parameter.step is not None:
            feasible.step = _number_text(parameter.step, whole)
        feasible.without_step = whole and parameter.step is None
    else:
        feasible.list.extend(parameter.format(value) for value in parameter.values)
        plain = _decode_list(type(parameter), parameter.name, feasible)
        if not (_same(plain.values, parameter.values) and plain.texts == parameter.texts):
            feasible.typed_list.extend(map(encode_json, parameter.values))
            feasible.own_texts = bool(parameter.texts)
    if parameter.condition is not None:
        target.condition.parent = parameter.condition.parent
        target.condition.values.extend(map(encode_json, parameter.condition.values))
    if parameter.default is not None:
        target.default_value = encode_json(parameter.default)


def decode_parameter(message: pb.ParameterSpec) -> Parameter:
    """The inverse; what Katib leaves out is taken as Katib takes it. Raises SpecError."""
    name, feasible = message.name, message.feasible_space
    if message.parameter_type not in _TYPE_OF:
        raise SpecError([Problem("", f"parameter {name!r}: unknown parameter type {message.parameter_type}")])
    kind, condition = _TYPE_OF[message.parameter_type], _decode_condition(message)
    default = decode_value(message.default_value, f"default of {name!r}") if message.default_value else None
    if kind in (Ordinal, Choice):
        return replace(_decode_list(kind, name, feasible), condition=condition, default=default)
    low, high = number_of(name, feasible.min), number_of(name, feasible.max)
    step = number_of(name, feasible.step) if feasible.step else None
    distribution = _DISTRIBUTION_OF.get(feasible.distribution, Distribution.UNIFORM)
    if kind is Real:
        return Real(name, low, high, distribution, step, condition, default)
    if step is None and not feasible.without_step:
        step = 1
    return Integer(name, low, high, distribution, step, condition, default)


def _decode_condition(message: pb.ParameterSpec) -> Condition | None:
    if not message.HasField("condition"):
        return None
    values = tuple(decode_value(text, f"condition of {message.name!r}") for text in message.condition.values)
    return Condition(message.condition.parent, values)


def _decode_list(kind: type[Parameter], name: str, feasible: pb.FeasibleSpace) -> Ordinal | Choice:
    texts = tuple(feasible.list)
    if feasible.typed_list:
        values = tuple(decode_value(text, f"parameter {name!r}") for text in feasible.typed_list)
        if len(values) != len(texts):
            raise SpecError([Problem("", f"parameter {name!r}: {len(texts)} texts for {len(values)} values")])
        own = texts if feasible.own_texts else ()
        return Ordinal(name, values, own) if kind is Ordinal else Choice(name, values, own)
    if kind is Choice:
        return Choice(name, texts)
    numbers = tuple(number_of(name, text) for text in texts)
    return Ordinal(name, numbers, () if tuple(map(str, numbers)) == texts else texts)


def _same(left: tuple[Value, ...], right: tuple[Value, ...]) -> bool:
    return left == right and [type(v) for v in left] == [type(v) for v in right]


def _number_text(number: float, whole: bool) -> str:
    """Shortest text that reads back as ``number``; without a point for whole numbers where Katib wants an integer."""
    if isinstance(number, int) or (whole and number.is_integer()):
        return str(int(number))
    return repr(float(number))
