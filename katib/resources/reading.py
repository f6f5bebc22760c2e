"""Trees into models: every wrong type and every unknown field becomes a Problem in a user's words, with its path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from katib.core.errors import Problem, SpecError, join_path, nearest_hint
from katib.resources.scalars import show
from katib.resources.shared_types import Model

M = TypeVar("M", bound=Model)

_EXPECTED = {
    "string_type": "text",
    "int_type": "an integer",
    "greater_than_equal": "an integer of 32 bits",
    "less_than_equal": "an integer of 32 bits",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}


def read(kind: type[M], tree: Mapping[str, Any]) -> tuple[M, list[Problem]]:
    """The model of ``tree``, and a problem for each field that ``kind`` does not have.

    Unknown fields are the caller's to judge: the CLI refuses them, a server only warns. Raises SpecError with every
    wrong type, and with the unknown fields beside them.
    """
    unknown = list(unknown_fields(kind, tree))
    try:
        return kind.model_validate(tree), unknown
    except ValidationError as error:
        raise SpecError([*map(_problem, error.errors(include_url=False)), *unknown]) from None


def unknown_fields(kind: type[Model] | None, tree: Any, path: str = "") -> Iterator[Problem]:
    """A problem for each field in ``tree`` that ``kind`` does not have, with the nearest name that it does have."""
    if kind is None or not isinstance(tree, Mapping):
        return
    fields = {info.alias or name: info.annotation for name, info in kind.model_fields.items()}
    for key, value in tree.items():
        inner = join_path(path, str(key))
        if key not in fields:
            yield Problem(inner, f"unknown field {show(key)}{nearest_hint(str(key), list(fields))}")
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from unknown_fields(model_in(fields[key], of_list=True), item, f"{inner}[{index}]")
        else:
            yield from unknown_fields(model_in(fields[key], of_list=False), value, inner)


def model_in(annotation: Any, *, of_list: bool) -> type[Model] | None:
    """The model X of ``X | None`` or, if ``of_list``, of ``list[X] | None``; None if there is none."""
    for part in get_args(annotation) or (annotation,):
        if (get_origin(part) is list) == of_list:
            inner = get_args(part)[0] if of_list else part
            if isinstance(inner, type) and issubclass(inner, Model):
                return inner
    return None


def _problem(error: ErrorDetails) -> Problem:
    """Pydantic's error in the words of a reader of YAML."""
    path = ""
    for step in error["loc"]:
        path = join_path(path, f"[{step}]" if isinstance(step, int) else step)
    value = error["input"]
    expected = _EXPECTED.get(error["type"], error["msg"])
    hint = f"; in quotes it is text: '{show(value)}'" if expected == "text" and isinstance(value, bool) else ""
    return Problem(path, f"got {show(value)}, expected {expected}{hint}")
