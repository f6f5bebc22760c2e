"""Rules of ``metricsCollectorSpec``: each kind of collector with the source that it can read."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

from katib.core.errors import Problem, join_path
from katib.resources.scalars import show
from katib.resources.shared_types import COLLECTORS, CollectorKind, FileSystemPath, MetricsCollectorSpec, SourceSpec
from katib.resources.validation_space import choose_hint

_MAX_EXPRESSIONS, _MAX_EXPRESSION = 50, 1000  # number and length of filters: compiling them takes time


def collector_problems(spec: MetricsCollectorSpec) -> Iterator[Problem]:
    """Everything that is wrong with the collector; defaults are filled in already."""
    path = "spec.metricsCollectorSpec"
    collector, source = spec.collector or CollectorKind(), spec.source or SourceSpec()
    kind, place = collector.kind, source.file_system_path
    if kind not in COLLECTORS:
        hint = "; the kind None is called Push now" if kind == "None" else ""
        yield Problem(f"{path}.collector.kind", choose_hint(kind, COLLECTORS) + hint)
    where = f"{path}.source.fileSystemPath"
    if kind == "File":
        yield from _place(place, where, ("File",))
        yield from _format(source, where)
    elif kind == "TensorFlowEvent":
        yield from _place(place, where, ("Directory",))
        if place is not None and place.format:
            yield Problem(f"{where}.format", f"got {show(place.format)}, expected none: event files have their own")
    elif kind == "PrometheusMetric":
        yield from _http(source.http_get or {}, f"{path}.source.httpGet")
    elif kind == "Custom":
        if not collector.custom_collector:
            yield Problem(f"{path}.collector.customCollector", "missing, expected a container")
        if place is not None and place.path:
            yield from _place(place, where, ("File", "Directory"))
    yield from _filters((source.filter.metrics_format if source.filter else None) or (), path)


def _filters(expressions: Sequence[str], path: str) -> Iterator[Problem]:
    place = join_path(path, "source.filter.metricsFormat")
    if len(expressions) > _MAX_EXPRESSIONS:
        yield Problem(place, f"got {len(expressions)} filters, expected at most {_MAX_EXPRESSIONS}")
        return
    for index, text in enumerate(expressions):
        problem = expression_problem(text)
        if problem:
            yield Problem(f"{place}[{index}]", problem)


def expression_problem(text: str) -> str:
    """What is wrong with a filter; empty if it is a regular expression with two groups, the name and the value."""
    if len(text) > _MAX_EXPRESSION:
        return f"got {len(text)} characters, expected at most {_MAX_EXPRESSION}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # what Python only warns of ([[:alpha:]]) means something else in Katib
            groups = re.compile(text).groups
    except (re.error, Warning, OverflowError, RecursionError) as error:
        return f"got {show(text)}, expected a regular expression: {error}"
    if groups < 2:
        return f"got {show(text)} with {groups} group(s), expected two: (name) and (value)"
    return ""


def _place(place: FileSystemPath | None, path: str, kinds: tuple[str, ...]) -> Iterator[Problem]:
    place = place or FileSystemPath()
    if place.kind not in kinds:
        yield Problem(f"{path}.kind", choose_hint(place.kind, kinds))
    if not place.path or not place.path.startswith("/"):
        yield Problem(f"{path}.path", f"got {show(place.path)}, expected an absolute path")


def _format(source: SourceSpec, path: str) -> Iterator[Problem]:
    format_ = source.file_system_path.format if source.file_system_path else None
    if format_ not in ("TEXT", "JSON"):
        yield Problem(f"{path}.format", choose_hint(format_, ("TEXT", "JSON")))
    if format_ == "JSON" and source.filter is not None and source.filter.metrics_format:
        place = "spec.metricsCollectorSpec.source.filter"
        yield Problem(place, f"got {show(source.filter.tree())}, expected none: the format JSON needs no filter")


def _http(action: dict[str, Any], path: str) -> Iterator[Problem]:
    port, target = action.get("port"), action.get("path")
    number = int(port) if isinstance(port, str) and port.isascii() and port.isdigit() else port
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 65536:
        yield Problem(f"{path}.port", f"got {show(port)}, expected a port number")
    if not isinstance(target, str) or not target.startswith("/"):
        yield Problem(f"{path}.path", f"got {show(target)}, expected a path that begins with /")
