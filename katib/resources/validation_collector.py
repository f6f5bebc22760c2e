"""Rules of ``metricsCollectorSpec``: each kind of collector with the source that it can read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from katib.core.errors import Problem, SpecError, join_path, nearest_hint
from katib.core.filters import compile_filters
from katib.resources.scalars import show
from katib.resources.shared_types import COLLECTORS, CollectorKind, FileSystemPath, MetricsCollectorSpec, SourceSpec
from katib.resources.validation_space import choose_hint

_HTTP_FIELDS = ("path", "port", "host", "scheme", "httpHeaders")
_TOKEN = re.compile(r"[!#$%&'*+.^`|~\w-]+", re.ASCII)  # RFC 9110, section 5.6.2


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
        yield from _format(source, where, ("TEXT", "JSON"))
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
        yield from _format(source, where, ("TEXT", "JSON", None, ""))
    yield from _filters((source.filter.metrics_format if source.filter else None) or (), path)


def _filters(expressions: Sequence[str], path: str) -> Iterator[Problem]:
    try:
        compile_filters(expressions)
    except SpecError as error:
        yield from error.within(join_path(path, "source.filter.metricsFormat")).problems


def _place(place: FileSystemPath | None, path: str, kinds: tuple[str, ...]) -> Iterator[Problem]:
    place = place or FileSystemPath()
    if place.kind not in kinds:
        yield Problem(f"{path}.kind", choose_hint(place.kind, kinds))
    if not place.path or not place.path.startswith("/"):
        yield Problem(f"{path}.path", f"got {show(place.path)}, expected an absolute path")


def _format(source: SourceSpec, path: str, valid: tuple[str | None, ...]) -> Iterator[Problem]:
    format_ = source.file_system_path.format if source.file_system_path else None
    if format_ not in valid:
        yield Problem(f"{path}.format", choose_hint(format_, ("TEXT", "JSON")))
    if format_ == "JSON" and source.filter is not None and source.filter.metrics_format:
        place = "spec.metricsCollectorSpec.source.filter"
        yield Problem(place, f"got {show(source.filter.tree())}, expected none: the format JSON needs no filter")


def _http(action: dict[str, Any], path: str) -> Iterator[Problem]:
    for field in sorted(action.keys() - set(_HTTP_FIELDS)):
        yield Problem(f"{path}.{field}", f"unknown field{nearest_hint(field, _HTTP_FIELDS)}")
    port, target, scheme = action.get("port"), action.get("path"), action.get("scheme")
    number = int(port) if isinstance(port, str) and port.isascii() and port.isdigit() else port
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 65536:
        yield Problem(f"{path}.port", f"got {show(port)}, expected a port number")
    if not isinstance(target, str) or not target.startswith("/") or not target.isprintable() or " " in target:
        yield Problem(f"{path}.path", f"got {show(target)}, expected a path that begins with /")
    if scheme not in (None, "", "HTTP", "HTTPS"):
        yield Problem(f"{path}.scheme", f"got {show(scheme)}, expected HTTP or HTTPS")
    if not isinstance(action.get("host") or "", str):
        yield Problem(f"{path}.host", f"got {show(action['host'])}, expected a host name or none")
    headers = action.get("httpHeaders") or []
    for index, header in enumerate(headers if isinstance(headers, list) else [headers]):
        if not _is_header(header):
            expected = "expected an object with name and value, one line of text each"
            yield Problem(f"{path}.httpHeaders[{index}]", f"got {show(header)}, {expected}")


def _is_header(header: object) -> bool:
    if not isinstance(header, dict) or header.keys() != {"name", "value"}:
        return False
    name, value = header["name"], header["value"]
    return isinstance(name, str) and isinstance(value, str) and bool(_TOKEN.fullmatch(name)) and value.isprintable()
