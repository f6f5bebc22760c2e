"""Operations of an architecture space: from ``nasConfig.operations`` to typed layers, all combinations of their
parameters written out.

The vocabulary is a table. User operations are added to it by ``register``.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from katib.core.errors import Problem, SpecError, nearest_hint

PATH = "spec.nasConfig.operations"
MOST = 10_000  # combinations of one operation's parameters

ParameterValue = int | float | str


@dataclass(frozen=True, slots=True)
class Rule:
    """What a parameter of an operation may be: one of ``choices``, or a whole number from ``low`` on."""

    low: int = 1
    odd: bool = False
    choices: tuple[str, ...] = ()

    def expected(self) -> str:
        """In words."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        return f"{'an odd' if self.odd else 'a whole'} number that is at least {self.low}"

    def holds(self, value: ParameterValue) -> bool:
        """Whether ``value`` is right."""
        if self.choices:
            return value in self.choices
        return isinstance(value, int) and value >= self.low and not (self.odd and value % 2 == 0)


NOTHING = "none"  # the kind that gives zero
PASSED_ON = ("skip_connect", "skip_connection")  # kinds that give their input

KERNEL = Rule(odd=True)
COUNT = Rule()


@dataclass(frozen=True, slots=True)
class OperationType:
    """A kind of layer. parameters: rules by name; those in ``optional`` may be left out."""

    name: str
    parameters: Mapping[str, Rule] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Operation:
    """One layer to choose: a kind with a value for each of its parameters, in the order of the document."""

    type: str
    parameters: tuple[tuple[str, ParameterValue], ...] = ()

    def __getitem__(self, name: str) -> ParameterValue:
        """The value of a parameter. Raises KeyError."""
        return dict(self.parameters)[name]

    @property
    def weights(self) -> float:
        """How many weights it has with as many channels out as in, as a multiple of the channels squared: the kernel's
        area for a convolution, 1 for one that is dense in single pixels alone, 0 for whatever has none. Of an operation
        that is not known, 0."""
        area = float(str(dict(self.parameters).get("filter_size", 0))) ** 2 if self.type == "convolution" else 0.0
        return _WEIGHTS.get(self.type, area)

    @property
    def label(self) -> str:
        """A name that tells it from the others: Katib's for the operations of cells, ``separable_convolution_3x3``."""
        size = dict(self.parameters).get("filter_size")
        if len(self.parameters) == 1 and size is not None:
            return f"{self.type}_{size}x{size}"
        return "_".join([self.type, *(f"{name}={value}" for name, value in self.parameters)])


_WEIGHTS = {
    "nor_conv_1x1": 1.0,
    "nor_conv_3x3": 9.0,
    "separable_convolution": 2.0,  # applied twice (Liu, Simonyan & Yang 2019, section 3.1)
    "dilated_convolution": 1.0,
}
_FILTERS = {"filter_size": KERNEL, "num_filter": COUNT, "stride": COUNT, "depth_multiplier": COUNT}
_OPTIONAL = frozenset({"num_filter", "stride", "depth_multiplier"})
_POOLINGS = ("max_pooling", "avg_pooling")

_TYPES = (
    # Katib's, of cells (DARTS) and of chains (ENAS)
    *(
        OperationType(name, _FILTERS, _OPTIONAL)
        for name in ("convolution", "separable_convolution", "depthwise_convolution", "dilated_convolution")
    ),
    *(OperationType(name, {"filter_size": KERNEL, "stride": COUNT}, _OPTIONAL) for name in _POOLINGS),
    OperationType("reduction", {"reduction_type": Rule(choices=_POOLINGS), "pool_size": COUNT}),
    OperationType("skip_connection"),
    # those of NAS-Bench-201 (Dong & Yang 2020)
    *(
        OperationType(name)
        for name in ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    ),
)  # fmt: skip
_REGISTERED: dict[str, OperationType] = {each.name: each for each in _TYPES}


_SIZED = re.compile(r"(.+)_(\d+)x\2")  # a label with a filter size


def register(kind: OperationType) -> None:
    """Add a kind of layer of one's own. Raises SpecError if the name is taken by another one."""
    known = _REGISTERED.setdefault(kind.name, kind)
    if known != kind:
        raise SpecError([Problem("", f"the operation {kind.name!r} is registered with other parameters")])


