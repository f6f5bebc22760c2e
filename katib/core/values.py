"""Values of parameters, and what makes two sets of them the same point."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

Value = float | int | str | bool | None
Parameters = Mapping[str, Value]


def point_of(parameters: Parameters) -> Hashable:
    """What two equal sets of parameters have in common, whatever their order."""
    return tuple((name, type(value) is bool, value) for name, value in sorted(parameters.items()))
