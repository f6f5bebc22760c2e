"""The collectors of lines: which format each kind reads."""

from __future__ import annotations

from katib.core.collector import CollectorSpec
from katib.core.errors import SpecError, UnknownNameError
from katib.core.objective import Objective
from katib.core.ports import Collector
from katib.metrics.json_lines import json_collector
from katib.metrics.text import text_collector


def lines_collector(spec: CollectorSpec, objective: Objective) -> Collector:
    """StdOut, File and Custom: text by the default rule or by filters, or JSON."""
    metrics = tuple(dict.fromkeys(objective.metrics))
    if spec.format == "TEXT":
        return text_collector(metrics, spec.filters)
    if spec.format != "JSON":
        raise UnknownNameError("format of metrics", spec.format, ("TEXT", "JSON"))
    if spec.filters:
        raise SpecError("metricsFormat filters are for the format TEXT; JSON lines are read by their keys")
    return json_collector(metrics)


def push_collector(spec: CollectorSpec, objective: Objective) -> Collector:
    """Push: what ``katib.report_metrics`` wrote, whatever format and filters the spec names for other kinds."""
    return json_collector(tuple(dict.fromkeys(objective.metrics)))
