"""Attempts for the Kubernetes runner's tests: jobs around a command, on the cluster of $KUBECONFIG."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from katib.core.experiment import TrialTemplate
from katib.core.trial import Attempt, AttemptId, Key
from tests.contracts.runner_contract import RunnerAdapter
from trial_runners.kubernetes import KubernetesRunner
from trial_runners.kubernetes.api import Api, RefusedError, Request, Resource
from trial_runners.settings import KubernetesSettings

IMAGE = "localhost/python:1"
JOBS = Resource("/apis/batch/v1", "jobs")
NAMESPACES = Resource("/api/v1", "namespaces", namespaced=False)
_COMPLETE = 'status.conditions.#(type=="Complete")#|#(status=="True")#'
_FAILED = 'status.conditions.#(type=="Failed")#|#(status=="True")#'


def job(argv: Sequence[str], *, shared: Path | None = None, **changes: Any) -> dict[str, Any]:
    """A Job with one container called ``main``, whose command comes out as ``argv``. shared: a folder of this machine
    that it sees under the same path. changes: to ``container``, ``pod`` (its spec) and ``spec`` (the job's)."""
    words = [word.replace("$", "$$") for word in argv]  # Kubernetes takes $$ for $, to tell it from $(VARIABLE)
    container = {"name": "main", "image": IMAGE, "imagePullPolicy": "IfNotPresent", "command": words}
    pod: dict[str, Any] = {"restartPolicy": "Never", "containers": [{**container, **changes.get("container", {})}]}
    if shared is not None:
        pod["containers"][0]["volumeMounts"] = [{"name": "shared", "mountPath": str(shared)}]
        pod["volumes"] = [{"name": "shared", "hostPath": {"path": str(shared)}}]
    template = {"spec": {**pod, **changes.get("pod", {})}}
    spec = {"backoffLimit": 0, "template": template, **changes.get("spec", {})}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}, "spec": spec}


def command(id: AttemptId, argv: Sequence[str], **rest: Any) -> Attempt:
    """An attempt that runs ``argv``."""
    return Attempt(id, 0, {}, job(argv, **rest), "main", metrics=("loss",))


def shell(id: AttemptId, script: str, **rest: Any) -> Attempt:
    """An attempt that runs a shell script."""
    return command(id, ["/bin/sh", "-c", script], **rest)


def template(document: Mapping[str, Any] | None = None, **changes: Any) -> TrialTemplate:
    """Katib's defaults for a Job."""
    return TrialTemplate(
        **{
            "document": document or {"apiVersion": "batch/v1", "kind": "Job"},
            "primary_container": "main",
            "success_condition": _COMPLETE,
            "failure_condition": _FAILED,
            **changes,
        }
    )


@dataclass
class KubernetesAdapter(RunnerAdapter):
    """The contract's attempts as pods. key: of the experiment. open_runners: to be closed afterwards."""

    root: Path
    key: Key
    delay = 10.0
    template: TrialTemplate = field(default_factory=template)
    settled: Callable[[AttemptId], bool] = lambda id: False
    open_runners: list[KubernetesRunner] = field(default_factory=list)

    def open(self) -> KubernetesRunner:
        runner = KubernetesRunner(
            self.root, settings=KubernetesSettings(), key=self.key, template=self.template, settled=self.settled
        )
        self.open_runners.append(runner)
        return runner

    def close(self) -> None:
        """Close all runners."""
        for runner in self.open_runners:
            runner.close()

    def append_line(self, id: AttemptId, path: Path) -> Attempt:
        return shell(id, f"echo line >>{shlex.quote(str(path))}", shared=path.parent)

    def fail(self, id: AttemptId) -> Attempt:
        return shell(id, "echo something went wrong >&2; exit 3")

    def sleep(self, id: AttemptId, seconds: float) -> Attempt:
        """The first process of a container does not end by a signal that it has no handler for. It is seen running
        after a second or so."""
        return shell(id, f"trap 'exit 1' TERM; sleep {seconds + 2} & wait")

    def ignore_stop(self, id: AttemptId, seconds: float, ready: Path) -> Attempt:
        """Old kubelets forget the grace of a container whose start they have not seen yet."""
        script = f"trap '' TERM; sleep 2; : >{shlex.quote(str(ready))}; sleep {seconds}"
        return shell(id, script, shared=ready.parent)

    def print_text(self, id: AttemptId, text: str) -> Attempt:
        script = "import sys; sys.stdout.buffer.write(sys.argv[1].encode())"
        return command(id, ["python3", "-c", script, text])


class Namespace:
    """A namespace of its own in the cluster, for one test."""

    def __init__(self, api: Api, name: str) -> None:
        self.api, self.name = api, name
        api.call(Request("create", NAMESPACES, "", body={"metadata": {"name": name}}))

    def list(self, resource: Resource) -> list[dict[str, Any]]:
        """All objects of a kind in it."""
        found: list[dict[str, Any]] = self.api.call(Request("list", resource, self.name))["items"]
        return found

    def remove(self) -> None:
        """Delete it, with all that is in it."""
        for obj in self.list(JOBS):
            self._delete(Request("delete", JOBS, self.name, obj["metadata"]["name"], body=_BACKGROUND))
        self._delete(Request("delete", NAMESPACES, "", self.name))

    def _delete(self, request: Request) -> None:
        with contextlib.suppress(RefusedError):
            self.api.call(request)


_BACKGROUND = {"propagationPolicy": "Background"}
