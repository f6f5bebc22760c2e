"""Floor 3: from the bytes that a trial writes to measurements. Pure functions of a chunk; nothing is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from katib.core.errors import SpecError, UnknownNameError
from katib.core.experiment import CollectorSpec
from katib.core.objective import Objective
from katib.core.ports import Collector
from katib.metrics.json_lines import json_collector
from katib.metrics.lines import MAX_LINE
from katib.metrics.reasons import unavailable_reason
from katib.metrics.text import text_collector

__all__ = ["COLLECTORS", "MAX_LINE", "create_collector", "unavailable_reason"]


def _lines_collector(spec: CollectorSpec, objective: Objective) -> Collector:
    metrics = tuple(dict.fromkeys(objective.metrics))
    if spec.format == "TEXT":
        return text_collector(metrics, spec.filters)
    if spec.format != "JSON":
        raise UnknownNameError("format of metrics", spec.format, ("TEXT", "JSON"))
    if spec.filters:
        raise SpecError("metricsFormat filters are for the format TEXT; JSON lines are read by their keys")
    return json_collector(metrics)


COLLECTORS: Mapping[str, Callable[[CollectorSpec, Objective], Collector]] = {
    "StdOut": _lines_collector,
    "File": _lines_collector,
}
"""Katib's collector kind -> what makes the collector."""


def create_collector(spec: CollectorSpec, objective: Objective) -> Collector:
    """What reads the metrics of ``objective`` out of a trial's output.

    Raises SpecError on a kind that this version does not run, a filter that cannot be used or filters with JSON, and
    UnknownNameError on another format than TEXT and JSON.
    """
    factory = COLLECTORS.get(spec.kind)
    if factory is None:
        kinds = ", ".join(sorted(COLLECTORS))
        raise SpecError(f"metrics collector kind {spec.kind!r} is not supported by this version; it reads: {kinds}")
    return factory(spec, objective)
