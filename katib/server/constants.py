"""Objects that are always there, and the same: the runtimes that TrainJobs refer to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from katib.server.kinds import CLUSTER_TRAINING_RUNTIME, TRAINING_RUNTIME, Kind
from katib.server.mirror import AnyChange
from katib.server.objects import Event, Object, Tree

_NAMES = ("torch-distributed",)


class Constants:
    """The objects of one kind, which never change."""

    def __init__(self, kind: Kind, trees: Sequence[Tree] = ()) -> None:
        self.kind = kind
        self._objects = {tree["metadata"]["name"]: Object(tree, 1) for tree in trees}

    def get(self, namespace: str, name: str) -> Object | None:
        """The object, None if there is none."""
        return self._objects.get(name)

    def list(self, namespace: str | None) -> list[Object]:
        """All of them."""
        return [each for _, each in sorted(self._objects.items())]

    def events(self, changes: Iterable[AnyChange]) -> Iterator[Event]:
        """Nothing."""
        return iter(())


def runtimes() -> list[Constants]:
    """What TrainJobs may name as their runtime: training functions in plain Python, in one process."""
    return [Constants(TRAINING_RUNTIME), Constants(CLUSTER_TRAINING_RUNTIME, [_runtime(name) for name in _NAMES])]


def _runtime(name: str) -> Tree:
    """A runtime without ``mlPolicy.torch``, so that clients start functions by ``python`` and not by ``torchrun``."""
    container = {"name": "node", "image": "this-machine"}
    template = {
        "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container]}}},
    }
    return {
        "apiVersion": CLUSTER_TRAINING_RUNTIME.api_version,
        "kind": CLUSTER_TRAINING_RUNTIME.name,
        "metadata": {
            "name": name,
            "uid": f"runtime-{name}",
            "creationTimestamp": "1970-01-01T00:00:00Z",
            "labels": {"trainer.kubeflow.org/framework": "torch"},
        },
        "spec": {
            "mlPolicy": {"numNodes": 1},
            "template": {"spec": {"replicatedJobs": [{"name": "node", "template": template}]}},
        },
    }
