"""Floor 3: from the bytes that a trial writes to measurements. Pure functions of a chunk; nothing is remembered."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from katib.core.collector import CollectorSpec
from katib.core.errors import SpecError
from katib.core.naming import load
from katib.core.objective import Objective
from katib.core.ports import Collector
from katib.metrics.lines import MAX_LINE
from katib.metrics.reasons import unavailable_reason

__all__ = ["COLLECTORS", "MAX_LINE", "create_collector", "unavailable_reason"]

COLLECTORS: Mapping[str, str] = {
    "StdOut": "katib.metrics.line_formats:lines_collector",
    "File": "katib.metrics.line_formats:lines_collector",
    "Custom": "katib.metrics.line_formats:lines_collector",
    "Push": "katib.metrics.line_formats:push_collector",
    "TensorFlowEvent": "katib.metrics.event_files:event_collector",
    "PrometheusMetric": "katib.metrics.prometheus:prometheus_collector",
}
"""Katib's collector kind -> what makes the collector, loaded when first used: some need a library of their own."""


def create_collector(spec: CollectorSpec, objective: Objective) -> Collector:
    """What reads the metrics of ``objective`` out of a trial's output.

    Raises SpecError on a filter that cannot be used, filters with JSON, or a metric's name that the kind cannot look
    for, and UnknownNameError on a kind or format that does not exist.
    """
    if ":" in spec.kind:
        raise SpecError(f"metrics collector kind {spec.kind!r}: expected one of {', '.join(COLLECTORS)}")
    factory: Callable[[CollectorSpec, Objective], Collector] = load("metrics collector kind", spec.kind, COLLECTORS)
    return factory(spec, objective)
