"""What a rendered job says about its training container, whatever kind of job it is.

A local run needs of a Kubernetes manifest only the command, its environment and its resources. Kinds differ in where
they keep them: most hold pod templates somewhere, which are found by their shape, so a new kind of job needs no code
here; TrainJobs, Argo Workflows and Tekton PipelineRuns hold containers in forms of their own.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from katib.core.errors import Problem, RunnerError, SpecError, join_path
from katib.resources.quantities import parse_quantity

# Replicas of training jobs, the primary first; where a kind has several, the metrics come from the first.
_ROLES = ("Master", "Chief", "Launcher", "Worker")

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_FIELD = re.compile(r"metadata\.(labels|annotations)\['(.*)'\]")
# What only the engine of a workflow can fill in.
_EXPRESSION = re.compile(r"\{\{.*?\}\}|\$\((?:params|inputs|tasks|results|context|workspaces|step)\.[^)]*\)")


@dataclass(frozen=True, slots=True)
class Container:
    """What to run. argv: command and arguments, ``$(VAR)`` put in. memory: bytes. gpus: the sum of all ``*/gpu``
    limits, fractions allowed. unsupported_env: what is left out of ``env`` because only a cluster knows it. extended:
    amounts of other resources with a domain in their names (``example.com/fpga``). alone: a TrainJob's, whose command
    writes its program into the folder that it starts in, and is the only process of its training."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    working_dir: str | None
    image: str
    cpu: float | None
    memory: int | None
    gpus: float
    unsupported_env: tuple[str, ...]
    extended: Mapping[str, float] = field(default_factory=dict)
    alone: bool = False


class _Found(NamedTuple):
    """A container in a manifest. metadata: of its pod. path: where it stands."""

    container: Mapping[str, Any]
    metadata: Mapping[str, Any]
    path: str


def pod_template(manifest: Mapping[str, Any], container: str = "") -> Mapping[str, Any] | None:
    """The pod template (a tree with ``metadata`` and ``spec``) of the primary replica; None if there is none.

    A Pod is its own template. A template with a container called ``container`` is preferred to the others.
    """
    templates = [template for _, template in pod_templates(manifest)]
    return next((template for template in templates if container in _names(template)), next(iter(templates), None))


def primary_container(manifest: Mapping[str, Any], name: str, given: Mapping[str, str] | None = None) -> Container:
    """The container called ``name``, ready to be run on this machine. given: variables that it gets beside its own,
    which its arguments may name as well.

    Raises SpecError, with the path in the manifest, where it is wrong anywhere (no such container, bad quantity,
    argument that is no text), RunnerError where a cluster could run it but a local run cannot (no command, values that
    only a workflow engine knows).
    """
    find: Callable[[Mapping[str, Any], str], _Found] = _FINDERS.get(str(manifest.get("kind")), _in_pod_template)
    return _ready(find(manifest, name), manifest, given or {})


def bare_container(
    container: Mapping[str, Any], path: str, manifest: Mapping[str, Any], given: Mapping[str, str] | None = None
) -> Container:
    """One that stands alone at ``path``, such as a ``customCollector``, to be run beside the job of ``manifest``, whose
    name its variables may refer to. given, and what is raised: as with ``primary_container``."""
    return _ready(_Found(container, {}, path), manifest, given or {})


def _ready(found: _Found, manifest: Mapping[str, Any], given: Mapping[str, str]) -> Container:
    env, unsupported = _environment(found, manifest)
    command = [*_texts(found, "command")]
    if not command:
        problem = "the container has no 'command', and a local run does not know the entry point of its image"
        raise RunnerError(f"{found.path}: {problem} {found.container.get('image', '')!r}")
    argv = tuple(_expand(word, {**env, **given}) for word in [*command, *_texts(found, "args")])
    resources = _resources(found)
    working_dir = found.container.get("workingDir")
    return Container(
        argv=argv,
        env=env,
        working_dir=str(working_dir) if working_dir else None,
        image=str(found.container.get("image", "")),
        cpu=resources.get("cpu"),
        memory=math.ceil(resources["memory"]) if "memory" in resources else None,
        gpus=sum((amount for resource, amount in resources.items() if resource.endswith("/gpu")), 0.0),
        unsupported_env=tuple(unsupported),
        extended={name: amount for name, amount in resources.items() if "/" in name and not name.endswith("/gpu")},
        alone=manifest.get("kind") == "TrainJob",
    )


