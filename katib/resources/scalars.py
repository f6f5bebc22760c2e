"""YAML scalars as Kubernetes reads them, and values as a reader of YAML writes them.

Katib's documents are read by Go's sigs.k8s.io/yaml, which differs from PyYAML where it hurts: ``1e-5`` is a number,
``1:30`` and dates are text. Values that JSON cannot hold (infinite, not a number) are refused.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})

_KINDS = {"null": type(None), "bool": bool, "int": int, "float": float}
_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0[bB][01_]+|0[oO]?[0-7_]+|0[xX][0-9a-fA-F_]+|[1-9][0-9_]*|0)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_MAX_INTEGER, _MIN_INTEGER = 2**64 - 1, -(2**63)
_SHOWN = 80


def parse_scalar(text: str, tag: str | None, *, plain: bool) -> Any:
    """The value of a scalar: None, bool, int, float or str. plain: written without quotes and without a tag.

    Raises ValueError with a message for the user.
    """
    if tag is None and plain:
        return _parse_plain(text)
    if tag is None or tag == "!":
        return text
    kind = tag.removeprefix(_TAG)
    if kind in ("str", "timestamp"):
        return text
    value = _parse_plain(text)
    if kind not in _KINDS:
        raise ValueError(f"got the tag {show(tag)}, expected plain data")
    if kind == "float" and type(value) is int:
        return float(value)
    if type(value) is not _KINDS[kind]:
        raise ValueError(f"got {show(text)}, expected a value of the tag !!{kind}")
    return value


def _parse_plain(text: str) -> Any:
    if text in NULLS:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"got {text}, expected a finite number")
    if _INTEGER.fullmatch(text) and len(text) < 100:
        number = _parse_integer(text.replace("_", ""))
        if _MIN_INTEGER <= number <= _MAX_INTEGER:
            return number
    if _FLOAT.fullmatch(text):
        value = float(text.replace("_", ""))
        if not math.isfinite(value):
            raise ValueError(f"got {show(text)}, expected a number that fits 64 bits")
        return value
    return text


def _parse_integer(text: str) -> int:
    sign, digits = (text[0], text[1:]) if text[0] in "+-" else ("", text)
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return int(sign + ("0o" + digits if octal else digits), 0)


def show(value: Any) -> str:
    """``value`` for an error message: text in single quotes, the rest as JSON, cut after 80 characters."""
    try:
        text = repr(value) if isinstance(value, str) else json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
