"""What the documents say of their own fields: for people (``katib explain``), and for editors (JSON Schema)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic.fields import FieldInfo

from katib.core.errors import UnknownNameError
from katib.resources.documents import Experiment
from katib.resources.reading import model_in
from katib.resources.shared_types import Model
from katib.resources.trial_documents import Suggestion, Trial

KINDS: Mapping[str, type[Model]] = {"experiment": Experiment, "trial": Trial, "suggestion": Suggestion}
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a document.

    kind: its type as kubectl writes it: ``string``, ``[]ParameterSpec``, ``map[string]string``, ``Object``.
    model: the type of its value or of its items, if that has fields of its own. allowed: all values; () for any.
    """

    name: str
    kind: str
    text: str
    allowed: tuple[str, ...] = ()
    default: Any = None
    model: type[Model] | None = None


def fields_of(model: type[Model]) -> list[Field]:
    """The fields of a model, in its order."""
    return [_field(info.alias or name, info) for name, info in model.model_fields.items()]


def find_field(kind: str, path: Sequence[str]) -> Field:
    """The field that ``path`` leads to from the top of a document of that kind; the document itself if it is empty.

    Raises UnknownNameError with the fields that there are instead.
    """
    model: type[Model] | None = KINDS[kind]
    found = Field(kind, KINDS[kind].__name__, about_model(KINDS[kind]), model=KINDS[kind])
    walked = kind
    for name in path:
        known = {field.name: field for field in fields_of(model)} if model else {}
        if name not in known:
            raise UnknownNameError(f"field of {walked}", name, known)
        found, walked = known[name], f"{walked}.{name}"
        model = found.model
    return found


def about_model(model: type[Model]) -> str:
    """What a model says of itself."""
    return " ".join((model.__doc__ or "").replace("``", "`").split())


def _field(name: str, info: FieldInfo) -> Field:
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    default: Any = extra.get("default")
    allowed: Any = extra.get("enum", ())
    return Field(
        name=name,
        kind=_type_name(info.annotation),
        text=info.description or "",
        allowed=tuple(map(str, allowed)),
        default=default,
        model=model_in(info.annotation, of_list=False) or model_in(info.annotation, of_list=True),
    )


def _type_name(annotation: Any) -> str:
    """``list[Text] | None`` -> ``[]string``."""
    if get_origin(annotation) is Annotated:
        return _type_name(get_args(annotation)[0])
    parts = [part for part in get_args(annotation) if part is not NoneType]
    if get_origin(annotation) is list:
        return f"[]{_type_name(parts[0])}"
    if get_origin(annotation) is dict:
        return "Object" if parts[1] is Any else f"map[{_type_name(parts[0])}]{_type_name(parts[1])}"
    if parts:
        return _type_name(parts[0])
    return _PLAIN.get(annotation) or str(annotation.__name__)


def json_schema(kind: str, algorithms: Sequence[str] = (), stoppers: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON Schema of a kind's documents, for editors: unknown fields are marked, as ``katib validate`` does.

    algorithms, stoppers: names that ``algorithmName`` may have, offered for completion.
    """
    schema = KINDS[kind].model_json_schema(by_alias=True)
    for definition in (schema, *schema.get("$defs", {}).values()):
        _tidy(definition)
    schema["required"] = ["apiVersion", "kind"]
    schema["properties"]["kind"]["enum"] = [KINDS[kind].__name__]
    if kind == "experiment":
        properties = schema["$defs"]["ExperimentSpec"]["properties"]
        for field, names in (("algorithm", algorithms), ("earlyStopping", stoppers)):
            if names:
                properties[field]["allOf"].append({"properties": {"algorithmName": {"enum": sorted(names)}}})
    return {"$schema": SCHEMA_DIALECT, **schema}


def _tidy(definition: dict[str, Any]) -> None:
    """Close a definition, and take out of its fields that they may be null, which only means absent."""
    definition.pop("title", None)
    definition["description"] = " ".join(definition.get("description", "").replace("``", "`").split())
    if "properties" not in definition:
        return
    definition["additionalProperties"] = False
    for name, field in definition["properties"].items():
        kept = {key: value for key, value in field.items() if key not in ("title", "anyOf") and value is not None}
        kind = field.get("anyOf", [{}])[0]
        definition["properties"][name] = {**kept, "allOf": [kind]} if "$ref" in kind else {**kept, **kind}
