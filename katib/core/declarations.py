"""Parameters that a trial declares while it runs, where an experiment has an open space: how they are drawn, what is
said of them, and how that travels.

A trial that asks for a parameter of which it was given no value draws it from the prior, by (its seed, the parameter's
name) alone: the same attempt after attempt, whatever else was asked for before. What it asked for goes to the engine
with its next report, as reports of two metrics that nobody else has; so every runner of functions carries it, in order.
Needs the standard library only: trials import it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from katib.core.errors import SpecError
from katib.core.parameters import Choice, Integer, Parameter, Real
from katib.core.priors import Distribution
from katib.core.values import Value

DECLARED = "katib/declared"
"""Metric whose text is a declaration."""

USED = "katib/used"
"""Metric whose text names all the parameters that a trial asked for, at its end."""

_BITS = 53


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a trial asked for, and the value that it got."""

    parameter: Parameter
    value: Value


def draw(parameter: Parameter, seed: int) -> Value:
    """The value of a trial's parameter of which nothing is known yet. seed: of the trial."""
    digest = hashlib.blake2b(f"{seed}/{parameter.name}".encode(), digest_size=8).digest()
    return parameter.from_unit((int.from_bytes(digest, "big") >> (64 - _BITS)) / 2**_BITS)


def written(declaration: Declaration) -> str:
    """The declaration as text."""
    parameter = declaration.parameter
    kind: dict[str, Any] = {"kind": type(parameter).__name__, "name": parameter.name, "value": declaration.value}
    if isinstance(parameter, Real | Integer):
        log = parameter.distribution.log
        return json.dumps({**kind, "low": parameter.low, "high": parameter.high, "log": log, "step": parameter.step})
    return json.dumps({**kind, "values": parameter.values})


def read(text: str) -> Declaration:
    """The declaration behind ``text``. Raises SpecError if it is none."""
    try:
        tree = json.loads(text)
        return Declaration(_PARAMETERS[tree["kind"]](tree), tree["value"])
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(f"no declaration of a parameter: {text[:100]!r}") from error


def _numbers(tree: Any) -> tuple[Any, ...]:
    distribution = Distribution.LOG_UNIFORM if tree["log"] else Distribution.UNIFORM
    return tree["name"], tree["low"], tree["high"], distribution, tree["step"]


_PARAMETERS: Mapping[str, Callable[[Any], Parameter]] = {
    "Real": lambda tree: Real(*_numbers(tree)),
    "Integer": lambda tree: Integer(*_numbers(tree)),
    "Choice": lambda tree: Choice(tree["name"], tuple(tree["values"])),
}


def described(parameter: Parameter) -> str:
    """The call that declares it, for people."""
    if isinstance(parameter, Real | Integer):
        whole = isinstance(parameter, Integer)
        kind = "suggest_int" if whole else "suggest_float"
        log = ", log=True" if parameter.distribution.log else ""
        step = f", step={parameter.step!r}" if parameter.step not in (None, 1 if whole else None) else ""
        return f"{kind}({parameter.low!r}, {parameter.high!r}{step}{log})"
    return f"suggest_categorical({list(parameter.values)!r})"


def difference(here: Parameter, before: Parameter) -> str:
    """What to say to who declares ``here`` what was declared as ``before``; empty if they are the same."""
    if here == before:
        return ""
    return (
        f"parameter {here.name!r} is {described(here)} here, but was declared as {described(before)}; "
        "one name is one parameter, with the same range in every trial"
    )
