"""Whatever stands for a document, as the tree that travels: our models, those of other Katib and Kubernetes clients."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from katib.core.errors import SpecError
from katib.resources.yaml_loader import load_documents, read_text

Tree = dict[str, Any]


def as_tree(value: Any, keep: tuple[type, ...] = ()) -> Any:
    """``value`` with all objects in it as dicts under the names of the wire, absent fields left out. keep: classes
    whose objects, and times, stay as they are."""
    if value is None or isinstance(value, str | int | float):
        return value.value if isinstance(value, Enum) else value
    if keep and isinstance(value, (*keep, datetime)):
        return value
    if isinstance(value, Mapping):
        return {str(key): as_tree(item, keep) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_tree(item, keep) for item in value]
    if isinstance(value, datetime):
        return as_time_text(value)
    fields = _fields(value)
    return value if fields is None else {name: as_tree(item, keep) for name, item in fields.items() if item is not None}


def as_time_text(value: datetime) -> str:
    """RFC 3339, as Kubernetes writes it; a time without a zone is UTC."""
    zoned = value if value.tzinfo else value.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def as_document(given: Any) -> Tree:
    """The one document that ``given`` is or names: an object, a mapping, YAML text, or the path of a file.

    Raises SpecError.
    """
    if isinstance(given, Path) or (isinstance(given, str) and _is_path(given)):
        documents = load_documents(read_text(Path(given)), str(given))
    elif isinstance(given, str):
        documents = load_documents(given, "")
    else:
        tree = as_tree(given)
        if not isinstance(tree, dict):
            raise SpecError(f"got a {type(given).__name__}, expected an object, a mapping, YAML text or a path")
        return tree
    if len(documents) != 1:
        raise SpecError(f"got {len(documents)} documents, expected one", source=str(given) if _is_path(given) else "")
    return dict(documents[0].tree)


def _is_path(given: Any) -> bool:
    return "\n" not in str(given) and str(given).strip().endswith((".yaml", ".yml", ".json"))


def _fields(value: Any) -> Mapping[str, Any] | None:
    """An object's fields by their names on the wire; None if it is none of ours or of another client."""
    names = getattr(type(value), "attribute_map", None)  # what OpenAPI's generator gives the models of a client
    if isinstance(names, Mapping):
        return {wire: getattr(value, attribute) for attribute, wire in names.items()}
    if isinstance(value, BaseModel):
        own = {field.alias or name: getattr(value, name) for name, field in type(value).model_fields.items()}
        return {**own, **(value.model_extra or {})}
    return None