def operation_named(label: str) -> Operation:
    """The operation of a cell with that label, ``separable_convolution_3x3`` or a mere type. Raises SpecError."""
    sized = _SIZED.fullmatch(label)
    operation = Operation(sized[1], (("filter_size", int(sized[2])),)) if sized else Operation(label)
    kind = _REGISTERED.get(label) or _REGISTERED.get(operation.type)
    if kind is None:
        raise SpecError([Problem("", f"unknown operation {label!r}{nearest_hint(label, list(_REGISTERED))}")])
    return operation if kind.name == operation.type else Operation(label)


def operations_of(nas: Mapping[str, Any], own: Sequence[str] = ()) -> tuple[Operation, ...]:
    """Every operation of ``nasConfig``, each with each combination of its parameters' values, in the document's order.

    own: names of operations that only the trial's code knows; they may have any parameters. Raises SpecError with
    everything that is wrong.
    """
    problems: list[Problem] = []
    found: list[Operation] = []
    for index, tree in enumerate(nas.get("operations") or ()):
        path, name = f"{PATH}[{index}]", str(tree.get("operationType", ""))
        kind = _REGISTERED.get(name)
        if kind is None and name not in own:
            hint = nearest_hint(name, list(_REGISTERED))
            message = f"unknown operation {name!r}{hint}; known: {', '.join(_REGISTERED)}"
            problems.append(Problem(f"{path}.operationType", message))
            continue
        values = _all_values(tree.get("parameters") or (), kind, f"{path}.parameters", problems)
        if math.prod(len(each) for each in values.values()) > MOST:
            problems.append(Problem(f"{path}.parameters", f"more than {MOST} combinations"))
            continue
        found += [Operation(name, tuple(zip(values, c, strict=True))) for c in itertools.product(*values.values())]
    labels = [operation.label for operation in found]
    problems += [
        Problem(PATH, f"{label!r} is there twice") for label in sorted({x for x in labels if labels.count(x) > 1})
    ]
    if problems:
        raise SpecError(problems)
    return tuple(found)


def _all_values(
    parameters: Sequence[Mapping[str, Any]], kind: OperationType | None, path: str, problems: list[Problem]
) -> dict[str, list[ParameterValue]]:
    """The values of each parameter; what is wrong with them goes into ``problems``."""
    values: dict[str, list[ParameterValue]] = {}
    for index, tree in enumerate(parameters):
        name, place = str(tree.get("name", "")), f"{path}[{index}]"
        rule = kind.parameters.get(name) if kind else None
        if kind is not None and rule is None:
            has = ", ".join(kind.parameters) or "none"
            hint = nearest_hint(name, list(kind.parameters))
            problems.append(Problem(f"{place}.name", f"{kind.name} has no parameter {name!r}{hint}; it has: {has}"))
            continue
        try:
            values[name] = list(_values(tree, f"{place}.feasibleSpace"))
        except SpecError as error:
            problems.extend(error.problems)
            continue
        wrong = [value for value in values[name] if rule and not rule.holds(value)]
        problems += [
            Problem(f"{place}.feasibleSpace", f"got {value!r}, expected {rule.expected()}") for value in wrong if rule
        ]
    missing = [name for name in kind.parameters if name not in values and name not in kind.optional] if kind else []
    known = [str(tree.get("name", "")) for tree in parameters]
    problems += [Problem(path, f"{name!r} is missing") for name in missing if name not in known]
    return values


def _values(tree: Mapping[str, Any], path: str) -> Iterator[ParameterValue]:
    """All values of one parameter, smallest first. A missing bound is the other one, as in Katib."""
    space = tree.get("feasibleSpace") or {}
    if space.get("list"):
        yield from map(_typed, map(str, space["list"]))
        return
    low, high = (space.get(bound) or space.get(other) for bound, other in (("min", "max"), ("max", "min")))
    step = space.get("step") or ("1" if tree.get("parameterType") == "int" else None)
    if low is None or high is None or step is None or Decimal(str(step)) <= 0:
        raise SpecError([Problem(path, "expected a list, or min and max and, for a double, a step greater than 0")])
    first, last, distance = (Decimal(str(text)) for text in (low, high, step))
    if (last - first) / distance >= MOST:
        raise SpecError([Problem(path, f"more than {MOST} values")])
    for index in range(int((last - first) / distance) + 1):
        yield _typed(str(first + index * distance))


def _typed(text: str) -> ParameterValue:
    """A whole number (``1.0`` is one), a number, or the text itself."""
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number
