"""Success and failure conditions of trials: GJSON paths over the live job object, as Katib decides a trial's end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from katib.resources.gjson import Path, follow, parse_path


class Match(NamedTuple):
    """What the object that matched says of itself: its ``reason`` and ``message``, empty where it has none."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Condition:
    """A parsed condition. ``text`` is how it was written."""

    text: str
    _path: Path

    def match(self, obj: object) -> Match | None:
        """What the job ``obj`` (JSON as a tree) says, None if the condition does not hold. Never raises.

        As in Katib it holds if the path leads to an object, or to a list whose first element is one; a text, a number
        or a plain ``true`` is no match.
        """
        found = follow(obj, self._path)
        if isinstance(found, list):
            found = found[0] if found else None
        if not isinstance(found, Mapping):
            return None
        reason, message = found.get("reason"), found.get("message")
        return Match(reason if isinstance(reason, str) else "", message if isinstance(message, str) else "")


def parse(text: str) -> Condition:
    """The condition that ``text`` writes, in the subset of GJSON that ``katib.resources.gjson`` describes.

    Raises SpecError that names the position and what was expected there.
    """
    return Condition(text, parse_path(text))
