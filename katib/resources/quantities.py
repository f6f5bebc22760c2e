"""Kubernetes quantities: ``500m``, ``1Gi``, ``2``, ``1e3``."""

from __future__ import annotations

import re
from decimal import Decimal

from katib.core.errors import Problem, SpecError

_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40}))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?"
)
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}  # powers of 1024
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}  # powers of 10
_LARGEST = Decimal(2) ** 63 - 1  # what Kubernetes can hold


def parse_quantity(value: object) -> Decimal:
    """The number that a quantity, a text or a number, stands for. Raises SpecError unless it is from 0 to 2^63 - 1."""
    found = _QUANTITY.fullmatch(str(value)) if isinstance(value, str | int | float) else None
    if found is None or isinstance(value, bool):
        raise _bad(value)
    number, suffix, exponent = Decimal(found[1]), found[2], found[3]
    if suffix in _BINARY:
        number *= Decimal(1024) ** _BINARY[suffix]
    else:
        number *= Decimal(10) ** (_DECIMAL[suffix] if suffix else int(exponent or 0))
    if not 0 <= number <= _LARGEST:
        raise _bad(value)
    return number


def _bad(value: object) -> SpecError:
    return SpecError([Problem("", f"got {value!r}, expected a quantity such as 500m, 2, 1.5 or 1Gi, at least 0")])
