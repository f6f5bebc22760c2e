"""Trial templates: a trial's values put into the experiment's job manifest.

Placeholders are replaced in the parsed tree, never in YAML or JSON text, and what was put in is not looked at again. So
a value, whatever it holds, stays inside of the one text that names it: it can neither break the manifest nor add to it.

A conditional parameter that takes no part in a trial has no value. An argument that names it is left out, with the flag
before it if the argument is nothing but the placeholder; so is an environment variable. Within a longer text, such as a
shell script, nothing stands in its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Set
from typing import Any

from katib.core.errors import Problem, SpecError, nearest_hint
from katib.core.experiment import ExperimentSpec
from katib.core.space import SearchSpace
from katib.core.trial import Trial, Value
from katib.resources.substitution import PLACEHOLDER, filled, substituted

# What ${trialSpec.KEY} may name; Labels and Annotations with the name of one in brackets: Labels[app].
META_KEYS = ("Name", "Namespace", "Kind", "APIVersion", "Labels", "Annotations")

_META_REFERENCE = re.compile(r"\$\{trialSpec\.(.+)\}", re.DOTALL)
_META_ITEM = re.compile(r"(Labels|Annotations)\[(.*)\]", re.DOTALL)
_SPACE = re.compile(r"\s")

_TEMPLATE = "spec.trialTemplate"


def placeholders(tree: object) -> set[str]:
    """The names NAME of all ``${trialParameters.NAME}`` in the texts and keys of ``tree``."""
    return {name for text in _texts(tree) for name in PLACEHOLDER.findall(text)}


def meta_reference(text: str) -> str | None:
    """KEY if ``text`` is ``${trialSpec.KEY}``, else None. KEY is not checked; ``meta_value`` does that."""
    found = _META_REFERENCE.fullmatch(text)
    return found[1] if found else None


def meta_value(key: str, document: Mapping[str, Any], *, name: str, namespace: str) -> str:
    """What ``${trialSpec.KEY}`` stands for: the trial's ``name`` or ``namespace``, or what the template says of itself.

    Raises SpecError if there is no such key, or the template has no such kind, label or annotation.
    """
    item = _META_ITEM.fullmatch(key)
    if item:
        found = _mapping(_mapping(document.get("metadata")).get(item[1].lower())).get(item[2])
    elif key in ("Name", "Namespace"):
        return name if key == "Name" else namespace
    elif key in ("Kind", "APIVersion"):
        found = document.get("kind" if key == "Kind" else "apiVersion")
    else:
        hint = nearest_hint(key, META_KEYS)
        expected = "Name, Namespace, Kind, APIVersion, Labels[...] or Annotations[...]"
        raise SpecError([Problem("", f"unknown key {key!r} in ${{trialSpec.{key}}}{hint}; expected {expected}")])
    if not isinstance(found, str):
        raise SpecError([Problem("", f"${{trialSpec.{key}}} stands for nothing: the template has no text there")])
    return found


def render(spec: ExperimentSpec, trial: Trial) -> dict[str, Any]:
    """The job of ``trial``: its template with all values put in, named after the trial, in the experiment's namespace.

    Empty if the template is (Python objectives). Raises SpecError, with the path of the problem, if a placeholder is
    not defined, a value is missing or outside of the search space, or two keys become the same.
    """
    document = spec.template.document
    if not document:
        return {}
    values = _values(spec, trial)
    inactive = {name for name, text in values.items() if text is None}
    present = _without(document, inactive) if inactive else document
    texts = {name: text or "" for name, text in values.items()}
    try:
        rendered = substituted(present, texts) if inactive else filled(document, texts)
    except SpecError as error:
        raise error.within(f"{_TEMPLATE}.trialSpec") from None
    metadata = rendered.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise SpecError([Problem(f"{_TEMPLATE}.trialSpec.metadata", f"got {metadata!r}, expected an object")])
    rendered["metadata"] = {**metadata, "name": trial.name, "namespace": spec.key.namespace}
    return rendered


def value_text(space: SearchSpace, name: str, value: Value) -> str:
    """The text of one assignment, as a template and a Trial resource show it.

    Assignments that the space does not name (architectures of a neural search) are shown as they are, and so are values
    outside of a space that has changed since. Raises SpecError if the value is not one of the parameter's otherwise.
    """
    try:
        return space[name].format(value) if name in space else str(value)
    except SpecError:
        if space.revision:
            return str(value)
        raise


def _values(spec: ExperimentSpec, trial: Trial) -> dict[str, str | None]:
    """The text of each trial parameter, None for one that takes no part in this trial."""
    values: dict[str, str | None] = {}
    for index, parameter in enumerate(spec.template.parameters):
        try:
            values[parameter.name] = _value(spec, trial, parameter.reference)
        except SpecError as error:
            raise error.within(f"{_TEMPLATE}.trialParameters[{index}].reference") from None
    return values


def _value(spec: ExperimentSpec, trial: Trial, reference: str) -> str | None:
    meta = meta_reference(reference)
    if meta is not None:
        return meta_value(meta, spec.template.document, name=trial.name, namespace=spec.key.namespace)
    if reference in trial.parameters:
        return value_text(spec.space, reference, trial.parameters[reference])
    if reference in spec.space and spec.space[reference].condition:
        return None
    hint = nearest_hint(reference, list(trial.parameters))
    raise SpecError([Problem("", f"trial {trial.name!r} has no parameter {reference!r}{hint}")])


def _without(node: Any, inactive: Set[str]) -> Any:
    """A copy of ``node`` whose lists lack the items that stand for inactive parameters."""
    if isinstance(node, Mapping):
        return {key: _without(item, inactive) for key, item in node.items()}
    if not isinstance(node, list | tuple):
        return node
    kept: list[Any] = []
    for item in node:
        if not _stands_for(item, inactive):
            kept.append(_without(item, inactive))
        elif isinstance(item, str) and PLACEHOLDER.fullmatch(item) and kept and _is_flag(kept[-1]):
            kept.pop()
    return kept


def _stands_for(item: Any, inactive: Set[str]) -> bool:
    """Whether a list's item is an argument, or an environment variable, that is there for an inactive parameter."""
    text = item.get("value") if isinstance(item, Mapping) and item.keys() == {"name", "value"} else item
    return isinstance(text, str) and not _SPACE.search(text) and not inactive.isdisjoint(PLACEHOLDER.findall(text))


def _is_flag(item: Any) -> bool:
    return isinstance(item, str) and item.startswith("-") and "=" not in item


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, Mapping):
        for key, item in node.items():
            yield from _texts(key)
            yield from _texts(item)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _texts(item)


def _mapping(node: object) -> Mapping[str, Any]:
    return node if isinstance(node, Mapping) else {}
