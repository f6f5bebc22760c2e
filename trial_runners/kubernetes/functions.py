"""Trials that are Python functions, in a cluster: a batch Job that calls the function.

The function travels inside of the job, pickled by value: what its own module holds comes along, what it imports must be
installed in the image, which needs the same Python (to the minor version) and cloudpickle. Metrics are printed, and
read from the output, unless the collector says otherwise.
"""

from __future__ import annotations

import base64
import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cloudpickle

from katib import report
from katib.core.errors import Problem, RunnerError, SpecError
from katib.core.experiment import TrialTemplate
from katib.core.trial import Attempt
from katib.resources.python_function import needs
from trial_runners.kubernetes import function_program
from trial_runners.kubernetes.pods import Tree, escaped
from trial_runners.settings import KubernetesSettings

CONTAINER = "training"

PROGRAM = Path(function_program.__file__).read_text(encoding="utf-8")
_REPORT = Path(report.__file__).read_text(encoding="utf-8")

# The kernel takes no longer argument than 128 KiB, etcd no larger object than 1.5 MiB.
_PIECE = 100_000
MAX_BYTES = 900_000


class FunctionJobs:
    """Makes jobs that call one function."""

    def __init__(
        self,
        objective: Callable[[dict[str, Any]], Any],
        metric: str,
        document: Mapping[str, Any],
        settings: KubernetesSettings,
    ) -> None:
        """metric: what a returned number measures. document: the template, for its resources; it may be empty.

        Raises RunnerError without an image, SpecError if the function cannot be sent.
        """
        if not settings.image:
            raise RunnerError(
                "a Python function runs in a container image: name one with --image (it needs Python "
                f"{_version()} and cloudpickle)"
            )
        self._image = settings.image
        self._metric = metric
        self._resources = _resources(document)
        encoded = base64.b64encode(_pickled(objective)).decode()
        if len(encoded) > MAX_BYTES:
            raise SpecError(
                f"objective {_name(objective)} has {len(encoded)} bytes when it is pickled, a job takes {MAX_BYTES}: "
                "let it load data inside the function, instead of holding them"
            )
        self._pieces = [encoded[start : start + _PIECE] for start in range(0, len(encoded), _PIECE)]

    @property
    def template(self) -> TrialTemplate:
        """What tells the end of such a job."""
        condition = 'status.conditions.#(type=="{}")#|#(status=="True")#'
        return TrialTemplate(
            document={"apiVersion": "batch/v1", "kind": "Job"},
            primary_container=CONTAINER,
            success_condition=condition.format("Complete"),
            failure_condition=condition.format("Failed"),
        )

    def prepared(self, attempt: Attempt) -> Attempt:
        """The attempt with a job to run."""
        arguments = [_version(), self._metric, json.dumps(attempt.parameters), _REPORT, *self._pieces]
        container = {
            "name": CONTAINER,
            "image": self._image,
            "command": ["python3", "-u", "-c", escaped(PROGRAM), *map(escaped, arguments)],
            "resources": self._resources,
        }
        pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        run = {"apiVersion": "batch/v1", "kind": "Job", "spec": {"backoffLimit": 0, "template": pod}}
        return replace(attempt, run=run, primary_container=CONTAINER)


def _pickled(objective: Callable[[dict[str, Any]], Any]) -> bytes:
    """By value, also if it can be imported here. Raises SpecError."""
    if not callable(objective):
        raise SpecError(f"objective: got {objective!r}, expected a function of the parameters")
    module = sys.modules.get(getattr(objective, "__module__", "") or "")
    by_value = module is not None and module.__name__ != "__main__" and not _is_installed(module)
    try:
        if by_value:
            cloudpickle.register_pickle_by_value(module)
        return bytes(cloudpickle.dumps(objective))
    except Exception as error:  # whatever a foreign __reduce__ raises
        raise SpecError(
            f"objective {_name(objective)} cannot be sent to a pod ({type(error).__name__}: {error}); "
            "create what it holds inside the function"
        ) from error
    finally:
        if by_value:
            cloudpickle.unregister_pickle_by_value(module)


def _is_installed(module: Any) -> bool:
    """Whether it came with a package, which an image may have, rather than being the user's own."""
    parts = Path(getattr(module, "__file__", None) or "").parts
    return (
        not parts or "site-packages" in parts or "dist-packages" in parts or module.__name__ in sys.stdlib_module_names
    )


def _resources(document: Mapping[str, Any]) -> Tree:
    """What the function needs, as a container asks for it: requests that are limits too."""
    amounts = {name: _quantity(name, amount) for name, amount in needs(document).resources.items()}
    return {"requests": amounts, "limits": amounts} if amounts else {}


def _quantity(name: str, amount: float) -> int | str:
    """Kubernetes' form. Raises SpecError where it knows no fractions."""
    if amount == int(amount):
        return int(amount)
    if name not in ("cpu", "memory"):
        problem = f"got {amount:g}, expected an integer: Kubernetes shares no device among containers"
        raise SpecError([Problem(f"spec.trialTemplate.trialSpec.spec.resources.{name}", problem)])
    return f"{math.ceil(amount * 1000)}m"


def _name(objective: object) -> str:
    return repr(getattr(objective, "__qualname__", objective))


def _version() -> str:
    return f"{sys.version_info[0]}.{sys.version_info[1]}"
