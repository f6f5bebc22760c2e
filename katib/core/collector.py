"""Where a trial's metrics come from, as the user's YAML says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CollectorSpec:
    """kind: Katib's collector kind. path: absolute file or folder that the trial writes, by its own view; directory:
    it is a folder. format: TEXT or JSON. filters: regular expressions (``katib.core.filters``). options: what only
    some kinds need, under Katib's names: ``httpGet``, ``customCollector``."""

    kind: str = "StdOut"
    path: str = ""
    format: str = "TEXT"
    filters: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    directory: bool = False
