"""Placeholders of a tree replaced by texts. What was put in is not looked at again.

Every result is text, as what it stands in was, with one exception: a field of ``INTEGER_FIELDS`` whose whole text is
one placeholder becomes an integer if the value is one (``parallelism: ${trialParameters.workers}``), since Kubernetes
takes no text there.

A template is filled in for every trial that is started or shown, thousands of times: so the places with placeholders
are looked for once, and the rest is copied by the interpreter.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from katib.core.errors import Problem, SpecError, nearest_hint

INTEGER_FIELDS = frozenset(
    {"activeDeadlineSeconds", "backoffLimit", "completions", "maxReplicas", "maxRestarts", "minReplicas", "numNodes"}
    | {"numProcPerNode", "parallelism", "replicas", "slotsPerWorker", "terminationGracePeriodSeconds"}
    | {"ttlSecondsAfterFinished"}
)
PLACEHOLDER = re.compile(r"\$\{trialParameters\.([^{}]*)\}")

# Objects whose values are text under any name.
_TEXT_MAPS = frozenset({"annotations", "labels", "matchLabels", "nodeSelector"})
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_KEPT = 64  # templates whose plans are kept


class _Hole(NamedTuple):
    """A text with placeholders. path: keys and places that lead to its holder; key: its own there."""

    path: tuple[str | int, ...]
    key: str | int
    text: str
    integer: bool


class _Plan(NamedTuple):
    """How a template is filled in. template: itself, so that its identity stays its own. content: its copy as bytes;
    None if it can only be walked. names: of the placeholders."""

    template: Mapping[str, Any]
    content: bytes | None
    holes: tuple[_Hole, ...] = ()
    names: frozenset[str] = frozenset()


_plans: dict[int, _Plan] = {}


def filled(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """As ``substituted``, for a template that is filled in again and again."""
    plan = _plans.get(id(template))
    if plan is None or plan.template is not template:
        plan = _plan(template)
        if len(_plans) >= _KEPT:
            _plans.clear()
        _plans[id(template)] = plan
    if plan.content is None or not plan.names <= values.keys():
        return substituted(template, values)
    tree: dict[str, Any] = marshal.loads(plan.content)  # noqa: S302 - our own bytes, made in this process
    for hole in plan.holes:
        holder: Any = tree
        for step in hole.path:
            holder = holder[step]
        text = _replace(hole.text, values)
        holder[hole.key] = _integer_of(text, hole.text) if hole.integer else text
    return tree


def substituted(template: Mapping[str, Any], values: Mapping[str, str]) -> dict[str, Any]:
    """A copy of ``template`` with every placeholder replaced. Raises SpecError, with its path, if one is not among
    ``values``, or two keys become the same."""
    copy: dict[str, Any] = _substitute(template, values)
    return copy


def _plan(template: Mapping[str, Any]) -> _Plan:
    try:
        holes = tuple(_holes(template, (), ""))
    except _OnlyWalked:
        return _Plan(template, None)
    names = frozenset(name for hole in holes for name in PLACEHOLDER.findall(hole.text))
    return _Plan(template, marshal.dumps(dict(template)), holes, names)


class _OnlyWalked(Exception):
    """There is a placeholder in a key, or something that is no tree of JSON."""


def _holes(node: Any, path: tuple[str | int, ...], parent: str) -> Iterator[_Hole]:
    """The texts with placeholders below ``node``. parent: the key that it stands under. Raises _OnlyWalked."""
    items: Any
    if type(node) is dict:
        items = node.items()
    elif type(node) is list:
        items = enumerate(node)
    elif node is None or type(node) in (str, int, float, bool):
        return
    else:
        raise _OnlyWalked
    for key, item in items:
        if type(key) is not int and (type(key) is not str or "${" in key):
            raise _OnlyWalked
        if isinstance(item, str) and "${" in item:
            yield _Hole(path, key, item, key in INTEGER_FIELDS and parent not in _TEXT_MAPS)
        yield from _holes(item, (*path, key), key if isinstance(key, str) else "")


def _substitute(node: Any, values: Mapping[str, str], parent: str = "") -> Any:
    """A copy of ``node`` with every placeholder replaced. parent: the key that ``node`` stands under. It is made for
    each trial that is started or shown, so paths are put together for errors only."""
    if isinstance(node, str):
        return _replace(node, values)
    if isinstance(node, list | tuple):
        items: list[Any] = []
        for item in node:
            try:
                items.append(_substitute(item, values))
            except SpecError as error:
                raise error.within(f"[{len(items)}]") from None
        return items
    if type(node) is not dict and not isinstance(node, Mapping):  # to ask for a Mapping takes long
        return node
    copy: dict[Any, Any] = {}
    for key, item in node.items():
        try:
            new_key = _replace(key, values) if isinstance(key, str) else key
            if new_key in copy:
                raise SpecError([Problem("", f"two keys become {new_key!r} when the trial's values are put in")])
            new_item = _substitute(item, values, key)
        except SpecError as error:
            raise error.within(str(key)) from None
        if key in INTEGER_FIELDS and parent not in _TEXT_MAPS and isinstance(item, str):
            new_item = _integer_of(new_item, item)
        copy[new_key] = new_item
    return copy


def _integer_of(text: str, template: str) -> str | int:
    """The integer that ``text`` writes, if it took the place of a lone placeholder; else ``text``."""
    return int(text) if PLACEHOLDER.fullmatch(template) and _INTEGER.fullmatch(text) else text


def _replace(text: str, values: Mapping[str, str]) -> str:
    if "${" not in text:
        return text

    def value_of(found: re.Match[str]) -> str:
        if found[1] not in values:
            hint = nearest_hint(found[1], list(values))
            problem = f"placeholder {found[0]} names no entry of spec.trialTemplate.trialParameters{hint}"
            raise SpecError([Problem("", problem)])
        return values[found[1]]

    return PLACEHOLDER.sub(value_of, text)
