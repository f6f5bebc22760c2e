"""What all models of the client have: constructors and attributes in snake_case, ``to_dict``, a printed form."""

from __future__ import annotations

import pprint
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, model_validator

from katib.client.trees import as_tree
from katib.resources.shared_types import Model


def _as_time(value: Any) -> Any:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


Time = Annotated[datetime, BeforeValidator(_as_time)]
"""A time of a status; RFC 3339 text on the wire."""


class ClientModel(Model):
    """A document or a part of one. Attributes that are absent are None. Nothing but types is checked here: who takes
    the document checks the rest, and says what is wrong with it."""

    model_config = ConfigDict(populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, value: Any) -> Any:
        """Objects of other clients as mappings; ours in them stay the objects that they are."""
        return value if isinstance(value, cls) else as_tree(value, keep=(ClientModel,))

    def to_dict(self) -> dict[str, Any]:
        """All attributes by their names in Python, absent ones as None."""
        return {name: _in_python(value) for name, value in self._attributes()}

    def to_str(self) -> str:
        """The printed form of ``to_dict``."""
        return pprint.pformat(self.to_dict())

    def __repr__(self) -> str:
        return self.to_str()

    def __str__(self) -> str:
        return self.to_str()

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        for name in type(self).model_fields:
            yield name, getattr(self, name)


class V1ListMeta(ClientModel):
    """Of a list of objects."""

    resource_version: str | None = None
    remaining_item_count: int | None = None


class ListOf(ClientModel):
    """A list of objects."""

    api_version: str | None = None
    kind: str | None = None
    metadata: V1ListMeta | None = None


def _in_python(value: Any) -> Any:
    if isinstance(value, ClientModel):
        return value.to_dict()
    if isinstance(value, list):
        return [_in_python(item) for item in value]
    return value
