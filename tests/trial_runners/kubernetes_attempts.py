"""Attempts for the Kubernetes runner's tests: jobs around a command, on the cluster of $KUBECONFIG."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from katib.core.experiment import TrialTemplate
from katib.core.trial import Attempt, AttemptId, Key
from tests.contracts import runner_contract
from tests.contracts.runner_contract import RunnerAdapter
from trial_runners.kubernetes import KubernetesRunner
from trial_runners.kubernetes.api import Api, Request, Resource
from trial_runners.settings import KubernetesSettings

# Pods take their time on a crowded machine.
PATIENCE = 60.0
follow = partial(runner_contract.follow, timeout=PATIENCE)
until = partial(runner_contract.until, timeout=PATIENCE)

IMAGE = "localhost/python:1"
JOBS = Resource("/apis/batch/v1", "jobs")
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


_BACKGROUND = {"propagationPolicy": "Background"}


class Namespace:
    """A namespace of the cluster, as somebody else sees it."""

    def __init__(self, api: Api, name: str) -> None:
        self.api, self.name = api, name

    def create(self, resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
        """Make an object in it."""
        return self.api.call(Request("create", resource, self.name, body=body))

    def delete(self, resource: Resource, name: str, **options: Any) -> None:
        """Delete one of its objects, as somebody by hand."""
        self.api.call(Request("delete", resource, self.name, name, body=options or _BACKGROUND))

    def list(self, resource: Resource) -> list[dict[str, Any]]:
        """All objects of a kind in it."""
        found: list[dict[str, Any]] = self.api.call(Request("list", resource, self.name))["items"]
        return found


@dataclass
class KubernetesAdapter(RunnerAdapter):
    """The contract's attempts as pods. key: of the experiment, in ``namespace``. open_runners: to close afterwards."""

    root: Path
    key: Key
    namespace: Namespace
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

    def id(self, trial: str = "trial-a", attempt: int = 1) -> AttemptId:
        """The name of an attempt of the experiment."""
        return AttemptId(self.key, trial, attempt)

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


@contextlib.contextmanager
def adapter_in(name: str, root: Path) -> Iterator[KubernetesAdapter]:
    """An adapter whose experiment has the namespace ``name`` for itself; its runners are closed afterwards."""
    adapter = KubernetesAdapter(root, Key(name, "study"), Namespace(Api(), name))
    try:
        yield adapter
    finally:
        adapter.close()


class Proxy:
    """A way to the API server that can be cut. kubeconfig: of the cluster by this way."""

    def __init__(self, folder: Path) -> None:
        config = yaml.safe_load(Path(os.environ["KUBECONFIG"]).read_text())
        server = urlsplit(config["clusters"][0]["cluster"]["server"])
        self._server = (server.hostname or "", server.port or 443)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._up = True
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(config))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Break all connections; no other comes about until ``restore``."""
        self._up = False
        self.break_off()

    def break_off(self) -> None:
        """Break all connections."""
        for end in self._open:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def restore(self) -> None:
        """Let connections through again."""
        self._up = True

    def close(self) -> None:
        """Stop."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                if not self._up:
                    client.close()
                    continue
                server = socket.create_connection(self._server)
            except OSError:
                return
            self._open += [client, server]
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=_pump, args=(source, target), daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
