"""What an attempt asks of a Ray cluster, and why it does not have it yet. Pure.

Kubernetes' names become Ray's: ``cpu`` CPUs, ``*/gpu`` GPUs (fractions of one too), ``memory`` bytes, and any other
name with a domain (``example.com/fpga``) is a custom resource of that name. A function may leave domains out. Without
a word on CPUs a worker has one. Disk and huge pages are Kubernetes' alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from katib.resources import python_function
from katib.resources.jobs import primary_container
from trial_runners.local.gpus import check_amount
from trial_runners.local.wrapper import format_bytes

_OTHERS = ("ephemeral-storage", "hugepages-")
_TOLERANCE = 1e-4  # Ray counts in ten-thousandths


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

    def bundle(self) -> dict[str, float]:
        """For Ray's placement groups: what is asked for, by Ray's names."""
        amounts = {"CPU": self.cpus, "GPU": self.gpus, "memory": float(self.memory), **dict(self.custom)}
        return {name: amount for name, amount in amounts.items() if amount}


def shape_of(document: Mapping[str, Any], container: str = "") -> Shape:
    """What a rendered job's container, or one worker of a Python function, asks for. Raises SpecError, RunnerError."""
    if document and not python_function.is_python_function(document):
        asked = primary_container(document, container)
        cpus, gpus, memory, custom = asked.cpu, asked.gpus, asked.memory or 0, dict(asked.extended)
    else:
        custom = dict(python_function.needs(document).resources)
        cpus, memory = custom.pop("cpu", None), int(custom.pop("memory", 0))
        gpus = sum(custom.pop(name) for name in list(custom) if name == "gpu" or name.endswith("/gpu"))
        custom = {name: amount for name, amount in custom.items() if not name.startswith(_OTHERS)}
    check_amount(gpus)
    return Shape(1.0 if cpus is None else cpus, gpus, memory, tuple(sorted(custom.items())))


def isolated(document: Mapping[str, Any]) -> bool:
    """Whether each trial of a Python function gets an actor of its own."""
    return python_function.needs(document).isolate


def waiting_reason(
    shape: Shape, nodes: Sequence[Mapping[str, float]], available: Mapping[str, float], workers: int = 1
) -> str:
    """Why the actors of ``workers`` equal workers are not there yet. nodes: what each has, by Ray's names. available:
    what is free in all."""
    for name, amount in sorted(shape.bundle().items(), key=_order):
        wanted = amount * workers
        total, largest = sum(node.get(name, 0.0) for node in nodes), max((n.get(name, 0.0) for n in nodes), default=0.0)
        asked = f"{_told(name, wanted)} asked"
        if wanted > total + _TOLERANCE:
            return f"{asked}, {_number(name, total)} exist"
        if amount > largest + _TOLERANCE:
            return f"{_told(name, amount)} asked on one node, the largest has {_number(name, largest)}"
        if wanted > available.get(name, 0.0) + _TOLERANCE:
            return f"{asked}, {_number(name, available.get(name, 0.0))} of {_number(name, total)} free"
    return "waits for its actor" if workers == 1 else f"waits for its {workers} actors"


def _order(item: tuple[str, float]) -> tuple[bool, bool, str]:
    """What is scarce first."""
    name, _ = item
    return name == "memory", name == "CPU", name


def _told(name: str, amount: float) -> str:
    if name == "memory":
        return f"{format_bytes(int(amount))} of memory"
    noun = name if name not in ("CPU", "GPU") or amount == 1 else f"{name}s"
    return f"{amount:g} {noun}"


def _number(name: str, amount: float) -> str:
    return format_bytes(int(amount)) if name == "memory" else f"{amount:g}"
