"""Trial templates that name a Python function instead of a job: for the runners ``process``, ``inline``, ``ray`` and
``kubernetes``.

    trialSpec:
      apiVersion: katib.dev/v1
      kind: PythonFunction
      spec:
        entryPoint: package.module:function
        resources: {cpu: 2, memory: 4Gi, nvidia.com/gpu: 0.5}   # of one worker; clusters keep them free for it
        workers: 4                                              # processes of one trial, each calls the function
        isolate: true                                           # a process of its own for every trial

The function gets one dict: a value for each parameter of the search space, with its type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from katib.core.errors import Problem, SpecError, nearest_hint
from katib.resources.quantities import parse_quantity

API_VERSION = "katib.dev/v1"
KIND = "PythonFunction"
ENTRY_POINT = re.compile(r"\w+(\.\w+)*:\w+")
FIELDS = ("entryPoint", "resources", "workers", "isolate")


@dataclass(frozen=True, slots=True)
class Needs:
    """What one trial of a function runs in. resources: amounts by Kubernetes' names, memory in bytes, of one worker.
    workers: processes of a trial. isolate: no other trial runs in them before or after."""

    resources: Mapping[str, float] = field(default_factory=dict)
    workers: int = 1
    isolate: bool = False


def is_python_function(document: Mapping[str, Any]) -> bool:
    """Whether a template names a Python function."""
    return document.get("kind") == KIND


def function_document(resources: Mapping[str, Any], workers: int, isolate: bool) -> dict[str, Any]:
    """A template for a function that is at hand, so that none is named."""
    spec = {"resources": dict(resources), "workers": workers, "isolate": isolate}
    return {"apiVersion": API_VERSION, "kind": KIND, "spec": spec}


def entry_point(document: Mapping[str, Any]) -> str:
    """``package.module:function`` of such a template, empty for any other."""
    return str(_spec(document).get("entryPoint", "")) if is_python_function(document) else ""


def needs(document: Mapping[str, Any]) -> Needs:
    """What such a template asks for; the defaults for any other. Raises SpecError, with paths below ``spec``."""
    if not is_python_function(document):
        return Needs()
    problems = list(problems_of(document))
    if problems:
        raise SpecError(problems)
    spec = _spec(document)
    resources = {str(name): float(parse_quantity(amount)) for name, amount in (spec.get("resources") or {}).items()}
    return Needs(resources, spec.get("workers", 1), spec.get("isolate", False))


def problems_of(document: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the fields of such a template, but for its entry point."""
    spec = _spec(document)
    for name in spec:
        if name not in FIELDS:
            yield Problem(f"spec.{name}", f"unknown field{nearest_hint(str(name), FIELDS)}; it has {', '.join(FIELDS)}")
    resources = spec.get("resources")
    if resources is not None and not isinstance(resources, Mapping):
        yield Problem("spec.resources", f"got {resources!r}, expected an object such as {{cpu: 2, memory: 4Gi}}")
    for name, amount in resources.items() if isinstance(resources, Mapping) else ():
        try:
            parse_quantity(amount)
        except SpecError as error:
            yield from error.within(f"spec.resources.{name}").problems
    workers, isolate = spec.get("workers", 1), spec.get("isolate", False)
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        yield Problem("spec.workers", f"got {workers!r}, expected an integer >= 1")
    if not isinstance(isolate, bool):
        yield Problem("spec.isolate", f"got {isolate!r}, expected true or false")


def _spec(document: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = document.get("spec")
    return spec if isinstance(spec, Mapping) else {}
