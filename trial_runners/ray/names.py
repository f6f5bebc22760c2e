"""Names of actors: deterministic, so that whoever comes later finds them, and telling, for they stand in Ray's
dashboard.

``NAMESPACE/EXPERIMENT/TRIAL/ATTEMPT`` runs a command, ``NAMESPACE/EXPERIMENT/slot/WORD`` calls functions,
``agent/NODE`` answers for a node. Behind an ``@`` stands the scope: the word of the runner's root.
"""

from __future__ import annotations

from katib.core.trial import AttemptId, Key

NAMESPACE = "katib"
"""Ray's namespace of all actors."""

_SLOT = "slot"


def of_agent(node: str, scope: str) -> str:
    """The agent of a node."""
    return f"agent/{node}@{scope}"


def of_command(id: AttemptId, scope: str) -> str:
    """The actor of a command."""
    return f"{id.key.namespace}/{id.key.name}/{id.trial}/{id.attempt}@{scope}"


def of_slot(key: Key, word: str, scope: str) -> str:
    """A slot."""
    return f"{key.namespace}/{key.name}/{_SLOT}/{word}@{scope}"


def command_of(name: str, key: Key, scope: str) -> AttemptId | None:
    """The attempt of ``key`` whose command the actor runs, None if it is another actor."""
    parts = name.removesuffix(f"@{scope}").split("/")
    if not name.endswith(f"@{scope}") or len(parts) != 4 or tuple(parts[:2]) != key:
        return None
    return AttemptId(key, parts[2], int(parts[3])) if parts[3].isdigit() and parts[2] != _SLOT else None


def is_slot_of(name: str, key: Key, scope: str) -> bool:
    """Whether the actor is a slot of the experiment."""
    return name.startswith(of_slot(key, "", "")[:-1]) and name.endswith(f"@{scope}")


def is_trial(name: str) -> bool:
    """Whether the actor runs trials."""
    return name.count("/") == 3
