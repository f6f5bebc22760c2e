"""The protocol that rivals are spoken to in: JSON lines over the standard streams of a process of their own.

Each rival is one file in ``benchmarks/search/adapters`` that imports the standard library, its own package and
``adapters/serve.py``, nothing of katib's, so it runs in an environment that holds its package alone. It is started as
``python ADAPTER.py`` and answers each line with a line:

- ``{"setup": {...}}`` -> ``{"versions": {"package": "1.2"}}``. The setup has ``seed``, ``budget``, ``workers``,
  ``parameters`` (see ``Description``), ``objectives`` (how many losses, all minimised) and ``constraints`` (how many).
- ``{"ask": N}`` -> ``{"points": [{"name": value, ...}, ...], "exhausted": false, "seconds": 0.12}``
- ``{"tell": [[point, losses, violations], ...]}`` -> ``{"seconds": 0.01}``; losses empty: the trial failed. ``point``
  is as it was answered; its key ``"#"`` holds an id that the adapter chose, by which it finds its own record of it.
- ``{"error": "..."}`` answers what went wrong, in place of any of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict


class Description(TypedDict):
    """One parameter, as rivals are told of it. kind: "real", "integer", "ordinal" or "categorical". low, high: bounds
    of numbers. log: sampled and modelled on a log scale. step: distance of the allowed values, None without. values:
    of ordinals and categories. parent, parent_values: active only where the parent has one of the values; None if it is
    always active. default: where the user would start, None if nobody said."""

    name: str
    kind: str
    low: float | None
    high: float | None
    log: bool
    step: float | None
    values: Sequence[Any] | None
    parent: str | None
    parent_values: Sequence[Any] | None
    default: Any
