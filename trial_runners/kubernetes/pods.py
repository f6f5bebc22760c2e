"""Pod templates in a job's manifest: what is added to them. Nothing is changed in place.

Templates are found by their shape, as ``katib.resources.jobs`` finds them, so a new kind of job needs no code here. A
TrainJob holds none (its pods come from a runtime), and workflows hold containers in forms of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from katib.core.errors import join_path
from katib.resources.jobs import pod_templates

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Additions:
    """What a pod gets beside what its user wrote. env, mounts: of the container that trains. containers and
    init_containers: they stand before the user's own. shared_processes: containers see each other's processes."""

    env: tuple[Tree, ...] = ()
    mounts: tuple[Tree, ...] = ()
    volumes: tuple[Tree, ...] = ()
    containers: tuple[Tree, ...] = ()
    init_containers: tuple[Tree, ...] = ()
    shared_processes: bool = False

    def __add__(self, other: Additions) -> Additions:
        return Additions(
            self.env + other.env,
            self.mounts + other.mounts,
            self.volumes + other.volumes,
            self.containers + other.containers,
            self.init_containers + other.init_containers,
            self.shared_processes or other.shared_processes,
        )


def change_templates(node: Any, change: Callable[[str, Tree], Tree], path: str = "") -> Any:
    """A copy of ``node`` with ``change(path, template)`` in the place of every pod template; the paths are those of
    ``katib.resources.jobs.pod_templates``."""
    if isinstance(node, list | tuple):
        return [change_templates(item, change, f"{path}[{index}]") for index, item in enumerate(node)]
    if not isinstance(node, Mapping):
        return node
    copy = {key: change_templates(item, change, join_path(path, str(key))) for key, item in node.items()}
    return change(path, copy) if isinstance(tree(copy.get("spec")).get("containers"), list) else copy


def primary_path(manifest: Mapping[str, Any], container: str, labels: Mapping[str, str]) -> str | None:
    """Where the template of the pods stands whose metrics count; None if no template has that container.

    labels: what tells those pods (``primaryPodLabels``). Of several templates that have ``container`` it is one with
    these labels, else one whose role, such as ``Master``, is among their values, else the first.
    """
    found = [(path, template) for path, template in pod_templates(manifest) if named(template, container) is not None]
    roles = {value.lower() for value in labels.values()}
    for path, template in found:
        own = tree(tree(template.get("metadata")).get("labels"))
        if labels and labels.items() <= own.items():
            return path
    for path, _ in found:
        if roles & {part.lower() for part in path.split(".")}:
            return path
    return found[0][0] if found else None


def restarts(manifest: Mapping[str, Any], path: str, template: Mapping[str, Any]) -> bool:
    """Whether containers that failed, in pods of the template at ``path``, are started again in their pod. Training
    operators put the policy beside the template, over what it says itself."""
    above: Any = manifest
    for part in path.split(".")[:-1]:
        above = tree(above).get(part)
    policy = tree(above).get("restartPolicy") or tree(template.get("spec")).get("restartPolicy") or "Always"
    return policy in ("OnFailure", "Always")


def named(template: Mapping[str, Any], container: str) -> Tree | None:
    """The container of that name in a pod template."""
    own = (tree(item) for item in sequence(tree(template.get("spec")).get("containers")))
    return next((item for item in own if item.get("name") == container), None)


def labelled(node: Tree, labels: Mapping[str, str]) -> Tree:
    """An object or pod template with ``labels`` in its metadata."""
    metadata = tree(node.get("metadata"))
    return {**node, "metadata": {**metadata, "labels": {**tree(metadata.get("labels")), **labels}}}


def extended(template: Tree, container: str, additions: Additions) -> Tree:
    """The pod template with ``additions``; ``container`` is the one that trains."""
    spec = tree(template["spec"])
    pod = {
        **spec,
        "containers": [
            *additions.containers,
            *(
                with_mounts(with_env(tree(own), additions.env), additions.mounts)
                if tree(own).get("name") == container
                else own
                for own in spec["containers"]
            ),
        ],
    }
    if additions.init_containers:
        pod["initContainers"] = [*additions.init_containers, *sequence(spec.get("initContainers"))]
    if additions.volumes:
        pod["volumes"] = _united(sequence(spec.get("volumes")), additions.volumes, "name")
    if additions.shared_processes:
        pod["shareProcessNamespace"] = True
    return {**template, "spec": pod}


def with_env(container: Tree, env: Sequence[Tree]) -> Tree:
    """The container with variables, before its own ones, which may refer to them. Its own value of a name stays."""
    own = sequence(container.get("env"))
    names = {tree(entry).get("name") for entry in own}
    return {**container, "env": [*(entry for entry in env if entry["name"] not in names), *own]}


def with_mounts(container: Tree, mounts: Sequence[Tree]) -> Tree:
    """The container with volume mounts, but for places where it has mounted something itself."""
    if not mounts:
        return container
    return {**container, "volumeMounts": _united(sequence(container.get("volumeMounts")), mounts, "mountPath")}


def mount_above(container: Mapping[str, Any], path: str) -> Tree | None:
    """The container's own mount that holds the folder ``path``, the innermost; None if none does."""
    mounts = (tree(mount) for mount in sequence(container.get("volumeMounts")))
    above = [mount for mount in mounts if f"{path.rstrip('/')}/".startswith(f"{_place(mount.get('mountPath'))}/")]
    return max(above, key=lambda mount: len(str(mount["mountPath"])), default=None)


def variable(name: str, value: str) -> Tree:
    """An environment variable that has exactly this value."""
    return {"name": name, "value": escaped(value)}


def escaped(text: str) -> str:
    """``text`` as a word of a command or the value of a variable that Kubernetes leaves as it is: it puts variables in
    the place of ``$(NAME)``, and one dollar in that of two."""
    return text.replace("$", "$$")


def tree(node: object) -> Tree:
    """``node`` if it is an object, else an empty one."""
    return dict(node) if isinstance(node, Mapping) else {}


def sequence(node: object) -> list[Any]:
    """``node`` if it is a list, else an empty one."""
    return list(node) if isinstance(node, list | tuple) else []


def _united(own: list[Any], more: Sequence[Tree], key: str) -> list[Any]:
    """``own`` with those of ``more`` whose ``key`` it does not have."""
    taken = {_place(tree(item).get(key)) for item in own}
    return [*own, *(item for item in more if _place(item[key]) not in taken)]


def _place(path: object) -> object:
    return path.rstrip("/") if isinstance(path, str) else path
