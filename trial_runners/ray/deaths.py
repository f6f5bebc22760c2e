"""What Ray's errors say of an actor's end, in a line for people."""

from __future__ import annotations

import re

from ray.exceptions import RayError

_CHARACTERS = 300
_PACKAGE = re.compile(r"(?:ModuleNotFoundError|ImportError): .*")


def cause_of(error: RayError) -> str:
    """Why an actor is gone, or did not come up."""
    text = str(error)
    missing = _PACKAGE.search(text)
    if missing:
        return (
            f"a node of the Ray cluster cannot run this package ({missing[0]}): install katib-engine there in this "
            "version, or name it under pip in the runtime environment"
        )
    if getattr(error, "preempted", False):
        return "its node was preempted"
    said = text.partition("The actor is dead because ")[2] or text
    line = " ".join(said.split())
    for mark in ("Worker exit type:", "Some common causes", "To troubleshoot"):
        line = line.partition(mark)[0] if line.partition(mark)[0].strip() else line
    return line.strip()[:_CHARACTERS] or type(error).__name__