def deadline_seconds(manifest: Mapping[str, Any]) -> float | None:
    """``activeDeadlineSeconds`` of the job or of its pod, the smaller one; None without. Raises SpecError."""
    spec = _mapping(manifest.get("spec"))
    path, template = next(pod_templates(manifest), ("", {}))
    holders = (
        ("spec", spec),
        ("spec.runPolicy", _mapping(spec.get("runPolicy"))),
        (join_path(path, "spec"), _mapping(template.get("spec"))),
    )
    deadlines = []
    for place, holder in holders:
        seconds = holder.get("activeDeadlineSeconds")
        if seconds is None:
            continue
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
            problem = f"got {seconds!r}, expected a number of seconds, an integer that is at least 0"
            raise SpecError([Problem(f"{place}.activeDeadlineSeconds", problem)])
        deadlines.append(seconds)
    return min(deadlines, default=None)


def pod_templates(node: Any, path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(path, template) of everything with ``spec.containers``, outer ones first, primary replicas before others."""
    if isinstance(node, Mapping):
        if isinstance(_mapping(node.get("spec")).get("containers"), list):
            yield path, node
        roles = [role for role in _ROLES if role in node]
        for key in [*roles, *(key for key in node if key not in roles)]:
            yield from pod_templates(node[key], join_path(path, str(key)))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from pod_templates(item, f"{path}[{index}]")


def _in_pod_template(manifest: Mapping[str, Any], name: str) -> _Found:
    seen: list[str] = []
    for path, template in pod_templates(manifest):
        for index, container in enumerate(template["spec"]["containers"]):
            place = join_path(path, f"spec.containers[{index}]")
            if _mapping(container).get("name") == name:
                return _Found(container, _mapping(template.get("metadata")), place)
            seen.append(str(_mapping(container).get("name")))
    raise _no_container(manifest, name, seen)


def _in_train_job(manifest: Mapping[str, Any], name: str) -> _Found:
    """A TrainJob has one training container; its runtime, in the cluster, names it."""
    spec = _mapping(manifest.get("spec"))
    trainer = _mapping(spec.get("trainer"))
    container = {**trainer, "resources": trainer.get("resourcesPerNode", {})}
    return _Found(container, _mapping(manifest.get("metadata")), "spec.trainer")


def _in_workflow(manifest: Mapping[str, Any], name: str) -> _Found:
    """Argo calls every template's container ``main``; among several, the one whose pod is labelled is the primary."""
    templates = _mappings(_mapping(manifest.get("spec")).get("templates"))
    found = [
        _Found(template["container"], _mapping(template.get("metadata")), f"spec.templates[{index}].container")
        for index, template in enumerate(templates)
        if isinstance(template.get("container"), Mapping)
    ]
    named = [f for f in found if f.container.get("name") == name] or (found if name in ("", "main") else [])
    labelled = [f for f in named if f.metadata.get("labels")]
    for choice in (named, labelled):
        if len(choice) == 1:
            return _self_contained(choice[0])
    if named:
        raise RunnerError(
            f"spec.templates: {len(named)} templates have a container {name!r}; a local run can take but one"
        )
    raise _no_container(manifest, name, [str(f.container.get("name", "main")) for f in found])


def _in_pipeline_run(manifest: Mapping[str, Any], name: str) -> _Found:
    """Tekton puts ``step-`` before the names of steps."""
    seen: list[str] = []
    pipeline = _mapping(_mapping(manifest.get("spec")).get("pipelineSpec"))
    for index, task in enumerate(_mappings(pipeline.get("tasks"))):
        spec = _mapping(task.get("taskSpec"))
        for number, step in enumerate(_mappings(spec.get("steps"))):
            if name in (step.get("name"), f"step-{step.get('name')}"):
                path = f"spec.pipelineSpec.tasks[{index}].taskSpec.steps[{number}]"
                return _self_contained(_Found(step, _mapping(spec.get("metadata")), path))
            seen.append(f"step-{step.get('name')}")
    raise _no_container(manifest, name, seen)


_FINDERS: Mapping[str, Callable[[Mapping[str, Any], str], _Found]] = {
    "TrainJob": _in_train_job,
    "Workflow": _in_workflow,
    "PipelineRun": _in_pipeline_run,
}


def _self_contained(found: _Found) -> _Found:
    """``found``, if its command needs nothing from other steps. Raises RunnerError."""
    for part in ("command", "args"):
        for index, word in enumerate(_texts(found, part)):
            expression = _EXPRESSION.search(word)
            if expression:
                place = f"{found.path}.{part}[{index}]"
                raise RunnerError(
                    f"{place}: only the workflow's own engine can fill in {expression[0]}, not a local run"
                )
    return found


def _environment(found: _Found, manifest: Mapping[str, Any]) -> tuple[dict[str, str], list[str]]:
    """Variables in order, earlier ones put into later ones; and what only a cluster knows."""
    env: dict[str, str] = {}
    unsupported = [f"envFrom[{index}]" for index, _ in enumerate(_mappings(found.container.get("envFrom")))]
    for index, entry in enumerate(_mappings(found.container.get("env"))):
        path = f"{found.path}.env[{index}]"
        name = _text(entry.get("name"), f"{path}.name")
        source = _mapping(entry.get("valueFrom"))
        if not source:
            value = entry.get("value")
            env[name] = "" if value is None else _expand(_text(value, f"{path}.value"), env)
            continue
        answer = _field_value(str(_mapping(source.get("fieldRef")).get("fieldPath")), found, manifest)
        if answer is not None:
            env[name] = answer
        elif not any(_mapping(reference).get("optional") is True for reference in source.values()):
            unsupported.append(name)
    return env, unsupported


def _field_value(field: str, found: _Found, manifest: Mapping[str, Any]) -> str | None:
    """What a ``fieldRef`` stands for, None if the manifest does not say."""
    item = _FIELD.fullmatch(field)
    if item:
        value = _mapping(found.metadata.get(item[1])).get(item[2])
    elif field in ("metadata.name", "metadata.namespace"):
        value = _mapping(manifest.get("metadata")).get(field.partition(".")[2])
    else:
        return None
    return value if isinstance(value, str) else None


def _expand(text: str, env: Mapping[str, str]) -> str:
    """``text`` as Kubernetes expands it: ``$(NAME)`` from ``env``, left alone if unknown; ``$$`` stands for ``$``."""
    return _REFERENCE.sub(lambda found: "$" if found[1] is None else env.get(found[1], found[0]), text)


def _resources(found: _Found) -> dict[str, float]:
    """Amounts by resource: its limit, or what it requests where it has no limit."""
    resources = _mapping(found.container.get("resources"))
    amounts: dict[str, float] = {}
    for kind in ("requests", "limits"):
        for resource, quantity in _mapping(resources.get(kind)).items():
            try:
                amounts[str(resource)] = float(parse_quantity(quantity))
            except SpecError as error:
                raise error.within(f"{found.path}.resources.{kind}.{resource}") from None
    return amounts


def _no_container(manifest: Mapping[str, Any], name: str, seen: list[str]) -> SpecError:
    problem = (
        f"no container {name!r} in a manifest of kind {manifest.get('kind')!r}; it has: {', '.join(seen) or 'none'}"
    )
    return SpecError([Problem("", problem)])


def _names(template: Mapping[str, Any]) -> set[Any]:
    return {_mapping(container).get("name") for container in template["spec"]["containers"]}


def _texts(found: _Found, field: str) -> list[str]:
    """A list of texts, as ``command`` and ``args`` are. Raises SpecError."""
    words = found.container.get(field)
    if words is None:
        return []
    if not isinstance(words, list):
        raise SpecError([Problem(f"{found.path}.{field}", f"got {words!r}, expected a list of texts")])
    return [_text(word, f"{found.path}.{field}[{index}]") for index, word in enumerate(words)]


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise SpecError([Problem(path, f"got {value!r}, expected a text (put numbers in quotes)")])
    return value


def _mapping(node: object) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}


def _mappings(node: object) -> list[Mapping[str, Any]]:
    return [_mapping(item) for item in node] if isinstance(node, list) else []
