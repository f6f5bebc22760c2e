"""TensorFlowEvent: scalars and texts in TensorBoard's event files, as TensorFlow, Keras, PyTorch and others write them.

Both forms are read: ``simple_value`` (TensorFlow 1, PyTorch) and tensors of one element (TensorFlow 2). A report's
time is the event's wall time, its step the event's step.

A metric's name is a tag, with as much of the file's folder before it as one likes: the tag ``loss`` in
``<path>/train/events.out...`` is ``loss`` and ``train/loss`` and, if that is its name, ``logs/train/loss``; the tag
``train/loss`` is ``train/loss`` wherever it stands. A number that TensorFlow 1 put behind a repeated name (``loss_1``)
does not matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np
from google.protobuf.message import DecodeError

from katib.core.collector import CollectorSpec
from katib.core.objective import Measurement, Objective
from katib.core.ports import Chunk, Collected, Collector
from katib.metrics.generated.event_pb2 import Event, SummaryValue, Tensor
from katib.metrics.lines import clean
from katib.metrics.records import frame_records
from katib.metrics.values import measure

# tensorflow.DataType -> the elements of tensor_content, and the list that holds them otherwise.
_NUMBERS = {
    1: ("<f4", "float_val"),
    2: ("<f8", "double_val"),
    3: ("<i4", "int_val"),
    9: ("<i8", "int64_val"),
    14: ("<u2", "half_val"),  # bfloat16: the upper half of a float of 32 bits
    19: ("<f2", "half_val"),
}
_STRING, _BFLOAT16 = 7, 14
_COUNTED = re.compile(r"_[0-9]+$")
_MAX_NOTES = 3


def event_collector(spec: CollectorSpec, objective: Objective) -> Collector:
    """A collector of the objective's metrics from chunks whose source is the file's path below ``spec.path``."""
    metrics = tuple(dict.fromkeys(objective.metrics))

    def collect(chunk: Chunk) -> Collected:
        framed = frame_records(chunk)
        folder = str(PurePosixPath("/", spec.path, chunk.source).parent)
        found: list[Measurement] = []
        others: dict[str, None] = {}
        notes = list(framed.notes)
        for record in framed.records:
            try:
                event = Event.FromString(record)
            except DecodeError:
                notes.append("skipped a record that is no event")
                continue
            for value in event.summary.value:
                if (text := _text(value)) is None:
                    continue
                tag = value.tag.decode("utf-8", "replace")
                names = matching(metrics, tag, folder)
                found.extend(_measure(name, text, event, chunk.time) for name in names)
                if not names:
                    others[clean(str(PurePosixPath(chunk.source).parent / tag))] = None
        return Collected(tuple(found), framed.end, tuple(others), _told(chunk.source, notes))

    return collect


def matching(metrics: Sequence[str], tag: str, folder: str) -> list[str]:
    """Those of ``metrics`` that ``tag`` in a file of the absolute ``folder`` stands for."""
    for name in dict.fromkeys((tag, _COUNTED.sub("", tag))):
        found = [metric for metric in metrics if metric == name or _is_behind(metric, name, folder)]
        if found:
            return found
    return []


def _is_behind(metric: str, tag: str, folder: str) -> bool:
    """Whether ``metric`` is ``tag`` with the end of ``folder`` before it."""
    prefix = metric.removesuffix(f"/{tag}")
    return prefix != metric and folder.endswith(f"/{prefix.strip('/')}")


def _measure(metric: str, text: str, event: Event, arrival: float) -> Measurement:
    time = event.wall_time if math.isfinite(event.wall_time) and event.wall_time > 0 else arrival
    return measure(metric, text, time, event.step if event.step >= 0 else None)


def _text(value: SummaryValue) -> str | None:
    """What a summary says as text, None if it is no single number or text. A float of 32 bits has no more digits than
    tell it from its neighbours."""
    if value.HasField("simple_value"):
        return str(np.float32(value.simple_value))
    if not value.HasField("tensor") or math.prod(dim.size for dim in value.tensor.tensor_shape.dim) != 1:
        return None
    tensor = value.tensor
    if tensor.dtype == _STRING:
        return tensor.string_val[0].decode("utf-8", "replace") if tensor.string_val else None
    number = _number(tensor)
    return None if number is None else str(number)


def _number(tensor: Tensor) -> np.generic | None:
    """The first element, None if there is none or it is no number."""
    if tensor.dtype not in _NUMBERS:
        return None
    kind, values = _NUMBERS[tensor.dtype]
    size = np.dtype(kind).itemsize
    content = tensor.tensor_content[:size]
    if not content and values == "half_val":
        content = b"".join((bits & 0xFFFF).to_bytes(2, "little") for bits in tensor.half_val[:1])
    if content:
        elements = np.frombuffer(content, kind) if len(content) == size else np.empty(0)
    else:
        elements = np.array(list(getattr(tensor, values)[:1]), kind)
    if tensor.dtype == _BFLOAT16:
        elements = (elements.astype("<u4") << 16).view("<f4")
    found: np.generic | None = next(iter(elements), None)
    return found


def _told(source: str, notes: Sequence[str]) -> tuple[str, ...]:
    """Notes with the file they are about; many are one."""
    told = [f"{source}: {note}" for note in notes[:_MAX_NOTES]]
    return (*told, f"{source}: and {len(notes) - _MAX_NOTES} more") if len(notes) > _MAX_NOTES else tuple(told)
