"""The job of a trial that calls a Python function, for ``KatibClient.tune``: a Job, or a PyTorchJob of several workers.

The function travels as its source, in base64 in a variable of the container, so that no shell ever reads it: the
command is ``sh -c`` with a fixed text, the one form that Katib's controller leaves as it is. The parameters of the
search space travel in variables as well, one each, and the program hands them to the function as texts.
"""

from __future__ import annotations

import ast
import base64
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from katib.client import launcher
from katib.client.trees import Tree, as_tree

BASE_IMAGE_PYTORCH = "docker.io/pytorch/pytorch:2.2.1-cuda12.1-cudnn8-runtime"
BASE_IMAGE_TENSORFLOW = "docker.io/tensorflow/tensorflow:2.13.0"
BASE_IMAGE_TENSORFLOW_GPU = "docker.io/tensorflow/tensorflow:2.13.0-gpu"

PYPI = ("https://pypi.org/simple",)

_PROGRAM = "KATIB_TUNE_PROGRAM"
PARAMETER = "KATIB_TUNEPARAMETER_"
_SHELL = f"python3 -u -c 'import base64, os; exec(base64.b64decode(os.environ[\"{_PROGRAM}\"]))'"
_MOST_BYTES = 96 * 1024  # of the source: Linux takes 128 KiB in a variable, and base64 makes four bytes of three
_LATE = "from __future__ import annotations"  # names of types need not be there
_GPU = "nvidia.com/gpu"


@dataclass(frozen=True, slots=True)
class TrainerResources:
    """A trial of several workers, which becomes a PyTorchJob. num_procs_per_worker: processes of each, started by
    ``torchrun``. resources_per_worker: as ``resources_per_trial`` of ``tune``."""

    num_workers: int
    num_procs_per_worker: int
    resources_per_worker: Any


@dataclass(frozen=True, slots=True)
class FunctionJob:
    """What becomes a job. constants: of the function's dict, beside the parameters that are searched. env: of
    ``tune``'s ``env_per_trial``. deadline: seconds, None for none."""

    objective: Callable[[dict[str, Any]], Any]
    searched: Sequence[str]
    constants: Mapping[str, Any]
    image: str = BASE_IMAGE_PYTORCH
    packages: Sequence[str] = ()
    indexes: Sequence[str] = PYPI
    env: Any = None
    resources: Any = None
    deadline: int | None = None

    @property
    def container_name(self) -> str:
        """The container that trains."""
        return "pytorch" if isinstance(self.resources, TrainerResources) else "training-container"

    def manifest(self) -> Tree:
        """The job, with placeholders for the searched parameters. Raises ValueError."""
        annotations = {"sidecar.istio.io/inject": "false"}
        pod: Tree = {"metadata": {"annotations": annotations}, "spec": {"containers": [self._container()]}}
        deadline = {} if self.deadline is None else {"activeDeadlineSeconds": self.deadline}
        if not isinstance(self.resources, TrainerResources):
            pod["spec"]["restartPolicy"] = "Never"
            return {"apiVersion": "batch/v1", "kind": "Job", "spec": {**deadline, "template": pod}}
        replicas: Tree = {"Master": {"replicas": 1, "template": pod}}
        if self.resources.num_workers > 1:
            replicas["Worker"] = {"replicas": self.resources.num_workers - 1, "template": pod}
        spec: Tree = {"nprocPerNode": str(self.resources.num_procs_per_worker), "pytorchReplicaSpecs": replicas}
        spec |= {"runPolicy": deadline} if deadline else {}
        return {"apiVersion": "kubeflow.org/v1", "kind": "PyTorchJob", "spec": spec}

    def _container(self) -> Tree:
        env, sources = _environment(self.env)
        own = [{"name": _PROGRAM, "value": base64.b64encode(self._program().encode()).decode()}]
        own += [
            {"name": f"{PARAMETER}{number}", "value": f"${{trialParameters.{name}}}"}
            for number, name in enumerate(self.searched)
        ]
        container: Tree = {"name": self.container_name, "image": self.image, "command": ["sh", "-c"], "args": [_SHELL]}
        container["env"] = [*env, *own]
        if sources:
            container["envFrom"] = sources
        if limits := _resources(self.resources):
            container["resources"] = limits
        return container

    def _program(self) -> str:
        """The launcher, and what it is to launch."""
        source = _source(self.objective)
        variables = {name: f"os.environ[{PARAMETER + str(number)!r}]" for number, name in enumerate(self.searched)}
        constants = {name: _literal(name, value) for name, value in self.constants.items()}
        arguments = ", ".join(f"{name!r}: {text}" for name, text in {**constants, **variables}.items())
        call = f"{self.objective.__name__}({{{arguments}}})"
        program = f"{_LATE}\n\n{source}\n\nif __name__ == '__main__':\n    import os\n\n    {call}\n"
        if len(program.encode()) > _MOST_BYTES:
            raise ValueError(f"objective: its source is {len(program.encode())} bytes, expected at most {_MOST_BYTES}")
        several = isinstance(self.resources, TrainerResources) and (
            self.resources.num_workers > 1 or self.resources.num_procs_per_worker > 1
        )
        command = ["torchrun"] if several else ["python", "-u"]
        words = (program, f"{self.objective.__name__}.py", command, list(self.packages), list(self.indexes))
        return f"{inspect.getsource(launcher)}\n\nlaunch(*{words!r})\n"


def _source(objective: Callable[[dict[str, Any]], Any]) -> str:
    """The function's own source. Raises ValueError."""
    if not inspect.isfunction(objective) or objective.__name__ == "<lambda>":
        raise ValueError(f"objective: got {objective!r}, expected a function that is defined by def")
    try:
        inspect.signature(objective).bind({})
    except TypeError as error:
        raise ValueError(f"objective: it must take one dict of parameters: {error}") from None
    try:
        return textwrap.dedent(inspect.getsource(objective))
    except OSError as error:
        raise ValueError(
            f"objective: its source is not to be found: {error}; define it in a file or notebook"
        ) from None


def _literal(name: str, value: Any) -> str:
    """A constant as Python's source has it. Raises ValueError."""
    text = repr(value)
    try:
        same = bool(ast.literal_eval(text) == value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        same = False
    if not same:
        raise ValueError(f"parameters[{name!r}]: got {text}, expected a helper of katib.search or a plain Python value")
    return text


def _environment(given: Any) -> tuple[list[Tree], list[Tree]]:
    """Variables and sources of variables. Raises ValueError."""
    if isinstance(given, Mapping):
        return [{"name": str(name), "value": str(value)} for name, value in given.items()], []
    env: list[Tree] = []
    sources: list[Tree] = []
    for each in given or ():
        tree = as_tree(each)
        if not isinstance(tree, dict):
            raise ValueError(f"env_per_trial: got {each!r}, expected an EnvVar or an EnvFromSource")
        (env if "name" in tree else sources).append(tree)
    return env, sources


def _resources(given: Any) -> Tree:
    """Kubernetes' ResourceRequirements. Raises ValueError."""
    if isinstance(given, TrainerResources):
        return _resources(given.resources_per_worker)
    tree = as_tree(given) or {}
    if not isinstance(tree, dict):
        raise ValueError(f"resources_per_trial: got {given!r}, expected a mapping such as {{'cpu': 2}}")
    if not tree or "limits" in tree or "requests" in tree:
        return tree
    amounts = {_GPU if name.lower() == "gpu" else name: str(amount) for name, amount in tree.items()}
    return {"limits": amounts, "requests": dict(amounts)}
