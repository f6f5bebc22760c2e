"""The objective that costs nothing, in a module that costs nothing to import where it is called."""

from collections.abc import Mapping
from typing import Any


def no_op(parameters: Mapping[str, Any]) -> float:
    """Its own parameter."""
    return float(parameters["x"])
