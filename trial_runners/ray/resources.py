"""What a trial asks of the cluster, out of its document, and why it waits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from katib.resources import python_function
from katib.resources.jobs import primary_container


@dataclass(frozen=True, slots=True)
class Shape:
    """Resources of one actor. memory: bytes."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0
    custom: tuple[tuple[str, float], ...] = ()

    def options(self) -> dict[str, Any]:
        """For Ray's ``Actor.options``."""
        options: dict[str, Any] = {"num_cpus": self.cpus, "num_gpus": self.gpus, "resources": dict(self.custom)}
        return {**options, "memory": self.memory} if self.memory else options


def shape_of(document: Mapping[str, Any], container: str = "") -> Shape:
    """What a rendered job's container, or a Python function, asks for. Raises SpecError, RunnerError."""
    if document and not python_function.is_python_function(document):
        asked = primary_container(document, container)
        return Shape(asked.cpu or 1.0, asked.gpus, asked.memory or 0)
    amounts = dict(python_function.needs(document).resources)
    cpus, memory = amounts.pop("cpu", 1.0), int(amounts.pop("memory", 0))
    gpus = sum(amounts.pop(name) for name in list(amounts) if name.endswith("/gpu"))
    return Shape(cpus, gpus, memory, tuple(sorted(amounts.items())))


def isolated(document: Mapping[str, Any]) -> bool:
    """Whether each trial of a Python function gets an actor of its own."""
    return python_function.needs(document).isolate


def waiting_reason(shape: Shape, total: Mapping[str, float], available: Mapping[str, float]) -> str:
    """Why an actor of the shape is not there yet."""
    for name, amount, what in (("GPU", shape.gpus, "GPUs"), ("CPU", shape.cpus, "CPUs")):
        if amount > total.get(name, 0.0):
            return f"{amount:g} {what} asked, {total.get(name, 0.0):g} exist"
        if amount > available.get(name, 0.0):
            return f"{amount:g} {what} asked, {available.get(name, 0.0):g} of {total.get(name, 0.0):g} free"
    return "waits for its actor"
